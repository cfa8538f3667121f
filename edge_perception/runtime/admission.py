# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a frame can still be in time, judged by how long the last ones took."""

from __future__ import annotations

from bisect import bisect_left
from bisect import insort
from collections import deque
import math

from edge_perception.runtime.budget import NS_PER_MS

# At 30 Hz two seconds; three of them may be slow without any effect.
WINDOW = 64
QUANTILE = 0.95
# From the last frame to the first that is started against the estimate, and how far the pause
# between two such frames grows while they fail. The longest pause bounds the time to recover.
SHORTEST_PROBE_PAUSE_NS = 100 * NS_PER_MS
LONGEST_PROBE_PAUSE_NS = 1000 * NS_PER_MS


class Admission:
    """
    Measures one engine with one camera, and says which frames are worth starting.

    A frame that has less of its budget left than the 95th percentile of the last service times is
    not. Because nothing is measured while nothing is started, one such frame is started now and
    then, as a probe. A probe that is in time disproves the old figures, and they are forgotten.
    One that had little chance, less left than the median, and failed doubles the pause until the
    next of its kind.

    Called by the thread of the worker; ``p95_ns`` may be read by any.

    :param expected_ns: service time to begin with, e.g. that of the warm-up; 0 when unknown.
    """

    def __init__(self, *, expected_ns: int = 0) -> None:
        # How long a frame takes from its start to its publication, 95th percentile, nanoseconds.
        self.p95_ns = expected_ns
        self._ordered = [expected_ns] if expected_ns else []
        self._latest = deque(self._ordered, maxlen=WINDOW)
        self._probing = self._daring = False
        self._pause_ns = SHORTEST_PROBE_PAUSE_NS
        self._last_ns: int | None = None

    def admits(self, left_ns: int, *, now_ns: int) -> bool:
        """
        Tell whether to start a frame; when the answer is yes, it is started.

        :param left_ns: what is left of its budget.
        """
        fits = left_ns >= self.p95_ns
        self._daring = left_ns < self._quantile(0.5)
        pause_ns = self._pause_ns if self._daring else SHORTEST_PROBE_PAUSE_NS
        rested = self._last_ns is None or now_ns - self._last_ns >= pause_ns
        self._probing = not fits and rested
        return fits or rested

    def record(self, service_ns: int, *, in_time: bool, now_ns: int) -> None:
        """
        Take in how long the frame took that was started last.

        :param in_time: its budget was not used up.
        """
        if in_time:
            self._pause_ns = SHORTEST_PROBE_PAUSE_NS
            if self._probing:
                self._latest.clear()
                self._ordered.clear()
        elif self._probing and self._daring:
            self._pause_ns = min(2 * self._pause_ns, LONGEST_PROBE_PAUSE_NS)
        self._probing = False
        self._last_ns = now_ns
        self._add(service_ns)

    def _add(self, service_ns: int) -> None:
        if len(self._latest) == WINDOW:
            del self._ordered[bisect_left(self._ordered, self._latest[0])]
        self._latest.append(service_ns)
        insort(self._ordered, service_ns)
        self.p95_ns = self._quantile(QUANTILE)

    def _quantile(self, share: float) -> int:
        if not self._ordered:
            return 0
        return self._ordered[math.ceil(share * len(self._ordered)) - 1]
