# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C at a chosen moment, the same in each run."""

from __future__ import annotations

from collections.abc import Callable
import sys
from types import FrameType


def calls_of(function: Callable[[], object]) -> int:
    """Return how many Python functions a function calls."""
    count = 0

    def look(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == 'call'

    sys.setprofile(look)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def interrupted(function: Callable[[], object], *, after_calls: int) -> bool:
    """
    Run a function and press Ctrl-C when it has called so many others.

    :return: whether the interruption came out.
    """
    left = after_calls

    def look(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        left -= event == 'call'
        if left < 0:
            sys.setprofile(None)
            raise KeyboardInterrupt

    sys.setprofile(look)
    try:
        function()
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return False
