# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Boxes of an image and an aligned depth image to boxes in space with covariance."""

from __future__ import annotations

from collections.abc import Callable

from edge_perception.contract import hookimpl
from edge_perception.contract import Stage
from edge_perception.depth.depth_stage import DepthStage

EDGE_PERCEPTION_CONTRACT = '0.1'

__all__ = ['DepthStage', 'register_stages']


@hookimpl
def register_stages(register: Callable[[type[Stage]], None]) -> None:
    """Offer the stage ``depth``."""
    register(DepthStage)
