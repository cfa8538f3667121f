# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Outputs that are maps over the image, by their shapes."""

from __future__ import annotations

from edge_perception.contract import FileFacts

SHRUNK = (2.0, 4.0, 8.0)  # how much smaller than the input the maps of usual models are


def shrinkage(facts: FileFacts) -> tuple[float, int] | None:
    """
    Return how much smaller than the input the only output is, and its number of channels.

    :return: 1, or one of ``SHRUNK``; None when the output is no such map.
    """
    shape = facts.only_shape
    if len(shape) != 4 or min(*shape, facts.width, facts.height) < 1:
        return None
    for rows, columns, channels in ((*shape[2:], shape[1]), (*shape[1:3], shape[3])):
        ratios = {facts.height / rows, facts.width / columns}
        if len(ratios) == 1 and ratios <= {1.0, *SHRUNK}:
            return ratios.pop(), channels
    return None
