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

# An input of 64x64 has 64 + 16 + 4 cells; cell 64 + 6 has stride 16 and its corner at (32, 16).
CELL = 64 + 6


def raw_head(cells: int = 84, *, cell: int = CELL, row: list[float]) -> dict[str, np.ndarray]:
    output = np.zeros((1, cells, 5 + 2), np.float32)
    output[0, cell] = row
    return {'output': output}


def test_a_cell_becomes_a_box():
    tensors = raw_head(row=[0.5, 0.25, np.log(2), np.log(0.5), 0.8, 0.1, 0.9])
    decoder = bind(make_manifest('yolox'), tensors)
    found = decode(decoder, tensors).detections
    # Center (40, 20), 32 wide, 8 high.
    np.testing.assert_allclose(found.xyxy, [[24, 16, 56, 24]], rtol=1e-6)
    np.testing.assert_allclose(found.score, [0.72], rtol=1e-6)
    assert found.class_id.tolist() == [1]
    assert decoder.class_count == 2


@pytest.mark.parametrize('rows', [84, 252])
def test_boxes_that_the_network_decoded_itself(rows):
    # YOLOv5 has three rows for each cell.
    tensors = raw_head(rows, row=[40, 20, 32, 8, 0.8, 0.1, 0.9])
    found = decode(bind(make_manifest('yolox', decoded=True), tensors), tensors).detections
    np.testing.assert_allclose(found.xyxy, [[24, 16, 56, 24]], rtol=1e-6)


def test_a_fourth_stride():
    # 84 cells and the only one of stride 64.
    tensors = raw_head(85, cell=84, row=[0.5, 0.5, 0, 0, 1, 1, 0])
    found = decode(bind(make_manifest('yolox'), tensors), tensors).detections
    np.testing.assert_allclose(found.xyxy, [[0, 0, 64, 64]])


def test_the_score_is_objectness_times_class():
    tensors = raw_head(row=[0, 0, 0, 0, 0.6, 0.4, 0.3])
    decoder = bind(make_manifest('yolox'), tensors)
    assert len(decode(decoder, tensors, Selection(score_threshold=0.25)).detections) == 0
    assert len(decode(decoder, tensors, Selection(score_threshold=0.23)).detections) == 1


@pytest.mark.parametrize(
    'shapes',
    [
        {},
        {'output': (1, 7, 84)},
        {'output': (1, 83, 7)},
        {'output': (1, 84, 5)},
        {'output': (2, 84, 7)},
        {'output': (84, 7)},
        {'output': (1, 84, 7), 'other': (1, 84, 7)},
    ],
)
def test_other_outputs_are_refused(shapes):
    with pytest.raises(DecoderMismatchError) as caught:
        make_decoder(make_manifest('yolox'), *specs(**shapes))
    assert 'expected one output 1x84x(5 + classes), a row for each cell of 64x64' in str(
        caught.value
    )


def test_a_size_that_is_known_at_run_time_only_is_checked_then():
    decoder = make_decoder(make_manifest('yolox'), *specs(output=(-1, -1, 7)))
    assert decoder.class_count == 2
    tensors = raw_head(row=[0, 0, 0, 0, 1, 1, 0])
    assert len(decode(decoder, tensors).detections) == 1
    with pytest.raises(DecodeError, match='got 21 rows, expected 84'):
        decode(decoder, raw_head(21, cell=0, row=[0] * 7))


@pytest.mark.parametrize('column', [0, 2])
def test_numbers_that_are_not_finite_are_an_error_and_not_an_empty_scene(column):
    tensors = raw_head(row=[0, 0, 0, 0, 1, 1, 0])
    tensors['output'][0, CELL, column] = np.nan
    with pytest.raises(DecodeError, match="'yolox' failed: the model gave .* not finite"):
        decode(bind(make_manifest('yolox'), tensors), tensors)
    # As large as the exponential function cannot be.
    tensors = raw_head(row=[0, 0, 100, 0, 1, 1, 0])
    with pytest.raises(DecodeError, match='not finite'):
        decode(bind(make_manifest('yolox'), tensors), tensors)


@pytest.mark.parametrize('scores', [[3.2, 0.3, -2], [3, -0.4, 0.2]])
def test_a_network_without_its_sigmoid_is_an_error(scores):
    # Objectness times class would be a score in both.
    tensors = raw_head(row=[0, 0, 0, 0, *scores])
    with pytest.raises(DecodeError, match='scores up to 3.*, expected 0 to 1; export it with its'):
        decode(bind(make_manifest('yolox'), tensors), tensors)


@pytest.mark.parametrize(
    ('row', 'decoded'),
    [
        ([40, 20, 20, 24, 0.8, 0.1, 0.9], False),  # decoded twice: 2e9 pixels wide
        ([40, 20, 3, 3, 0.8, 0.1, 0.9], False),  # its center is far away
        ([0.5, 0.25, -2, -1, 0.8, 0.1, 0.9], True),  # logarithms read as sizes
    ],
)
def test_boxes_that_cannot_be_are_refused_with_the_option_to_correct(row, decoded):
    tensors = raw_head(row=row)
    with pytest.raises(DecodeError, match='decoded'):
        decode(bind(make_manifest('yolox', decoded=decoded), tensors), tensors)
