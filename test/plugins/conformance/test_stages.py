# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The kit on every stage that comes with the package."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge_perception.contract import Calibration
from edge_perception.contract import Detections
from edge_perception.contract import Frame
from edge_perception.contract import FrameTransform
from edge_perception.contract import ImageTransform
from edge_perception.contract import InputRecipe
from edge_perception.contract import Keypoints
from edge_perception.contract import ModelManifest
from edge_perception.contract import ObjectPose
from edge_perception.contract import Perception
from edge_perception.contract import SideImage
from edge_perception.contract import StageInputs
from edge_perception.depth import DepthStage
from edge_perception.models.plugin_host import PluginHost
from edge_perception.pose import PlanarObjectStage
from edge_perception.target import TargetStage
from edge_perception.testing.conformance import StageConformance
from edge_perception.tracking import TrackingStage
from test.tracking.moving_boxes import inputs_at
from test.tracking.moving_boxes import MANIFEST

OBJECT = [(x, y, 0.0) for x in (-0.5, 0.1, 0.5) for y in (-0.5, 0.0, 0.5)]
K = (500.0, 0.0, 319.5, 0.0, 500.0, 239.5, 0.0, 0.0, 1.0)
CALIBRATION = Calibration(640, 480, K)


def at(*distances: float) -> StageInputs:
    """Return what a camera sees of objects that face it."""
    points = np.array(OBJECT) * (1, -1, -1)
    placed = [points + (0.1, 0, distance) for distance in distances]
    xy = np.array([each[:, :2] / each[:, 2:] * 500 + (320, 240) for each in placed])
    xy = xy.reshape(-1, len(OBJECT), 2).astype(np.float32)
    return StageInputs(
        Frame(np.full((480, 640, 3), 90, np.uint8)),
        Perception(keypoints=Keypoints(xy, np.full(xy.shape[:2], 0.9, np.float32))),
        ImageTransform(640, 480, 640, 480),
        calibration=CALIBRATION,
    )


class BuiltIn(StageConformance):
    """Conformance of a stage of ours."""


def beside(distance: float, *boxes: tuple[int, int, int, int]) -> StageInputs:
    """Return boxes, and a depth image of a wall."""
    count = len(boxes)
    found = Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, 0.9, np.float32),
        np.zeros(count, np.int32),
    )
    return replace(
        at(),
        perception=Perception(detections=found),
        calibration=replace(CALIBRATION, p=(*K[:3], 0.0, *K[3:6], 0.0, *K[6:], 0.0)),
        images={'depth': SideImage(np.full((480, 640), distance, np.float32), '32FC1', 0, '')},
        transforms={'base_link': FrameTransform(np.eye(3), np.ones(3))},
    )


class TestPose(BuiltIn):
    plugin_module = 'edge_perception.pose'
    stage_type = PlanarObjectStage
    manifest = ModelManifest(
        name='pad',
        source='pad.onnx',
        input=InputRecipe(width=64, height=64),
        decoder='heatmap',
        keypoint_names=tuple('abcdefghi'),
        object_points=tuple(OBJECT),
    )
    frames = [at(3.0, 5.0), at(4.0)]
    unseen = at()


class TestDepth(BuiltIn):
    plugin_module = 'edge_perception.depth'
    stage_type = DepthStage
    manifest = ModelManifest(
        name='net', source='net.onnx', input=InputRecipe(width=64, height=64), decoder='yolox'
    )
    options = {'depth_topic': 'depth/image_rect', 'target_frame': 'base_link'}
    frames = [beside(2.0, (100, 100, 200, 200)), beside(3.0, (0, 0, 90, 90), (9, 99, 99, 199))]
    unseen = beside(2.0)


class TestTracking(BuiltIn):
    plugin_module = 'edge_perception.tracking'
    stage_type = TrackingStage
    manifest = MANIFEST
    options = {'enabled': True}
    frames = [inputs_at(second / 10, (100 + second, 100), (400, 200)) for second in range(3)]
    unseen = inputs_at(0.4)


class TestTrackingWithGyroscope(BuiltIn):
    plugin_module = 'edge_perception.tracking'
    stage_type = TrackingStage
    manifest = MANIFEST
    options = {'enabled': True, 'imu_topic': 'imu'}
    frames = [
        replace(
            inputs_at(second / 10, (100, 100), (400, 200)),
            calibration=CALIBRATION,
            angular_rate=np.array([0.0, 0.1, 0.0]),
        )
        for second in range(3)
    ]
    unseen = inputs_at(0.4)


def one_target(image: int) -> StageInputs:
    """Return a pose in one image of several, and where the camera is."""
    pose = ObjectPose(np.array([0.0, 0.0, 3.0]), np.array([1.0, 0.0, 0.0, 0.0]), 1e-4 * np.eye(6))
    return replace(
        at(),
        frame=Frame(np.full((48, 64, 3), 90, np.uint8), stamp_ns=1 + image * 50_000_000),
        perception=Perception(poses=(pose,)),
        transforms={'odom': FrameTransform(np.eye(3), np.ones(3))},
    )


class TestTarget(BuiltIn):
    plugin_module = 'edge_perception.target'
    stage_type = TargetStage
    manifest = TestPose.manifest
    options = {'enabled': True, 'fixed_frame': 'odom'}
    frames = [one_target(image) for image in range(4)]
    unseen = replace(one_target(0), perception=Perception())


def test_every_stage_is_proven() -> None:
    proven = {each.stage_type for each in BuiltIn.__subclasses__()}
    assert set(PluginHost().stages.values()) <= proven
