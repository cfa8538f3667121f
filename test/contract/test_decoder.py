# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from edge_perception.contract import DecodeError
from edge_perception.contract import Decoder
from edge_perception.contract import DecoderMismatchError
from edge_perception.contract import Detections
from edge_perception.contract import ImageTransform
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract import OptionError
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.contract import TensorSpec
from test.support.raising import raises

TRANSFORM = ImageTransform(source_width=8, source_height=8, input_width=4, input_height=4)
MANIFEST = ModelManifest(
    name='small', source='small.onnx', decoder='one', input=InputRecipe(width=4, height=4)
)
BOXES = TensorSpec('boxes', (1, -1, 4), np.dtype(np.float32))


class OneOutput(Decoder):
    name = 'one'
    tasks = frozenset({'detections'})
    fail: Exception | None = None

    def _bind(self):
        if len(self.outputs) != 1:
            raise self.mismatch('a single output')

    def _decode(self, tensors, transform, selection):
        if self.fail:
            raise self.fail
        assert tensors['boxes'].shape == (1, 2, 4)
        return Perception(detections=Detections.empty())


def make(outputs: tuple[TensorSpec, ...] = (BOXES,)) -> OneOutput:
    return OneOutput(MANIFEST, outputs=outputs, options=Options())


def decode(decoder: Decoder) -> Perception:
    tensors = {'boxes': np.zeros((1, 2, 4), np.float32)}
    return decoder.decode(tensors, transform=TRANSFORM, selection=Selection())


def test_a_decoder_gets_tensors_and_gives_a_perception():
    assert len(decode(make()).detections) == 0


def test_outputs_that_do_not_fit_are_found_when_the_decoder_is_made():
    with pytest.raises(DecoderMismatchError) as raised:
        make((BOXES, TensorSpec('scores', (), np.dtype(np.int64))))
    assert str(raised.value) == (
        "decoder 'one' of small: got outputs boxes 1x?x4 float32, scores scalar int64, "
        'expected a single output; correct decoder.name or decoder.options of the manifest'
    )


def test_no_outputs_at_all_are_said():
    with raises(DecoderMismatchError, "decoder 'one'", 'nothing'):
        make(())


@pytest.mark.parametrize(
    ('error', 'sentence'),
    [
        (ValueError('got 2 rows,\nexpected 84'), "decoder 'one' failed: got 2 rows, expected 84"),
        (KeyError('scores'), "decoder 'one' failed: KeyError: 'scores'"),
        (ZeroDivisionError(), "decoder 'one' failed: ZeroDivisionError"),
        # An error of the contract that is none of a decoder.
        (OptionError('threads: got 1'), "decoder 'one' failed: threads: got 1"),
    ],
)
def test_whatever_a_decoder_raises_is_a_decode_error_in_one_line(error, sentence):
    decoder = make()
    decoder.fail = error
    with pytest.raises(DecodeError) as raised:
        decode(decoder)
    assert str(raised.value) == sentence
    assert raised.value.__cause__ is error


def test_an_error_of_a_decoder_stays_as_it_is():
    decoder = make()
    decoder.fail = DecoderMismatchError('the anchors have changed')
    with pytest.raises(DecoderMismatchError) as raised:
        decode(decoder)
    assert raised.value is decoder.fail


def test_a_decoder_decodes_on_after_a_failure():
    decoder = make()
    decoder.fail = ValueError()
    with pytest.raises(DecodeError):
        decode(decoder)
    decoder.fail = None
    assert len(decode(decoder).detections) == 0


def test_a_decoder_that_gives_nothing_breaks_its_promise():
    decoder = make()
    decoder._decode = lambda *_: None
    with pytest.raises(DecodeError) as raised:
        decode(decoder)
    assert str(raised.value) == "decoder 'one' gave no detections, which it promises"
