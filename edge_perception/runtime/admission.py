# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a frame can still be in time, judged by how long the last ones took."""

from __future__ import annotations

from bisect import bisect_left
from bisect import insort
from collections import deque
from enum import Enum
import math
import threading

from edge_perception.runtime.budget import NS_PER_MS

# At 30 Hz two seconds; three of them may be slow without any effect.
WINDOW = 64
QUANTILE = 0.95
# From the last frame to the first that is started against the estimate, and how far the pause
# between two such frames grows while they fail. The longest pause bounds the time to recover.
SHORTEST_PROBE_PAUSE_NS = 100 * NS_PER_MS
LONGEST_PROBE_PAUSE_NS = 1000 * NS_PER_MS


class Probe(Enum):
    """Whether a frame was started against the estimate, and with little chance."""

    NONE = 0
    LIKELY = 1
    DARING = 2


class Admission:
    """
    Measures one engine with one camera, and says which frames are worth starting.

    A frame that has less of its budget left than the 95th percentile of the last service times is
    not. Because nothing is measured while nothing is started, one such frame is started now and
    then, as a probe. A probe that is in time disproves the old figures, and they are forgotten.
    One that had little chance, less left than the median, and failed doubles the pause until the
    next of its kind.

    Several frames may be on their way at once; of probes only one in each pause. Methods may be
    called from any thread.

    :param expected_ns: service time to begin with, e.g. that of the warm-up; 0 when unknown.
    """

    def __init__(self, *, expected_ns: int = 0) -> None:
        # How long a frame takes from its start to its publication, 95th percentile, nanoseconds.
        self.p95_ns = expected_ns
        self._ordered = [expected_ns] if expected_ns else []
        self._latest = deque(self._ordered, maxlen=WINDOW)
        self._lock = threading.Lock()
        # As what the last frame was admitted.
        self.probe = Probe.NONE
        self._pause_ns = SHORTEST_PROBE_PAUSE_NS
        self._last_ns: int | None = None

    def admits(self, left_ns: int, *, now_ns: int) -> bool:
        """
        Tell whether to start a frame; when the answer is yes, it is started.

        :param left_ns: what is left of its budget.
        """
        with self._lock:
            self.probe = Probe.NONE
            if left_ns >= self.p95_ns:
                return True
            daring = left_ns < self._quantile(0.5)
            pause_ns = self._pause_ns if daring else SHORTEST_PROBE_PAUSE_NS
            if self._last_ns is not None and now_ns - self._last_ns < pause_ns:
                return False
            self.probe = Probe.DARING if daring else Probe.LIKELY
            self._last_ns = now_ns  # another one waits until something is known of this one
            return True

    def record(self, service_ns: int, *, in_time: bool, now_ns: int, probe: Probe) -> None:
        """
        Take in how long a frame took.

        :param in_time: its budget was not used up.
        :param probe: as what it was admitted.
        """
        with self._lock:
            if in_time:
                self._pause_ns = SHORTEST_PROBE_PAUSE_NS
                if probe is not Probe.NONE:
                    self._latest.clear()
                    self._ordered.clear()
            elif probe is Probe.DARING:
                self._pause_ns = min(2 * self._pause_ns, LONGEST_PROBE_PAUSE_NS)
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
