# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Scenes of moving boxes, and stages that follow them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_perception.contract import Calibration
from edge_perception.contract import Detections
from edge_perception.contract import Frame
from edge_perception.contract import ImageTransform
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_options
from edge_perception.contract import Perception
from edge_perception.contract import StageInputs
from edge_perception.tracking import TrackingStage

MANIFEST = ModelManifest(
    name='net', source='net.onnx', input=InputRecipe(width=640, height=480), decoder='yolox'
)
CALIBRATION = Calibration(640, 480, (500.0, 0.0, 319.5, 0.0, 500.0, 239.5, 0.0, 0.0, 1.0))
IMAGE = np.zeros((480, 640, 3), np.uint8)
THRESHOLD = 0.3  # of the published list

# Center x and y of a box, then score and class where they are not .9 and 0.
Box = tuple[float, ...]


def detections_of(*boxes: Box, size: tuple[float, float] = (40, 80)) -> Detections:
    """Return boxes of one size."""
    full = [(*box, *(0.9, 0)[len(box) - 2 :]) for box in boxes]
    rows = np.array(full, np.float32).reshape(-1, 4)
    half = np.array(size, np.float32) / 2
    return Detections(
        xyxy=np.concatenate([rows[:, :2] - half, rows[:, :2] + half], axis=1),
        score=rows[:, 2],
        class_id=rows[:, 3].astype(np.int32),
    )


def inputs_at(seconds: float, *boxes: Box, **other: Any) -> StageInputs:
    """Return a frame with boxes, best first; those below the threshold are candidates."""
    ordered = sorted(boxes, key=lambda box: -(*box, 0.9)[2])
    candidates = detections_of(*ordered)
    count = int((candidates.score >= THRESHOLD).sum())
    return StageInputs(
        Frame(IMAGE, stamp_ns=round(seconds * 1e9)),
        Perception(detections=detections_of(*ordered[:count])),
        ImageTransform(640, 480, 640, 480),
        candidates=candidates,
        **other,
    )


def stage_with(**options: Any) -> TrackingStage:
    """Return the stage as a camera gets it, switched on."""
    values = {'enabled': True, **options}
    parsed = parse_options(TrackingStage.options_type, values, owner='stage')
    assert TrackingStage.applies(MANIFEST, parsed)
    return TrackingStage(MANIFEST, options=parsed)


def numbers(stage: TrackingStage, frames: Sequence[StageInputs]) -> list[list[int]]:
    """Return the numbers of the detections of each frame."""
    results = [stage.run(each).detections for each in frames]
    return [each.track_id.tolist() for each in results]
