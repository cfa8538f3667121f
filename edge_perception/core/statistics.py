# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Percentiles over the latest values, in memory that does not grow."""

from __future__ import annotations

from dataclasses import dataclass
import threading

import numpy as np


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles of a window; all NaN when it is empty."""

    p50: float
    p95: float
    p99: float
    maximum: float


class RollingWindow:
    """
    The latest values of one quantity; methods may be called from any thread.

    :param size: how many values are kept; 512 are 17 s of a camera with 30 Hz.
    """

    def __init__(self, size: int = 512) -> None:
        self._values = np.zeros(size, np.float64)
        self._count = 0
        self._lock = threading.Lock()

    def add(self, value: float) -> None:
        """Add a value; the oldest one goes when the window is full."""
        with self._lock:
            self._values[self._count % len(self._values)] = value
            self._count += 1

    def percentiles(self) -> Percentiles:
        """Return the percentiles of what the window holds now."""
        with self._lock:
            values = self._values[: min(self._count, len(self._values))].copy()
        if not len(values):
            return Percentiles(*[float('nan')] * 4)
        p50, p95, p99, maximum = np.percentile(values, (50, 95, 99, 100))
        return Percentiles(float(p50), float(p95), float(p99), float(maximum))
