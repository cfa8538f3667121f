# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""From poses to one target: filtered, gated, with one orientation."""

from __future__ import annotations

from collections.abc import Callable

from edge_perception.contract import hookimpl
from edge_perception.contract import Stage
from edge_perception.target.target_stage import TargetStage

EDGE_PERCEPTION_CONTRACT = '0.1'

__all__ = ['TargetStage', 'register_stages']


@hookimpl
def register_stages(register: Callable[[type[Stage]], None]) -> None:
    """Offer the stage ``target``."""
    register(TargetStage)
