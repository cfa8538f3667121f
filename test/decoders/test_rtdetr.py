# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_perception.contract import DecodeError
from edge_perception.contract import DecoderMismatchError
from edge_perception.contract import ImageTransform
from test.decoders.network import make_decoder
from test.decoders.outputs import bind
from test.decoders.outputs import decode
from test.decoders.outputs import make_manifest
from test.decoders.outputs import specs

# An image of 1280x720 in an input of 320x320.
STRETCHED = ImageTransform(1280, 720, 320, 320, 320 / 1280, 320 / 720)
BOXES = ([0.5, 0.5, 0.4, 0.6], [0.1, 0.2, 0.1, 0.1])


def queries(*rows: list[float], width: int) -> dict[str, np.ndarray]:
    output = np.zeros((1, 300, width), np.float32)
    for index, row in enumerate(rows):
        output[0, index] = row
    return {'output0': output}


@pytest.mark.parametrize(
    ('rows', 'labels'),
    [
        (([0, 0, 0.9], [0.8, 0.1, 0]), ('a', 'b', 'c')),  # scores of three classes
        (([0.9, 2], [0.8, 0]), ('a', 'b', 'c')),  # a score and a class
    ],
)
def test_queries_become_boxes_of_the_stretched_image(rows, labels):
    width = 4 + len(rows[0])
    tensors = queries(*(box + row for box, row in zip(BOXES, rows)), width=width)
    decoder = bind(make_manifest('rtdetr', width=320, height=320, labels=labels), tensors)
    found = decode(decoder, tensors, transform=STRETCHED).detections
    expected = [[384, 144, 896, 576], [64, 108, 192, 180]]
    np.testing.assert_allclose(found.xyxy, expected, atol=1e-3)
    np.testing.assert_allclose(found.score, [0.9, 0.8])
    assert found.class_id.tolist() == [2, 0]


def test_boxes_over_each_other_are_not_suppressed():
    tensors = queries(BOXES[0] + [0.9], BOXES[0] + [0.8], width=5)
    decoder = bind(make_manifest('rtdetr', width=320, height=320), tensors)
    assert len(decode(decoder, tensors, transform=STRETCHED).detections) == 2


@pytest.mark.parametrize('labels', [(), ('a', 'b')])
def test_six_numbers_of_two_classes_need_the_layout(labels):
    outputs = specs(output0=(1, 300, 6))
    with pytest.raises(DecoderMismatchError, match='layout'):
        make_decoder(make_manifest('rtdetr', labels=labels), *outputs)
    manifest = replace(make_manifest('rtdetr'), decoder_options={'layout': 'scores'})
    assert make_decoder(manifest, *outputs).class_count == 2


@pytest.mark.parametrize('shape', [(1, 300), (1, 300, 4), (4, 300, 84)])
def test_other_outputs_are_refused(shape):
    with pytest.raises(DecoderMismatchError, match='a row for each of M queries'):
        make_decoder(make_manifest('rtdetr'), *specs(output0=shape))


def test_boxes_in_pixels_are_refused():
    tensors = queries([160, 160, 40, 60, 0.9, 0, 0], width=7)
    decoder = bind(make_manifest('rtdetr', width=320, height=320), tensors)
    with pytest.raises(DecodeError, match='from 0 to 1'):
        decode(decoder, tensors, transform=STRETCHED)
