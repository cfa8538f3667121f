# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Calibrated scores: a sigmoid for each class, so that one threshold means the same for all of them.

``scale / (1 + exp(-(slope * g(score) + offset)))``, where g is the identity, log(p), or the
inverse of the logistic function, log(p) - log(1 - p). Classes without numbers, and scores below
the smallest one that a class has numbers for, get a default score. What leaves 0 to 1 is clipped.

Source: ScoreCalibrationOptions of metadata_schema.fbs and score_calibration.cc of
tensorflow/tflite-support.
"""

from __future__ import annotations

from dataclasses import dataclass
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_perception.contract import FileFacts
from edge_perception.contract import option
from edge_perception.contract import OptionError
from edge_perception.contract import Options
from edge_perception.contract.types import Float32Array

Floats = npt.NDArray[np.float64]
# Below it the logarithm goes on as its mirror image, which keeps the order of scores.
SMALLEST = 1e-16


@dataclass(frozen=True, slots=True)
class CalibrationOptions(Options):
    """What manifests may write under ``decoder.options`` of decoders that calibrate scores."""

    calibration: tuple[str, ...] = option(
        (),
        'a line "scale, slope, offset" or "scale, slope, offset, smallest score" for each class '
        'of the model, an empty one for a class without; no lines leave scores as they are',
    )
    calibration_transform: str = option(
        'identity',
        'what is done to a score before it is calibrated',
        choices=('identity', 'log', 'inverse_logistic'),
    )
    calibration_default: float = option(
        0.0, 'score of classes without numbers', minimum=0, maximum=1
    )


def said_calibration(facts: FileFacts) -> dict[str, Any]:
    """Return the options that the metadata of a TFLite file has for its scores."""
    for said in facts.outputs:
        if said.get('calibration'):
            return {
                'calibration': said['calibration'],
                'calibration_transform': said.get('transform', 'identity'),
                'calibration_default': said.get('default_score', 0.0),
            }
    return {}


class ScoreCalibration:
    """
    Calibrates scores.

    :raises OptionError: a line is none of numbers.
    """

    def __init__(self, options: CalibrationOptions) -> None:
        self._options = options
        self._rows = np.array(
            [_row(number, line) for number, line in enumerate(options.calibration, 1)], np.float64
        ).reshape(-1, 4)

    def __call__(self, score: Float32Array, class_id: npt.NDArray[np.integer]) -> Float32Array:
        """
        Return calibrated scores.

        :param score: (N,).
        :param class_id: (N,), as the model counts them.
        :return: float32 (N,); the scores themselves when there is nothing to calibrate by.
        """
        if not len(self._rows):
            return score
        known = (class_id >= 0) & (class_id < len(self._rows))
        scale, slope, offset, smallest = self._rows[np.where(known, class_id, 0)].T
        known &= ~np.isnan(scale) & ~(score < smallest)
        logits = slope * self._transformed(score.astype(np.float64)) + offset
        # 1 / (1 + exp(-x)), which overflows for no x in this form.
        sigmoid = 0.5 * (1 + np.tanh(0.5 * logits))
        default = self._options.calibration_default
        # Nothing bounds the scale that a manifest may write.
        return np.clip(np.where(known, scale * sigmoid, default), 0, 1).astype(np.float32)

    def _transformed(self, score: Floats) -> Floats:
        if self._options.calibration_transform == 'identity':
            return score
        if self._options.calibration_transform == 'log':
            return _log(score)
        return _log(score) - _log(1 - score)


def _log(values: Floats) -> Floats:
    small = values < SMALLEST
    mirrored = np.where(small, 2 * SMALLEST - values, values)
    logs = np.log(mirrored)
    return np.where(small, 2 * math.log(SMALLEST) - logs, logs)


def _row(number: int, line: str) -> list[float]:
    """Return scale, slope, offset and smallest score; NaN for a class without."""
    if not line.strip():
        return [math.nan] * 4
    try:
        values = [float(part) for part in line.split(',')]
    except ValueError:
        values = []
    if len(values) not in (3, 4) or not all(map(math.isfinite, values)):
        raise OptionError(
            f'calibration: line {number}: got {line!r}, expected three or four numbers with '
            'commas between, or nothing'
        )
    return [*values, -math.inf][:4]
