# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
MoveNet (Lightning, Thunder): one output (1, 1, K, 3), the K keypoints of one person.

A keypoint is y, x, score; y and x run from 0 to 1 of the input. ``Selection.score_threshold``
applies to each keypoint: below it a keypoint is unseen (score 0, position NaN), and without any
keypoint there is no instance. The model always finds a person, so a threshold of 0 gives one in
every image.

Source: google/movenet on TensorFlow Hub; Votel and Li, Next-Generation Pose Detection with
MoveNet.
"""

from __future__ import annotations

import numpy as np

from edge_perception.contract import Decoder
from edge_perception.contract import FileFacts
from edge_perception.contract import Guess
from edge_perception.contract import ImageTransform
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.contract import Tensors
from edge_perception.contract.boxes import only_image
from edge_perception.decoders.keypoint.keypoint_rows import one_instance
from edge_perception.decoders.keypoint_sets import COCO_PERSON
from edge_perception.decoders.keypoint_sets import COCO_PERSON_SKELETON


class MoveNetDecoder(Decoder):
    """Keypoints of the most prominent person."""

    name = 'movenet'
    tasks = frozenset({'keypoints'})
    class_count: int | None = None

    @classmethod
    def guess(cls, facts: FileFacts) -> Guess | None:
        """Recognize the keypoints of a person."""
        if facts.only_shape != (1, 1, len(COCO_PERSON), 3):
            return None
        skeleton = [list(pair) for pair in COCO_PERSON_SKELETON]
        return Guess('MoveNet', values={'keypoints': list(COCO_PERSON), 'skeleton': skeleton})

    def _bind(self) -> None:
        names = len(self.manifest.keypoint_names)
        shape = self.outputs[0].shape if len(self.outputs) == 1 else ()
        if (
            len(shape) != 4
            or not {shape[0], shape[1]} <= {1, -1}
            or shape[3] != 3
            or (names and shape[2] != names)
        ):
            raise self.mismatch(f'one output 1x1x{names or "K"}x3, a row for each keypoint')
        self._output = self.outputs[0].name

    def _decode(
        self, tensors: Tensors, transform: ImageTransform, selection: Selection
    ) -> Perception:
        rows = only_image(tensors[self._output])[0].astype(np.float32, copy=False)
        size = np.array([transform.input_width, transform.input_height], np.float32)
        return Perception(
            keypoints=one_instance(
                rows[:, 1::-1] * size,
                score=self.usable(rows[:, 2]),
                threshold=selection.score_threshold,
                transform=transform,
            )
        )
