# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Find the landing pad as on a vehicle: preprocessing, engine, decoder and stage of poses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge_perception.contract import Frame
from edge_perception.contract import Keypoints
from edge_perception.models.assembly import assemble
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from edge_perception.pose import Intrinsics
from edge_perception.pose import PlanarPoseEstimator
from edge_perception.pose import PoseEstimate
from edge_perception.simulation.rendering.pinhole import PinholeCamera
from edge_perception.simulation.rendering.textures import Picture

ENGINE = 'onnxruntime'


@dataclass(frozen=True)
class Finding:
    """
    What was found in one image.

    :param keypoints: of the one instance that lies as on the pad; None without one.
    :param estimate: its pose, with all that the stage does not publish.
    :param scale: pixels of the image for one of the input.
    :param seconds: of inference, and of the search for the pose.
    """

    keypoints: Keypoints | None
    estimate: PoseEstimate | None
    scale: float
    seconds: tuple[float, float]


class Finder:
    """Runs a model folder on the CPU with one thread."""

    def __init__(self, folder: Path) -> None:
        options = {ENGINE: {'threads': 1}}
        request = Request(model=str(folder), engine=ENGINE, engine_options=options)
        assembled = assemble(PluginHost(), request)
        self.manifest = assembled.model.manifest
        self._pipeline, self._selection = assembled.pipeline, assembled.selection
        self._estimator = PlanarPoseEstimator.of(self.manifest)

    def find(self, image: Picture, camera: PinholeCamera) -> Finding:
        """Look for the pad in an image: uint8 (height, width, 3), BGR."""
        frame, lens = Frame(np.ascontiguousarray(image)), camera.calibration
        self._pipeline.suppliers = {'calibration': lambda frame: lens}
        result = self._pipeline.process(frame, selection=self._selection)
        recipe, estimate = self.manifest.input, None
        scale = max(frame.width / recipe.width, frame.height / recipe.height)
        keypoints = result.perception.keypoints
        if keypoints:
            estimate = self._estimator.estimate(
                keypoints.xy[0],
                keypoints.score[0],
                intrinsics=Intrinsics.of(lens, frame),
                scale=scale,
                gray=np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY), np.uint8),
            )
        seconds = (result.times['infer'] / 1e9, result.times['pose'] / 1e9)
        return Finding(keypoints or None, estimate, scale, seconds)
