# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Finds the landing pad as on a vehicle: our preprocessing, network, decoder and pose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import time

import cv2
import numpy as np
import onnxruntime

from edge_perception.contract import Frame
from edge_perception.contract import Keypoints
from edge_perception.contract import load_manifest
from edge_perception.contract import parse_options
from edge_perception.contract import TensorSpec
from edge_perception.decoders.keypoint.heatmap import HeatmapDecoder
from edge_perception.pose import Intrinsics
from edge_perception.pose import PlanarPoseEstimator
from edge_perception.pose import PoseEstimate
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.simulation.rendering.textures import Picture


@dataclass(frozen=True)
class Finding:
    """
    What was seen in one picture.

    :param keypoints: as the decoder gives them, one instance or none.
    :param scale: pixels of the picture for one of the input.
    :param seconds: of inference, and of the search for the pose.
    """

    keypoints: Keypoints | None
    estimate: PoseEstimate | None
    scale: float
    seconds: tuple[float, float]


class Finder:
    """Runs one model folder on the CPU with one thread."""

    def __init__(self, folder: Path) -> None:
        self.manifest = load_manifest(folder / 'model.yaml')
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(folder / self.manifest.source), options, providers=['CPUExecutionProvider']
        )
        source, target = self._session.get_inputs()[0], self._session.get_outputs()[0]
        float32 = np.dtype(np.float32)
        spec = TensorSpec(source.name, tuple(source.shape), float32)
        output = TensorSpec(target.name, tuple(target.shape), float32)
        self._preprocess = Preprocessor(self.manifest.input, spec=spec)
        self._tensor = np.empty(spec.shape, np.float32)
        self._decoder = HeatmapDecoder(
            self.manifest,
            outputs=(output,),
            options=parse_options(HeatmapDecoder.options_type, {}, owner='heatmap'),
        )
        self._names = (source.name, target.name)
        recipe = self.manifest.pose
        self._pose = PlanarPoseEstimator(
            np.array(self.manifest.object_points),
            keypoint_sigma=recipe.keypoint_sigma,
            refine=recipe.refine,
            refined_sigma=recipe.refined_sigma,
            pattern=recipe.pattern,
        )

    def find(self, image: Picture, intrinsics: Intrinsics) -> Finding:
        """Look for the pad in a picture: uint8 (height, width, 3), BGR."""
        transform = self._preprocess(Frame(np.ascontiguousarray(image)), self._tensor)
        start = time.perf_counter()
        (maps,) = self._session.run(None, {self._names[0]: self._tensor})
        inferred = time.perf_counter()
        keypoints = self._decoder.decode(
            {self._names[1]: maps}, transform=transform, selection=self.manifest.selection
        ).keypoints
        estimate, scale = None, 1 / transform.scale_x
        if keypoints:
            estimate = self._pose.estimate(
                keypoints.xy[0],
                keypoints.score[0],
                intrinsics=intrinsics,
                scale=scale,
                gray=np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8),
            )
        seconds = (inferred - start, time.perf_counter() - inferred)
        return Finding(keypoints=keypoints, estimate=estimate, scale=scale, seconds=seconds)
