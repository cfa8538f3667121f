# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compute figures from images and their answers, and compare figures with limits."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_perception.simulation.playback import Shown
from tools.benchmark.harness import ImageStream
from tools.benchmark.harness import Observed

Figures = dict[str, float]
DIGITS = 3
# What the documentation promises; a figure may be equal to its limit.
MODEL_LIMITS = {
    'overhead_ratio': 1.15,
    'overhead_over_echo_ms': 0.3,
    'p99_over_p50': 1.3,
    'infer_ratio': 1.03,
}
NODE_LIMITS = {
    'node.rss_mb': 250.0,
    'node.idle_cpu_percent': 3.0,
    'yolox_nano_15hz.age_ratio': 1.05,
}
# The least, of ways to serve more frames beside the plain way.
GAINS = {'sleeping_overlap.gain': 1.6, 'yolox_nano_overlap.gain': 1.1, 'dense_batch.gain': 1.5}
# In this long a window after other work has ended the node is as it was before.
RECOVERY_WINDOW_S = 1.0
RECOVERED = 0.9


@dataclass(frozen=True, slots=True)
class Limit:
    """
    A limit and the figure that it is about.

    :param least: the figure must not be below it, instead of above.
    """

    name: str
    value: float
    limit: float
    least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.least else self.value <= self.limit

    def __str__(self) -> str:
        verdict = 'met' if self.met else 'MISSED'
        bound = 'at least' if self.least else 'at most'
        return f'{verdict:7}{self.name} {self.value:g}, {bound} {self.limit:g}'


def limits(figures: Mapping[str, float]) -> list[Limit]:
    """Return the limit of each figure that has one."""
    bounds = {
        name: NODE_LIMITS.get(name, MODEL_LIMITS.get(name.rpartition('.')[2])) for name in figures
    }
    found = [Limit(name, figures[name], each) for name, each in bounds.items() if each is not None]
    gains = [(name, least) for name, least in GAINS.items() if name in figures]
    return found + [Limit(name, figures[name], each, least=True) for name, each in gains]


def rounded(figures: Mapping[str, float]) -> Figures:
    return {name: round(value, DIGITS) for name, value in figures.items()}


def overhead_figures(samples_ms: Mapping[str, Sequence[float]]) -> Figures:
    """
    Return what the node adds; medians and percentiles are taken over all rounds.

    :param samples_ms: of the bare loop, the node and the echo.
    """
    bare, node, echo = (float(np.median(samples_ms[who])) for who in ('bare', 'node', 'echo'))
    p99 = float(np.percentile(samples_ms['node'], 99))
    return {
        'bare_p50_ms': bare,
        'node_p50_ms': node,
        'node_p99_ms': p99,
        'echo_p50_ms': echo,
        'overhead_ratio': node / bare,
        'overhead_over_echo_ms': (node - bare) - echo,
        'p99_over_p50': p99 / node,
    }


def stream_figures(stream: ImageStream, shown: Sequence[Shown]) -> Figures:
    """Return what was published of one camera and how old it was, by the stamp of DDS."""
    ages_ms = np.array(_ages_ms(shown))
    found: Figures = {
        'sent': len(shown),
        'published': len(ages_ms),
        'over_budget': int((ages_ms > stream.budget_ms).sum()) if stream.budget_ms else 0,
    }
    if len(ages_ms):
        p50, p99, maximum = np.percentile(ages_ms, (50, 99, 100))
        found |= {'age_p50_ms': p50, 'age_p99_ms': p99, 'age_max_ms': maximum}
    return found


def report_figures(report: dict[str, str]) -> Figures:
    """Return what the node says became of the frames, reasons with none left out."""
    wanted = ('received', 'published_late', 'lost_before_node')
    return {
        name: float(value)
        for name, value in report.items()
        if value.replace('.', '', 1).isdigit()
        and (name in wanted or (name.startswith('dropped.') and float(value)))
    }


def publish_times(shown: Sequence[Shown]) -> list[float]:
    """Return when answers came, seconds on the monotonic clock, in order."""
    return sorted(each.answered_ns / 1e9 for each in shown if each.answered_ns is not None)


def latencies_ms(shown: Sequence[Shown]) -> list[float]:
    """Return from publishing an image to receiving its answer; those without are left out."""
    return [
        (each.answered_ns - each.sent_ns) / 1e6 for each in shown if each.answered_ns is not None
    ]


def longest_gap_ms(shown: Sequence[Shown]) -> float:
    """Return the longest time without an answer between the first image and the last one."""
    moments = [shown[0].sent_ns / 1e9, *publish_times(shown), shown[-1].sent_ns / 1e9]
    return 1000 * float(np.max(np.diff(np.sort(moments))))


def gap_bound_ms(stream: ImageStream, streams: int, service_ms: float) -> float:
    """
    Return how long a camera may be without a result by the bound of the queue.

    Until the next frame comes, then its budget and one service time of every camera.
    """
    return 1000 / stream.rate_hz + stream.budget_ms + streams * service_ms


def rate_hz(shown: Sequence[Shown]) -> float:
    """Return answers in a second between the first and the last one."""
    moments = publish_times(shown)
    return (len(moments) - 1) / (moments[-1] - moments[0]) if len(moments) > 1 else 0.0


def recovery_s(shown: Sequence[Shown], *, work_from_s: float, work_until_s: float) -> float:
    """
    Return how long after other work has ended as much is published as before it.

    :param work_from_s: on the monotonic clock.
    """
    moments = np.array(publish_times(shown))
    begun_s = shown[0].sent_ns / 1e9 + RECOVERY_WINDOW_S
    before_hz = ((moments >= begun_s) & (moments < work_from_s)).sum() / (work_from_s - begun_s)
    for start_s in moments[moments >= work_until_s]:
        inside = (moments >= start_s) & (moments < start_s + RECOVERY_WINDOW_S)
        if inside.sum() >= RECOVERED * before_hz * RECOVERY_WINDOW_S:
            return float(start_s - work_until_s)
    return float('inf')


def drift_figures(stream: ImageStream, observed: Observed) -> Figures:
    """Return what changed between the first and the last quarter of a long run."""
    ages_ms = _ages_ms(observed.shown[stream.name])
    quarter = max(1, len(ages_ms) // 4)
    early, late = (
        float(np.percentile(part, 99)) for part in (ages_ms[:quarter], ages_ms[-quarter:])
    )
    rss = [value for _, value in observed.rss_mb]
    # After a tenth of the run everything that is allocated once has been.
    warm = rss[len(rss) // 10 :]
    tenth = max(1, len(warm) // 10)
    begin, end = (float(np.median(part)) for part in (warm[:tenth], warm[-tenth:]))
    return {
        'p99_first_quarter_ms': early,
        'p99_last_quarter_ms': late,
        'rss_begin_mb': begin,
        'rss_end_mb': end,
        'rss_growth_mb': end - begin,
    }


def _ages_ms(shown: Sequence[Shown]) -> list[float]:
    return [each.published_age_ns / 1e6 for each in shown if each.published_age_ns is not None]
