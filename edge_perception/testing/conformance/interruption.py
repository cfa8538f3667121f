# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Press Ctrl-C at a chosen moment, the same in each run."""

from __future__ import annotations

from collections.abc import Callable
import sys
from types import FrameType


def run_until(function: Callable[[], object], *, calls: float = float('inf')) -> tuple[int, bool]:
    """
    Run a function, and press Ctrl-C when it has called a number of Python functions.

    :param calls: the number; infinity lets it run to its end.
    :return: how many functions it has called, and whether it raised ``KeyboardInterrupt``.
    """
    made = 0

    def look(frame: FrameType, event: str, argument: object) -> None:
        nonlocal made
        made += event == 'call'
        if made > calls:
            sys.setprofile(None)
            raise KeyboardInterrupt

    sys.setprofile(look)
    try:
        function()
    except KeyboardInterrupt:
        return made, True
    finally:
        sys.setprofile(None)
    return made, False
