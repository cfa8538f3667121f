# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The engine alone: how long a frame takes without ROS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import time

import numpy as np

from edge_perception.contract import Frame
from edge_perception.models.assembly import assemble
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from edge_perception.simulation.pace import paced
from edge_perception.tooling.benchmark.synthetic_network import size_to_rate

ENGINE = 'onnxruntime'
THREADS = 1
# Long enough for a figure, short enough to be repeated.
SECONDS = 2.0
VGA = (480, 640, 3)
PICTURES = 20


def bare_ms(folder: Path, *, seconds: float = SECONDS, rate_hz: float = 0.0) -> list[float]:
    """
    Return milliseconds of each frame of a model: preprocess, infer, decode.

    :param rate_hz: in step with cameras, because between two frames caches and clocks cool down;
        0 for back to back.
    """
    request = Request(
        model=str(folder), engine=ENGINE, engine_options={ENGINE: {'threads': THREADS}}
    )
    assembled = assemble(PluginHost(), request)
    # The picture of a camera is new to the caches each time, and so are these.
    random = np.random.default_rng(0)
    frames = [Frame(random.integers(0, 256, VGA, np.uint8)) for _ in range(PICTURES)]
    taken_ms: list[float] = []
    for number in paced(int(seconds * rate_hz), rate_hz=rate_hz) if rate_hz else _for(seconds):
        frame = frames[number % PICTURES]
        started_ns = time.monotonic_ns()
        assembled.pipeline.process(frame, selection=assembled.selection)
        taken_ms.append((time.monotonic_ns() - started_ns) / 1e6)
    assembled.pipeline.engine.deactivate()
    return taken_ms


def _for(seconds: float) -> Iterator[int]:
    """Count until the time is over, at least to one."""
    end, number = time.monotonic() + seconds, 0
    while not number or time.monotonic() < end:
        yield number
        number += 1


def bare_hz(folder: Path, *, seconds: float = SECONDS) -> float:
    """Return how many frames in a second the engine does."""
    return 1000 / float(np.mean(bare_ms(folder, seconds=seconds)))


def make_engine(folder: Path, *, rate_hz: float) -> Path:
    """Write a model that the engine can run so many times in a second."""

    def measure_ms(path: Path) -> float:
        # Not the median: what else the machine does now and then is no part of the engine.
        return float(np.percentile(bare_ms(path), 20))

    sized, _ = size_to_rate(folder, rate_hz=rate_hz, measure_ms=measure_ms)
    return sized
