# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
From image to detections without ROS, in step with the camera, as a process.

Not back to back, because between two frames of a camera caches and clocks cool down, and what ROS
adds is to be compared with the same network under the same conditions.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import astuple
from dataclasses import fields
import json
from pathlib import Path
import sys
import time
from typing import Any

import numpy as np

from edge_perception.contract import Frame
from edge_perception.models.assembly import assemble
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from edge_perception.pose import Intrinsics
from edge_perception.pose import planar_stages
from edge_perception.pose import PlanarObjectStage
from edge_perception.runtime.pipeline import StageTimes
from edge_perception.simulation.pace import paced
from tools.bench.settings import LENS

STAGES = [field.name.removesuffix('_ns') for field in fields(StageTimes)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', required=True)
    parser.add_argument('--pictures', type=Path, required=True)
    parser.add_argument('--threads', type=int, required=True)
    parser.add_argument('--rate', type=float, required=True)
    parser.add_argument('--warm-up', type=int, required=True)
    parser.add_argument('--frames', type=int, required=True)
    parser.add_argument('--output', type=Path, required=True)
    wanted = parser.parse_args()
    wanted.output.write_text(json.dumps(measure(wanted)))
    return 0


def measure(wanted: argparse.Namespace) -> dict[str, Any]:
    """Return milliseconds of each frame, what was found, and how much of it on average."""
    request = Request(
        model=wanted.model,
        engine='onnxruntime',
        engine_options={'onnxruntime': {'threads': wanted.threads}},
    )
    assembled = assemble(PluginHost(), request, make_stages=planar_stages)
    pipeline = assembled.pipeline
    calibrate(pipeline.stages)
    frames = [Frame(image) for image in np.load(wanted.pictures)]
    samples_ms, counts, times = [], [], []
    for number in paced(wanted.warm_up + wanted.frames, rate_hz=wanted.rate):
        frame = frames[number % len(frames)]
        started_ns = time.monotonic_ns()
        result = pipeline.process(frame, selection=assembled.selection)
        elapsed_ns = time.monotonic_ns() - started_ns
        detections = result.perception.detections
        assert detections is not None
        counts.append(len(detections))
        if number >= wanted.warm_up:
            samples_ms.append(elapsed_ns / 1e6)
            times.append(astuple(result.times))
    pipeline.engine.deactivate()
    medians_ms = np.median(times, axis=0) / 1e6
    return {
        'samples_ms': samples_ms,
        'count': round(float(np.mean(counts))),
        'stages_ms': dict(zip(STAGES, medians_ms.tolist())),
    }


def calibrate(stages: Iterable[object]) -> None:
    """Tell the stages that find poses what the node hears from the camera."""
    lens = Intrinsics.from_camera_info(
        width=LENS.width, height=LENS.height, k=LENS.matrix.ravel().tolist(), d=LENS.distortion
    )
    for stage in stages:
        if isinstance(stage, PlanarObjectStage):
            stage.calibrate(lens)


if __name__ == '__main__':
    sys.exit(main())
