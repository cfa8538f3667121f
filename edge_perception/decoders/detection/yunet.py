# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
YuNet: faces with five landmarks, from twelve outputs, four for each of the strides 8, 16, 32.

For the N cells of a stride: class and objectness (1, N, 1), both through a sigmoid already; box
(1, N, 4): center in strides from the upper left corner of the cell, logarithms of width and
height in strides; landmarks (1, N, 10): five points in strides from that corner. The landmarks
are right eye, left eye, nose tip, right and left corner of the mouth, as the person would say.
The score is the square root of class times objectness; a landmark has the score of its face.

Source: Wu et al., YuNet: A Tiny Millisecond-level Face Detector; ShiqiYu/libfacedetection.train.
``cv2.FaceDetectorYN`` gives the same faces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_perception.contract import center_size_to_xyxy
from edge_perception.contract import Decoder
from edge_perception.contract import DecoderMismatchError
from edge_perception.contract import FileFacts
from edge_perception.contract import Guess
from edge_perception.contract import ImageTransform
from edge_perception.contract import Keypoints
from edge_perception.contract import Perception
from edge_perception.contract import select
from edge_perception.contract import Selection
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception.contract.boxes import cell_counts
from edge_perception.contract.boxes import check_positions
from edge_perception.contract.boxes import only_image
from edge_perception.contract.types import Float32Array
from edge_perception.decoders.detection.candidates import Grid
from edge_perception.decoders.detection.candidates import grid
from edge_perception.decoders.detection.candidates import passing

STRIDES = (8, 16, 32)
LANDMARKS = 5
# Left and right are those of the person.
NAMES = ('right_eye', 'left_eye', 'nose_tip', 'right_mouth_corner', 'left_mouth_corner')
# As the training code feeds its models.
INPUT = {'color': 'bgr', 'scale': 1.0, 'resize': 'letterbox_top_left', 'fill': 0}
# Outputs of one stride: class and objectness, which enter the score alike, box, landmarks.
WIDTHS = (1, 1, 4, 2 * LANDMARKS)


@dataclass(frozen=True, slots=True)
class _Level:
    """Names of the outputs of one stride in the order of ``WIDTHS``, and its cells."""

    outputs: tuple[str, ...]
    grid: Grid


class YuNetDecoder(Decoder):
    """Faces as detections, their landmarks as keypoints, row by row."""

    name = 'yunet'
    tasks = frozenset({'detections', 'keypoints'})
    class_count = 1

    @classmethod
    def guess(cls, facts: FileFacts) -> Guess | None:
        """Recognize its twelve outputs by their last sizes."""
        last = sorted(shape[-1] for shape in facts.shapes if shape)
        if last != sorted(WIDTHS * len(STRIDES)):
            return None
        names = {'labels': ['face'], 'keypoints': list(NAMES)}
        return Guess('YuNet', input=INPUT, values=names)

    def _bind(self) -> None:
        recipe = self.manifest.input
        if len(self.outputs) != len(WIDTHS) * len(STRIDES) or len(
            self.manifest.keypoint_names
        ) not in (0, LANDMARKS):
            raise self._mismatch()
        counts = cell_counts(recipe.width, recipe.height, STRIDES)
        levels = []
        for index, stride in enumerate(STRIDES):
            groups = [self._outputs_of(width, index, counts) for width in (1, 4, 2 * LANDMARKS)]
            names = tuple(spec.name for group in groups for spec in group)
            if len(names) != len(WIDTHS):
                raise self._mismatch()
            levels.append(_Level(names, grid(recipe.width, recipe.height, (stride,))))
        self._levels = tuple(levels)

    def _outputs_of(self, width: int, index: int, counts: tuple[int, ...]) -> list[TensorSpec]:
        """Return the outputs of a stride that have a width: by cells, else by order."""
        group = [spec for spec in self.outputs if len(spec.shape) == 3 and spec.shape[2] == width]
        if all(spec.shape[1] < 0 for spec in group):
            return group[index :: len(STRIDES)]
        return [spec for spec in group if spec.shape[1] == counts[index]]

    def _mismatch(self) -> DecoderMismatchError:
        recipe = self.manifest.input
        counts = cell_counts(recipe.width, recipe.height, STRIDES)
        wanted = ', '.join(f'1x{count}x(1, 1, 4, {2 * LANDMARKS})' for count in counts)
        return self.mismatch(
            f'twelve outputs {wanted}, and {LANDMARKS} keypoints in the manifest, which has '
            f'{len(self.manifest.keypoint_names)}'
        )

    def _decode(
        self, tensors: Tensors, transform: ImageTransform, selection: Selection
    ) -> Perception:
        parts = [self._faces(tensors, level, selection.score_threshold) for level in self._levels]
        xyxy, points, score = (np.concatenate(column) for column in zip(*parts))
        detections, rows = select(
            xyxy,
            score=score,
            class_id=np.zeros(len(score), np.intp),
            selection=selection,
            transform=transform,
        )
        check_positions(points[rows], transform)
        return Perception(
            detections=detections,
            keypoints=Keypoints(
                xy=transform.points_to_source(points[rows]),
                score=np.repeat(detections.score[:, None], LANDMARKS, axis=1),
            ),
        )

    def _faces(
        self, tensors: Tensors, level: _Level, threshold: float
    ) -> tuple[Float32Array, Float32Array, Float32Array]:
        """Return boxes (M, 4), landmarks (M, 5, 2), scores (M,) of a stride, in input pixels."""
        likely, sure, box, points = (only_image(tensors[name]) for name in level.outputs)
        if len(likely) != len(level.grid.stride):
            raise ValueError(
                f'{level.outputs[0]}: got {len(likely)} cells, expected {len(level.grid.stride)}'
            )
        # Before they are clipped, or logits would be faces of score 1.
        factors = self.usable(np.concatenate([likely, sure], axis=1))
        score = np.sqrt(np.clip(factors, 0, 1).prod(axis=1))
        score[np.isinf(factors[:, 0])] = -np.inf
        rows = passing(score, threshold)
        origin, stride = level.grid.origin[rows], level.grid.stride[rows]
        found = box[rows].astype(np.float32, copy=False)
        with np.errstate(over='ignore'):
            size = np.exp(found[:, 2:]) * stride
        boxes = center_size_to_xyxy(np.concatenate([found[:, :2] * stride + origin, size], axis=1))
        landmarks = points[rows].astype(np.float32, copy=False).reshape(-1, LANDMARKS, 2)
        return (
            boxes,
            landmarks * stride[:, None] + origin[:, None],
            score[rows].astype(np.float32, copy=False),
        )
