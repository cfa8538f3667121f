# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A Python thread that does nothing but go on, and sees when it is kept from that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import sys
import threading
import time

# So that the lock changes hands only where its holder gives it up.
NEVER_S = 600.0


class Bystander:
    """What the other thread has seen, on the clock of ``time.perf_counter``."""

    def __init__(self) -> None:
        self._moments: list[float] = []
        self._stopping = False

    def stalled(self, since: float, until: float) -> float:
        """Return the longest time between two steps within an interval, as a share of it."""
        inside = [each for each in self._moments if since < each < until]
        moments = [since, *inside, until]
        longest = max(later - earlier for earlier, later in zip(moments, moments[1:]))
        self._moments.clear()
        return longest / (until - since)

    def run(self) -> None:
        """Go on until ``stop``; each step gives up the lock of Python."""
        while not self._stopping:
            self._moments.append(time.perf_counter())
            time.sleep(0)

    def stop(self) -> None:
        """End ``run``."""
        self._stopping = True


@contextmanager
def bystander() -> Iterator[Bystander]:
    """Give one at work beside this thread, which gets Python's lock where this one gives it up."""
    interval = sys.getswitchinterval()
    seen = Bystander()
    thread = threading.Thread(target=seen.run, name='bystander')
    sys.setswitchinterval(NEVER_S)
    thread.start()
    try:
        yield seen
    finally:
        seen.stop()
        sys.setswitchinterval(interval)
        thread.join()
