# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

from edge_perception.contract import OptionError
from edge_perception.decoders.score_calibration import CalibrationOptions
from edge_perception.decoders.score_calibration import ScoreCalibration


def calibrated(lines, scores, classes=None, **options):
    calibrate = ScoreCalibration(CalibrationOptions(calibration=tuple(lines), **options))
    classes = np.zeros(len(scores), np.intp) if classes is None else np.array(classes)
    result = calibrate(np.array(scores, np.float32), classes)
    assert result.dtype == np.float32
    return result.tolist()


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_without_lines_scores_stay_as_they_are():
    assert calibrated([], [0.25, 0.5]) == [0.25, 0.5]


@pytest.mark.parametrize(
    ('transform', 'transformed'),
    [
        ('identity', 0.25),
        ('log', math.log(0.25)),
        ('inverse_logistic', math.log(0.25) - math.log(0.75)),
    ],
)
def test_a_sigmoid_for_each_class(transform, transformed):
    lines = ['0.9, 2, -1', '1,3,0.5']
    got = calibrated(lines, [0.25, 0.25], [0, 1], calibration_transform=transform)
    expected = [0.9 * sigmoid(2 * transformed - 1), sigmoid(3 * transformed + 0.5)]
    assert got == pytest.approx(expected, rel=1e-6)


def test_classes_without_numbers_and_scores_below_the_smallest_get_the_default():
    lines = ['1,1,0,0.3', '']
    got = calibrated(lines, [0.29, 0.31, 0.9, 0.9, 0.9], [0, 0, 1, 2, -1], calibration_default=0.1)
    assert got == pytest.approx([0.1, sigmoid(0.31), 0.1, 0.1, 0.1])


@pytest.mark.parametrize('transform', ['identity', 'log', 'inverse_logistic'])
def test_the_ends_of_the_scale_keep_their_order(transform):
    scores = [0.0, 1e-20, 1e-9, 0.5, 1 - 1e-7, 1.0]
    got = calibrated(['1,1,0'], scores, calibration_transform=transform)
    assert np.isfinite(got).all()
    assert got == sorted(got)


@pytest.mark.parametrize('line', ['1,2', '1,2,3,4,5', 'a,b,c', '1,2,nan', '1;2;3'])
def test_a_line_that_is_none_is_named(line):
    with pytest.raises(OptionError, match=f'calibration: line 2: got {line!r}, expected three'):
        ScoreCalibration(CalibrationOptions(calibration=('1,2,3', line)))
