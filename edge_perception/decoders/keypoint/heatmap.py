# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Heat maps: one map for each of the K keypoints of one instance.

One output, (1, K, H, W) or (1, H, W, K). The position is that of the greatest cell, refined along
x and along y by the vertex of the parabola through the logarithms of the peak and its two
neighbors, which is exact for a Gaussian. The score is the value of the peak.
``Selection.score_threshold`` applies to each keypoint: below it a keypoint is unseen (score 0,
position NaN), and without any keypoint there is no instance.

Where a cell lies in the input is a convention of the training: with ``grid: center`` cell i
covers i to i + 1 steps of the map; with ``grid: corner`` cell i belongs to pixel i * step
(SimpleBaseline, HRNet and most code that took their targets).

Source: Zhang et al., Distribution-Aware Coordinate Representation for Human Pose Estimation
(DARK), here without its mixed derivative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edge_perception.contract import Decoder
from edge_perception.contract import FileFacts
from edge_perception.contract import Guess
from edge_perception.contract import ImageTransform
from edge_perception.contract import option
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.contract import Tensors
from edge_perception.contract.boxes import Floats
from edge_perception.contract.boxes import Indices
from edge_perception.contract.boxes import only_image
from edge_perception.contract.types import Float32Array
from edge_perception.decoders.keypoint.keypoint_rows import one_instance
from edge_perception.decoders.score_maps import shrinkage
from edge_perception.decoders.score_maps import SHRUNK

# Stands for values without a logarithm: models overshoot below zero beside a peak.
SMALLEST = 1e-10
# Maps that were regressed overshoot at a peak as well; so far beyond 0 to 1 there are logits only.
OVERSHOOT = 0.5


@dataclass(frozen=True, slots=True)
class HeatmapOptions(Options):
    """What manifests may write under ``decoder.options``."""

    layout: str = option(
        'auto',
        'where the keypoints are in the shape of the output',
        choices=('auto', 'nchw', 'nhwc'),
    )
    activation: str = option(
        'none', 'what turns the output into scores from 0 to 1', choices=('none', 'sigmoid')
    )
    grid: str = option('center', 'where a cell lies in the input', choices=('center', 'corner'))


class HeatmapDecoder(Decoder):
    """Keypoints of one instance."""

    name = 'heatmap'
    tasks = frozenset({'keypoints'})
    options_type: ClassVar[type[Options]] = HeatmapOptions
    options: HeatmapOptions
    class_count: int | None = None

    @classmethod
    def guess(cls, facts: FileFacts) -> Guess | None:
        """Recognize maps that are smaller than the input."""
        found = shrinkage(facts)
        if found is None or found[0] not in SHRUNK:
            return None
        return Guess('heat maps of keypoints', asks=('the keypoint names',))

    def _bind(self) -> None:
        names = len(self.manifest.keypoint_names)
        shape = self.outputs[0].shape if len(self.outputs) == 1 else ()
        if len(shape) != 4 or shape[0] not in (1, -1):
            raise self.mismatch(self._expected())
        self._layout = self.options.layout
        if self._layout == 'auto':
            fits = [shape[1] == names, shape[3] == names]
            # Without a difference the output has the layout of the input.
            self._layout = self.manifest.input.layout
            if fits in ([True, False], [False, True]):
                self._layout = 'nchw' if fits[0] else 'nhwc'
        count = shape[1] if self._layout == 'nchw' else shape[3]
        if names and count not in (names, -1):
            raise self.mismatch(self._expected())
        self._output = self.outputs[0].name

    def _expected(self) -> str:
        count = len(self.manifest.keypoint_names) or 'K'
        return (
            f'one output 1x{count}xHxW or 1xHxWx{count}, a map for each keypoint of the manifest'
        )

    def _decode(
        self, tensors: Tensors, transform: ImageTransform, selection: Selection
    ) -> Perception:
        maps = only_image(tensors[self._output])
        if self._layout == 'nhwc':
            maps = maps.transpose(2, 0, 1)
        count, rows, columns = maps.shape
        peak = maps.reshape(count, -1).argmax(axis=1)
        y, x = peak // columns, peak % columns
        score = self._scores(maps[np.arange(count), y, x])
        cell = np.stack(
            [self._refine(maps, y, x, axis=2), self._refine(maps, y, x, axis=1)], axis=1
        )
        step = np.array([transform.input_width / columns, transform.input_height / rows])
        points = (cell + 0.5) * step if self.options.grid == 'center' else cell * step + 0.5
        return Perception(
            keypoints=one_instance(
                points.astype(np.float32),
                score=score,
                threshold=selection.score_threshold,
                transform=transform,
            )
        )

    def _scores(self, peaks: Floats) -> Float32Array:
        # Before the activation, which makes 1 of infinity.
        peaks = self._activate(np.where(np.isfinite(peaks), peaks, np.nan))
        remedy = 'set activation: sigmoid in decoder.options of the manifest'
        return self.usable(peaks, tolerance=OVERSHOOT, remedy=remedy)

    def _activate(self, values: Floats) -> Float32Array:
        values = values.astype(np.float32, copy=False)
        return values if self.options.activation == 'none' else 0.5 * (1 + np.tanh(0.5 * values))

    def _refine(self, maps: Floats, y: Indices, x: Indices, *, axis: int) -> Floats:
        """Return the coordinate of the peaks along one axis, in cells; unrefined at the border."""
        at = y if axis == 1 else x
        inside = (at > 0) & (at < maps.shape[axis] - 1)
        every = np.arange(len(maps))
        logs = []
        for step in (-inside.astype(np.intp), 0, inside.astype(np.intp)):
            near = maps[every, y + step, x] if axis == 1 else maps[every, y, x + step]
            logs.append(np.log(np.maximum(self._activate(near), SMALLEST)))
        curvature = logs[0] - 2 * logs[1] + logs[2]
        peaked = curvature < -1e-6
        slope = 0.5 * (logs[2] - logs[0])
        vertex = np.where(peaked, -slope / np.where(peaked, curvature, 1), 0)
        return np.asarray(at + vertex, np.float64)
