# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
import time


def paced(count: int, *, rate_hz: float) -> Iterator[int]:
    """
    Count up from 0, a number at a time, in step with the clock.

    A turn that takes too long delays those that follow, instead of making them come in a burst.
    """
    period_ns = int(1e9 / rate_hz)
    due_ns = time.monotonic_ns()
    for number in range(count):
        now_ns = time.monotonic_ns()
        if now_ns < due_ns:
            time.sleep((due_ns - now_ns) / 1e9)
        due_ns = max(due_ns, now_ns) + period_ns
        yield number
