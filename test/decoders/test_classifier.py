# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from edge_perception.contract import DecodeError
from edge_perception.contract import DecoderMismatchError
from edge_perception.contract import Selection
from test.decoders.network import make_decoder
from test.decoders.outputs import bind
from test.decoders.outputs import decode
from test.decoders.outputs import make_manifest
from test.decoders.outputs import specs

ALL = Selection(score_threshold=0)


def classes(values, *, selection: Selection = ALL, dtype=np.float32, **options):
    tensors = {'scores': np.array([values], dtype)}
    return decode(
        bind(make_manifest('classifier', **options), tensors), tensors, selection
    ).classes


def test_probabilities_stay_as_they_are():
    found = classes([0.1, 0.7, 0.2])
    assert found.class_id.tolist() == [1, 2, 0]
    np.testing.assert_allclose(found.score, [0.7, 0.2, 0.1])
    assert found.class_id.dtype == np.int32
    assert found.score.dtype == np.float32


@pytest.mark.parametrize('logits', [[1.0, 3.0, 2.0], [-1, 1, 0], [1001, 1003, 1002]])
def test_logits_become_probabilities(logits):
    found = classes(logits)
    assert found.class_id.tolist() == [1, 2, 0]
    np.testing.assert_allclose(found.score, [0.66524, 0.24473, 0.09003], atol=1e-5)


def test_logits_that_happen_to_add_up_to_one_are_still_logits():
    np.testing.assert_allclose(classes([-1, 0, 2]).score, [0.84379, 0.1142, 0.04201], atol=1e-5)


def test_a_thousand_probabilities_rounded_to_8_bits_stay_as_they_are():
    """Most of a thousand round to 0, and what is left adds up to much less than 1."""
    values = np.zeros(1000)
    values[:3] = np.array([80, 40, 20]) / 256
    assert classes(values).score[:3].tolist() == [80 / 256, 40 / 256, 20 / 256]
    # Few classes leave no such room: these are logits.
    np.testing.assert_allclose(classes([0.3, 0.2]).score, [0.52498, 0.47502], atol=1e-5)


def test_calibration_decides_the_order():
    found = classes([0.1, 0.7, 0.2], calibration=['1,0,100', '', '0.5,0,100'])
    assert found.class_id.tolist() == [0, 2, 1]
    np.testing.assert_allclose(found.score, [1, 0.5, 0])


def test_what_the_manifest_says_is_done():
    np.testing.assert_allclose(classes([0.1, 0.7, 0.2], activation='softmax').score.sum(), 1)
    np.testing.assert_allclose(classes([0.9, 0.8], activation='none').score, [0.9, 0.8])
    found = classes([-1000, 0, 1000], activation='sigmoid')
    np.testing.assert_allclose(found.score, [1, 0.5, 0])


@pytest.mark.parametrize('dtype, zero', [(np.uint8, 0), (np.int8, -128)])
def test_integers_are_probabilities_in_256ths(dtype, zero):
    found = classes([zero + 64, zero + 192, zero], dtype=dtype)
    assert found.class_id.tolist() == [1, 0, 2]
    assert found.score.tolist() == [0.75, 0.25, 0]


@pytest.mark.parametrize(
    'shape, count',
    [
        ((1, 5), 5),
        ((5,), 5),
        ((1, 1, 1, 5), 5),
        ((1, 5, 1, 1), 5),
        ((-1, 5), 5),
        ((1, -1), None),
        ((-1, -1), None),
    ],
)
def test_shapes(shape, count):
    decoder = make_decoder(make_manifest('classifier'), *specs(scores=shape))
    assert decoder.class_count == count


@pytest.mark.parametrize('shape', [(1, 5, 5), (1, 7, 7, 5), ()])
def test_other_outputs_are_refused(shape):
    with pytest.raises(DecoderMismatchError, match='expected one output 1xC with a number for'):
        make_decoder(make_manifest('classifier'), *specs(scores=shape))


def test_two_outputs_are_refused():
    with pytest.raises(DecoderMismatchError, match='got outputs a 1x5 float32, b 1x5 float32'):
        make_decoder(make_manifest('classifier'), *specs(a=(1, 5), b=(1, 5)))


def test_numbers_that_are_not_finite_are_an_error():
    with pytest.raises(DecodeError, match='not finite'):
        classes([0.1, np.nan, 0.2])


@pytest.mark.parametrize('values, found', [([0, 3.2], 'up to 3.2'), ([-4, 0.5], 'down to -4')])
def test_logits_that_the_manifest_calls_probabilities_are_an_error(values, found):
    with pytest.raises(DecodeError, match=f'scores {found}, expected 0 to 1; set activation'):
        classes(values, activation='none')


@pytest.mark.parametrize('options', [{}, {'activation': 'none'}])
def test_what_rounding_left_above_1_is_clipped(options):
    assert classes([1.008, 0, 0], **options).score.tolist() == [1, 0, 0]


@pytest.mark.parametrize('dtype', [np.int64, np.int32, np.uint16])
def test_integers_of_more_than_8_bits_are_refused(dtype):
    with pytest.raises(DecoderMismatchError, match='expected real numbers, or integers of 8 bits'):
        classes([0, 3], dtype=dtype)


def test_calibrated_scores_end_at_1():
    assert classes([0.3, 0.7], calibration=['3,0,100', '']).score.tolist() == [1, 0]


@pytest.mark.parametrize(('shape', 'rows'), [((-1, 7), 2), ((1, -1), 2), ((-1, 7), 0)])
def test_rows_that_were_found_are_not_taken_for_classes(shape, rows):
    decoder = make_decoder(make_manifest('classifier'), *specs(scores=shape))
    with pytest.raises(DecodeError, match='expected one for each'):
        decode(decoder, {'scores': np.full((rows, 7), 0.5, np.float32)}, ALL)
