# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
How fast an engine computes a network, and what it takes: figures from the times of single frames.

Names of the figures are those of ros2_benchmark, so that its readers read ours.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
import os
from pathlib import Path
import time
from typing import Any

import numpy as np

from edge_perception.contract import Engine

NS_PER_MS = 1e6
WARM_UP = 10  # frames that are not counted: caches, clocks and memory settle
TELL_EVERY_S = 0.5
PAGE_KB = os.sysconf('SC_PAGE_SIZE') / 1024
STATM = Path('/proc/self/statm')


@dataclass(frozen=True, slots=True)
class EngineTimes:
    """
    Times and costs of one run.

    :param infer_ms: of each counted frame.
    :param cpu_share: processor time over wall time; 2.0 stands for two cores.
    :param rss_mb: of the whole process afterwards, the package itself included; 0 if unknown.
    """

    infer_ms: tuple[float, ...]
    cpu_share: float
    rss_mb: float


def measure(
    engine: Engine, *, frames: int, advance: Callable[[int], object] = lambda done: None
) -> EngineTimes:
    """
    Run an active engine on noise, warm-up apart.

    :param advance: takes the number of frames behind us now and then, between two frames.
    :raises InferenceError: it failed.
    """
    noise = np.random.default_rng(0)
    pictures = {spec.name: _noise(noise, spec.shape, spec.dtype) for spec in engine.inputs}

    def once() -> int:
        buffers = engine.input_buffers()
        for name, picture in pictures.items():
            np.copyto(buffers[name], picture)
        started = time.monotonic_ns()
        engine.infer(buffers)
        return time.monotonic_ns() - started

    for _ in range(WARM_UP):
        once()
    wall, cpu = time.monotonic(), time.process_time()
    times, told = [], wall
    for index in range(frames):
        times.append(once() / NS_PER_MS)
        if time.monotonic() - told > TELL_EVERY_S:
            told = time.monotonic()
            advance(index + 1)
    share = (time.process_time() - cpu) / max(1e-9, time.monotonic() - wall)
    return EngineTimes(tuple(times), share, _rss_mb())


def figures(measured: EngineTimes) -> dict[str, float]:
    """Return what a run amounts to; latencies in ms, processor in percent of one core."""
    times = np.asarray(measured.infer_ms)
    jitter = np.abs(np.diff(times)) if len(times) > 1 else np.zeros(1)
    basic, resource = 'BasicPerformanceMetrics', 'ResourceMetrics'
    values = {
        f'{basic}.RECEIVED_DURATION': times.sum(),
        f'{basic}.MEAN_FRAME_RATE': 1000 / times.mean(),
        f'{basic}.NUM_FRAMES_SENT': len(times),
        f'{basic}.NUM_MISSED_FRAMES': 0,
        f'{basic}.FIRST_SENT_RECEIVED_LATENCY': times[0],
        f'{basic}.LAST_SENT_RECEIVED_LATENCY': times[-1],
        f'{basic}.MEAN_LATENCY': times.mean(),
        f'{basic}.MIN_LATENCY': times.min(),
        f'{basic}.MAX_LATENCY': times.max(),
        f'{basic}.MAX_JITTER': jitter.max(),
        f'{basic}.MIN_JITTER': jitter.min(),
        f'{basic}.MEAN_JITTER': jitter.mean(),
        f'{basic}.STD_DEV_JITTER': jitter.std(),
        f'{resource}.MEAN_OVERALL_CPU_UTILIZATION': 100 * measured.cpu_share,
        'P50_LATENCY': np.percentile(times, 50),
        'P95_LATENCY': np.percentile(times, 95),
        'P99_LATENCY': np.percentile(times, 99),
        'RSS_MB': measured.rss_mb,
    }
    return {name: round(float(value), 3) for name, value in values.items()}


def plot(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """
    Draw the median and the tail of each variant, by threads.

    :param rows: with label, threads, and the figures.
    :return: SVG by caption.
    :raises ModuleNotFoundError: matplotlib is missing.
    """
    from edge_perception.tooling.reports.plots import bars

    labels = [f'{row["label"]}, {row["threads"]} thr.' for row in rows]
    return {
        'Time of one frame: median, and 99th percentile behind it.': bars(
            labels,
            front=[row['P50_LATENCY'] for row in rows],
            behind=[row['P99_LATENCY'] for row in rows],
            unit='ms',
        ),
        'Memory of the process.': bars(labels, front=[row['RSS_MB'] for row in rows], unit='MB'),
    }


def _noise(source: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    values = source.integers(0, 128, shape)
    return values.astype(dtype)


def _rss_mb() -> float:
    try:
        return int(STATM.read_text().split()[1]) * PAGE_KB / 1024
    except (OSError, ValueError, IndexError):  # not Linux
        return 0.0
