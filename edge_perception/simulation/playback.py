# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure how a node answers images at a rate, with the metrics of ros2_benchmark.

The names are those of the JSON that NVIDIA's ros2_benchmark writes, so that figures of both can
be laid side by side; the method is its as well: the highest rate with few losses by bisection,
then fixed rates.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
import time

import numpy as np

PREFIX = 'BasicPerformanceMetrics.'
# Share of the images sent that may stay unanswered at a rate that counts as sustained.
ACCEPTABLE_LOSS = 0.05
FIXED_RATES_HZ = (10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Shown:
    """
    One image and its answer; monotonic nanoseconds.

    :param published_age_ns: how old the image was when the answer was published, by its stamp.
    :param answered_ns: when the answer arrived; None when there was none.
    """

    stamp_ns: int
    sent_ns: int
    answered_ns: int | None = None
    published_age_ns: int | None = None


def performance(shown: Sequence[Shown]) -> dict[str, float]:
    """Return the metrics of one run; those for which too little was answered are left out."""
    answered = [(each.sent_ns, each.answered_ns) for each in shown if each.answered_ns is not None]
    found: dict[str, float] = {
        'NUM_FRAMES_SENT': len(shown),
        'NUM_MISSED_FRAMES': len(shown) - len(answered),
    }
    if len(shown) > 1:
        found['MEAN_PLAYBACK_FRAME_RATE'] = _rate([each.sent_ns for each in shown])
    if answered:
        sent, ends = (np.array(column, np.float64) / 1e6 for column in zip(*answered))
        latency = ends - sent
        found |= {
            'RECEIVED_DURATION': float(ends[-1] - ends[0]),
            'FIRST_SENT_RECEIVED_LATENCY': float(ends[0] - shown[0].sent_ns / 1e6),
            'LAST_SENT_RECEIVED_LATENCY': float(ends[-1] - shown[-1].sent_ns / 1e6),
            'FIRST_INPUT_LATENCY': float(latency[0]),
            'LAST_INPUT_LATENCY': float(latency[-1]),
            'MAX_LATENCY': float(latency.max()),
            'MIN_LATENCY': float(latency.min()),
            'MEAN_LATENCY': float(latency.mean()),
        }
        if len(answered) > 1:
            found['MEAN_FRAME_RATE'] = _rate([end for _, end in answered if end is not None])
        if len(answered) > 2:
            jitter = np.abs(np.diff(ends, n=2))
            found |= {
                'MAX_JITTER': float(jitter.max()),
                'MIN_JITTER': float(jitter.min()),
                'MEAN_JITTER': float(jitter.mean()),
                'STD_DEV_JITTER': float(jitter.std()),
            }
    return {f'{PREFIX}{name}': value for name, value in found.items()}


def sustained(shown: Sequence[Shown]) -> bool:
    """Tell whether nearly all images of a run were answered."""
    missed = sum(each.answered_ns is None for each in shown)
    return bool(shown) and missed < ACCEPTABLE_LOSS * len(shown)


def find_peak(
    probe: Callable[[float], Sequence[Shown]], *, low_hz: float, high_hz: float, step_hz: float
) -> float:
    """
    Return the highest rate that is sustained, to a step; 0 when not even the lowest is.

    :param probe: sends images at a rate for a while.
    """
    if not sustained(probe(low_hz)):
        return 0.0
    if sustained(probe(high_hz)):
        return high_hz
    while high_hz - low_hz > step_hz:
        middle_hz = (low_hz + high_hz) / 2
        if sustained(probe(middle_hz)):
            low_hz = middle_hz
        else:
            high_hz = middle_hz
    return low_hz


def _rate(moments_ns: Sequence[int]) -> float:
    """Return events in a second, counted as ros2_benchmark does: all of them, over the span."""
    span_s = (moments_ns[-1] - moments_ns[0]) / 1e9
    return len(moments_ns) / span_s if span_s > 0 else 0.0


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
