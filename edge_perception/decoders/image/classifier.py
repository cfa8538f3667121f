# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Classifiers of the whole frame: one output with a number for each of C classes.

Its shape is (1, C), or (1, C) with sizes of 1 around it.

Numbers that are not probabilities become some by softmax (or, where classes do not exclude each
other, sigmoid). With ``activation: auto`` numbers from 0 to 1 that sum up to 1 count as
probabilities, everything else goes through softmax. INT8 models round each probability to
1/256, so that the sum of a thousand may be far from 1. Integers that reach the decoder have 8 bits
and are probabilities in units of 1/256, as the 8-bit specification of LiteRT (TensorFlow Lite)
fixes it for the output of softmax and sigmoid. In the end they may be calibrated for each class,
see ``calibration``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from edge_perception.contract import Classes
from edge_perception.contract import Decoder
from edge_perception.contract import FileFacts
from edge_perception.contract import Guess
from edge_perception.contract import ImageTransform
from edge_perception.contract import option
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.contract import Tensors
from edge_perception.contract.types import Float32Array
from edge_perception.decoders.score_calibration import CalibrationOptions
from edge_perception.decoders.score_calibration import said_calibration
from edge_perception.decoders.score_calibration import ScoreCalibration

# How far from 1 the sum of a thousand probabilities in half precision may be, and how much of it
# rounding to 8 bits may add for each class.
SUM_TOLERANCE = 0.01
SUM_TOLERANCE_IN_8_BITS = 0.5 / 256


@dataclass(frozen=True, slots=True)
class ClassifierOptions(CalibrationOptions):
    """What manifests may write under ``decoder.options``."""

    activation: str = option(
        'auto',
        'what turns the output into probabilities',
        choices=('auto', 'none', 'softmax', 'sigmoid'),
    )


class ClassifierDecoder(Decoder):
    """Classes: those that pass the threshold, at most ``Selection.max_detections`` of them."""

    name = 'classifier'
    tasks = frozenset({'classes'})
    options_type: ClassVar[type[Options]] = ClassifierOptions
    options: ClassifierOptions
    class_count: int | None = None

    @classmethod
    def guess(cls, facts: FileFacts) -> Guess | None:
        """Recognize a number for each class; the metadata tells how many there are."""
        shape = facts.only_shape
        sizes = [size for size in shape[1:] if size != 1]
        if facts.task:
            fits = facts.task == 'classify' and shape[1:] in ((len(facts.labels),), (-1,))
            return Guess('a classifier', certain=True) if fits else None
        if len(shape) not in (2, 4) or len(sizes) != 1 or sizes[0] < 2:
            return None
        if not facts.one_image(shape):
            return None
        said = facts.outputs[0] if facts.outputs else {}
        certain = bool(said.get('labels') or said.get('value_labels'))
        options = said_calibration(facts) if certain else {}
        return Guess('a classifier', certain, sizes[0], options=options)

    def _bind(self) -> None:
        shape = self.outputs[0].shape if len(self.outputs) == 1 else ()
        # The batch may be open as well.
        classes = shape[1:] if shape[:1] == (-1,) and len(shape) > 1 else shape
        sizes = [size for size in classes if size != 1]
        if len(sizes) != 1:
            raise self.mismatch('one output 1xC with a number for each of C classes')
        dtype = self.outputs[0].dtype
        if np.issubdtype(dtype, np.integer) and dtype.itemsize > 1:
            raise self.mismatch('real numbers, or integers of 8 bits, for each of C classes')
        self.class_count = sizes[0] if sizes[0] > 0 else None
        self._output = self.outputs[0].name
        self._calibrate = ScoreCalibration(self.options)

    def _decode(
        self, tensors: Tensors, transform: ImageTransform, selection: Selection
    ) -> Perception:
        output = tensors[self._output]
        if output.size != (self.class_count or max(output.shape)):
            shape = 'x'.join(map(str, output.shape))
            raise ValueError(f'got {shape} numbers, expected one for each of C classes')
        probabilities = self._probabilities(output.reshape(-1))
        score = np.clip(probabilities, 0, 1)
        score = self._calibrate(score, np.arange(len(score)))
        wanted = (score >= selection.score_threshold) & np.isfinite(probabilities)
        if selection.class_ids is not None:
            wanted &= np.isin(np.arange(len(score)), list(selection.class_ids))
        rows = np.flatnonzero(wanted)
        rows = rows[np.argsort(-score[rows], kind='stable')][: selection.max_detections]
        return Perception(classes=Classes(class_id=rows.astype(np.int32), score=score[rows]))

    def _probabilities(self, output: npt.NDArray[Any]) -> Float32Array:
        if np.issubdtype(output.dtype, np.integer):
            steps: Float32Array = output.astype(np.float32) - np.iinfo(output.dtype).min
            return steps / np.float32(256)
        values = output.astype(np.float32, copy=False)
        # A sigmoid would make 1 of infinity; by softmax one NaN makes all probabilities NaN.
        values = np.where(np.isfinite(values), values, np.nan)
        activation = self.options.activation
        if activation == 'auto':
            tolerance = max(SUM_TOLERANCE, len(values) * SUM_TOLERANCE_IN_8_BITS)
            ready = values.min() >= 0 and abs(values.sum() - 1) <= tolerance
            activation = 'none' if ready and values.max() <= 1 + SUM_TOLERANCE else 'softmax'
        if activation == 'none':
            remedy = 'set activation: auto in decoder.options of the manifest'
            return self.usable(values, remedy=remedy)
        if activation == 'sigmoid':
            return self.usable(0.5 * (1 + np.tanh(0.5 * values)))
        weights = np.exp(values - values.max())
        return self.usable(weights / weights.sum())
