# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Read as much of an uncompressed PDF as the tests of drawings need, in millimeters."""

from __future__ import annotations

import re

MILLIMETERS_PER_POINT = 25.4 / 72
NUMBER = rb'(-?[\d.]+)'
# A closed path of four corners.
PATH = re.compile(
    rb' m\s+'.join([NUMBER + rb' ' + NUMBER] * 2) + rb' l\s+' + NUMBER + rb' ' + NUMBER
)


def page_sizes(data: bytes) -> list[tuple[float, float]]:
    """Return width and height of every page."""
    boxes = re.findall(rb'/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]', data)
    return [tuple(float(value) * MILLIMETERS_PER_POINT for value in box) for box in boxes]


def page_rectangles(data: bytes) -> list[list[tuple[float, ...]]]:
    """Return (left, top, width, height) of the rectangles of every page, from its upper left."""
    streams = re.findall(rb'stream\r?\n(.*?)\r?\nendstream', data, re.DOTALL)
    streams = [each for each in streams if b' l\n' in each]
    pages = []
    for (_, height), stream in zip(page_sizes(data), streams):
        found = []
        for path in PATH.findall(stream):
            x0, y0, _, _, x1, y1 = (float(value) * MILLIMETERS_PER_POINT for value in path)
            found.append((min(x0, x1), height - max(y0, y1), abs(x1 - x0), abs(y1 - y0)))
        pages.append(found)
    return pages
