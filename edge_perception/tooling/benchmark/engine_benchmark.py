# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure how fast an engine computes a model, and what it takes, frame by frame.

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
from edge_perception.tooling.notes import note
from edge_perception.tooling.reports.page import page
from edge_perception.tooling.reports.plots import bars
from edge_perception.tooling.reports.plots import NO_PLOTS
from edge_perception.tooling.variants import VariantFigures

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
    images = {spec.name: _noise(noise, spec.shape, spec.dtype) for spec in engine.inputs}

    def once() -> int:
        buffers = engine.input_buffers()
        for name, image in images.items():
            np.copyto(buffers[name], image)
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


def report(
    rows: Sequence[VariantFigures], *, model: str, machine: Sequence[tuple[str, str]]
) -> str:
    """
    Return the HTML report: median and tail of each variant by threads, and its memory.

    :param machine: name and value of what the figures were measured on.
    """
    notes = [f'{row.variant.engine}: {row.trouble}' for row in rows if row.trouble]
    plots: dict[str, str] = {}
    try:
        plots = _plots([{**row.facts, **row.figures} for row in rows if row.figures])
    except ModuleNotFoundError:
        note(NO_PLOTS)
        notes.append(NO_PLOTS)
    title = f'{model} on the engines of this machine'
    return page(title=title, rows=machine, plots=plots, notes=notes)


def _plots(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return SVG by caption; ``ModuleNotFoundError`` where matplotlib is missing."""
    labels = [f'{row["label"]}, {row["threads"]} thr.' for row in rows]
    medians, tails, memory = (
        [row[name] for row in rows] for name in ('P50_LATENCY', 'P99_LATENCY', 'RSS_MB')
    )
    return {
        'Time of one frame: median, and 99th percentile behind it.': bars(
            labels, front=medians, behind=tails, unit='ms'
        ),
        'Memory of the process.': bars(labels, front=memory, unit='MB'),
    }


def _noise(source: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    values = source.integers(0, 128, shape)
    return values.astype(dtype)


def _rss_mb() -> float:
    try:
        return int(STATM.read_text().split()[1]) * PAGE_KB / 1024
    except (OSError, ValueError, IndexError):  # not Linux
        return 0.0
