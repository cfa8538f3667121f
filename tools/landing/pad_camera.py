# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A camera over the pad: keypoints with the network's noise, then the real pose and stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
import time
from types import MappingProxyType
from typing import Any

import numpy as np

from edge_perception.contract import Calibration
from edge_perception.contract import Frame
from edge_perception.contract import FrameTransform
from edge_perception.contract import ImageTransform
from edge_perception.contract import ModelManifest
from edge_perception.contract import ObjectPose
from edge_perception.contract import Perception
from edge_perception.contract import StageInputs
from edge_perception.pose import Intrinsics
from edge_perception.pose import PlanarPoseEstimator
from edge_perception.target.target_stage import TargetOptions
from edge_perception.target.target_stage import TargetStage
from tools.landing.multirotor import Floats

# A pad that lies with z down, turned to face a camera above it.
FACING = np.diag([1.0, -1.0, -1.0])
WIDTH, HEIGHT, FOCAL = 640, 480, 420.0
# Below so many pixels between neighbors no network tells them apart.
_LEAST_SPACING = 4.0
# Shares, and seconds from the image to the observer of the result, as docs/latency.md has them for
# the landing pad ("all": p50, p95, p99); before it the camera and its driver, which is assumed.
_NODE_S = ((0.5, 0.95, 0.99), (0.01193, 0.01343, 0.01398))
_DRIVER_S = (0.010, 0.035)
# Now and then a machine hangs: the measurement comes too late to be sent.
_HANGS, _HANG_S = 0.005, 0.7
# Part of the images in which it finds nothing.
_NOTHING = 0.02


class PadCamera:
    """
    Sees a pad; the image itself is not made.

    :param manifest: of the pad's model, of the pad's size.
    :param rate: images a second.
    :param sigma: standard deviation of keypoints, pixels; 0: as the manifest has it for refined.
    :param missed: share of the keypoints in view that the network misses.
    :param options: of the stage.
    """

    def __init__(
        self,
        manifest: ModelManifest,
        random: np.random.Generator,
        *,
        rate: float = 20.0,
        sigma: float = 0.0,
        missed: float = 0.05,
        options: TargetOptions | None = None,
    ) -> None:
        self._random, self.rate = random, rate
        self._points = np.array(manifest.object_points, np.float64)
        self._missed = missed
        self._sigma = sigma or manifest.pose.refined_sigma
        self._estimator = PlanarPoseEstimator(self._points, keypoint_sigma=self._sigma)
        image = np.zeros((HEIGHT, WIDTH), np.uint8)
        self._frame = Frame(image=image, encoding='mono8', stamp_ns=0, frame_id='camera')
        k = (FOCAL, 0, (WIDTH - 1) / 2, 0, FOCAL, (HEIGHT - 1) / 2, 0, 0, 1)
        self._intrinsics = Intrinsics.of(Calibration(WIDTH, HEIGHT, k), self._frame)
        self.stage = TargetStage(manifest, options=options or TargetOptions(enabled=True))
        # CPU time of the stage in each image.
        self.stage_ms: list[float] = []
        self._transform = ImageTransform(WIDTH, HEIGHT, WIDTH, HEIGHT)

    def latency(self) -> float:
        """Return what passes from the image to the measurement at the bridge, seconds."""
        if self._random.random() < _HANGS:
            return _HANG_S
        share = self._random.random()
        return self._random.uniform(*_DRIVER_S) + float(np.interp(share, *_NODE_S))

    def look(
        self,
        position: Floats,
        rotation: Floats,
        *,
        stamp_ns: int,
        transforms: Mapping[str, FrameTransform] = MappingProxyType({}),
    ) -> tuple[ObjectPose | None, Mapping[str, Any], str]:
        """
        Return the pose, what the stage publishes, and its state, for a pad in the optical frame.

        :param rotation: of a pad that lies with z down; it is turned to face the camera.
        """
        points = self._points @ (rotation @ FACING).T + position
        pose = self._seen(points) if points[:, 2].min() > 0.05 else None
        inputs = StageInputs(
            frame=replace(self._frame, stamp_ns=stamp_ns),
            perception=Perception(poses=() if pose is None else (pose,)),
            transform=self._transform,
            transforms=transforms,
        )
        begun_ns = time.thread_time_ns()
        perception = self.stage.run(inputs)
        self.stage_ms.append((time.thread_time_ns() - begun_ns) / 1e6)
        return pose, perception.extras, self.stage.problem.partition(':')[0] or 'tracking'

    def _seen(self, points: Floats) -> ObjectPose | None:
        pixels = self._intrinsics.pixels(points)
        spacing = np.linalg.norm(pixels[:, None] - pixels, axis=-1)
        np.fill_diagonal(spacing, np.inf)
        inside = ((pixels > 2) & (pixels < (WIDTH - 2, HEIGHT - 2))).all(axis=1)
        found = inside & (spacing.min(axis=1) > _LEAST_SPACING)
        found &= self._random.random(len(pixels)) > self._missed
        if self._random.random() < _NOTHING:
            return None
        noisy = pixels + self._sigma * self._random.normal(size=pixels.shape)
        estimate = self._estimator.estimate(
            noisy, found.astype(np.float64), intrinsics=self._intrinsics
        )
        return None if estimate is None else estimate.pose
