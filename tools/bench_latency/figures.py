# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""From images and their answers to figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_perception.simulation.playback import Shown
from tools.bench_latency.stage import Eye
from tools.bench_latency.stage import Played

Figures = dict[str, float]
# In this long a window after other work has ended the node is as it was before.
RECOVERY_WINDOW_S = 1.0
RECOVERED = 0.9


def camera_figures(eye: Eye, shown: Sequence[Shown]) -> Figures:
    """Return what was published of one camera and how old it was, by the stamp of DDS."""
    ages_ms = np.array(
        [each.published_age_ns / 1e6 for each in shown if each.published_age_ns is not None]
    )
    found: Figures = {
        'sent': len(shown),
        'published': len(ages_ms),
        'over_budget': int((ages_ms > eye.budget_ms).sum()) if eye.budget_ms else 0,
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
    """Return how long it took from publishing an image to receiving its answer."""
    return [
        (each.answered_ns - each.sent_ns) / 1e6 for each in shown if each.answered_ns is not None
    ]


def longest_gap_ms(shown: Sequence[Shown]) -> float:
    """Return the longest time without an answer between the first image and the last one."""
    moments = [shown[0].sent_ns / 1e9, *publish_times(shown), shown[-1].sent_ns / 1e9]
    return 1000 * float(np.max(np.diff(np.sort(moments))))


def gap_bound_ms(eye: Eye, eyes: int, service_ms: float) -> float:
    """
    Return how long a camera may be without a result by the bound of the queue.

    Until the next frame comes, then its budget and one service time of every camera.
    """
    return 1000 / eye.rate_hz + eye.budget_ms + eyes * service_ms


def rate_hz(shown: Sequence[Shown]) -> float:
    """Return answers in a second between the first and the last one."""
    moments = publish_times(shown)
    return (len(moments) - 1) / (moments[-1] - moments[0]) if len(moments) > 1 else 0.0


def recovery_s(shown: Sequence[Shown], *, hog_from_s: float, hog_until_s: float) -> float:
    """
    Return how long after other work has ended as much is published as before it.

    :param hog_from_s: on the monotonic clock.
    """
    moments = np.array(publish_times(shown))
    begun_s = shown[0].sent_ns / 1e9 + RECOVERY_WINDOW_S
    before_hz = ((moments >= begun_s) & (moments < hog_from_s)).sum() / (hog_from_s - begun_s)
    for start_s in moments[moments >= hog_until_s]:
        inside = (moments >= start_s) & (moments < start_s + RECOVERY_WINDOW_S)
        if inside.sum() >= RECOVERED * before_hz * RECOVERY_WINDOW_S:
            return float(start_s - hog_until_s)
    return float('inf')


def drift_figures(eye: Eye, played: Played) -> Figures:
    """Return what changed between the first and the last quarter of a long run."""
    shown = played.shown[eye.name]
    ages_ms = [each.published_age_ns / 1e6 for each in shown if each.published_age_ns is not None]
    quarter = max(1, len(ages_ms) // 4)
    early, late = (
        float(np.percentile(part, 99)) for part in (ages_ms[:quarter], ages_ms[-quarter:])
    )
    rss = [value for _, value in played.rss_mb]
    # After a tenth of the run everything that is allocated once has been.
    warm = rss[len(rss) // 10 :]
    tenth = max(1, len(warm) // 10)
    return {
        'p99_first_quarter_ms': early,
        'p99_last_quarter_ms': late,
        'rss_begin_mb': float(np.median(warm[:tenth])),
        'rss_end_mb': float(np.median(warm[-tenth:])),
        'rss_growth_mb': float(np.median(warm[-tenth:]) - np.median(warm[:tenth])),
    }
