# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from edge_perception.contract import DecodeError
from edge_perception.contract import DecoderMismatchError
from edge_perception.contract import ImageTransform
from edge_perception.contract import Selection
from test.decoders.network import make_decoder
from test.decoders.outputs import bind
from test.decoders.outputs import decode
from test.decoders.outputs import make_manifest
from test.decoders.outputs import specs

OP = 'TFLite_Detection_PostProcess'


def outputs(first_class: int = 0) -> dict[str, np.ndarray]:
    """Return two objects, and a row that is not used, as the TFLite operator gives them."""
    boxes = [[0.5, 0.25, 1.0, 0.75], [0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]]
    return {
        OP: np.array([boxes], np.float32),
        f'{OP}:1': np.array([[2, 0, 1]], np.float32) + first_class,
        f'{OP}:2': np.array([[0.5, 0.75, 0.9]], np.float32),
        f'{OP}:3': np.array([2], np.float32),
    }


def seen(decoder, tensors, **options) -> list[tuple]:
    found = decode(decoder, tensors, **options).detections
    return list(zip(found.class_id.tolist(), found.score.tolist()))


def test_used_rows_become_detections_in_pixels():
    tensors = outputs()
    found = decode(bind(make_manifest('ssd', width=200, height=100), tensors), tensors).detections
    np.testing.assert_allclose(found.xyxy, [[40, 10, 80, 30], [50, 50, 150, 100]], rtol=1e-6)
    assert found.class_id.tolist() == [0, 2]
    assert found.score.tolist() == [0.75, 0.5]


def test_classes_that_count_from_one():
    tensors = outputs(first_class=1)
    decoder = bind(make_manifest('ssd', label_offset=-1), tensors)
    assert seen(decoder, tensors) == [(0, 0.75), (2, 0.5)]
    assert seen(decoder, tensors, selection=Selection(class_ids=frozenset({2}))) == [(2, 0.5)]


def test_calibrated_scores_decide_the_order_and_the_threshold():
    tensors = outputs()
    lines = ['0.2, 0, 100', '', '1, 0, 100']  # 0.2 for class 0, 1.0 for class 2
    decoder = bind(make_manifest('ssd', calibration=lines), tensors)
    assert seen(decoder, tensors, selection=Selection(score_threshold=0.1)) == [
        (2, 1.0),
        (0, pytest.approx(0.2)),
    ]
    assert seen(decoder, tensors) == [(2, 1.0)]


def renamed(tensors: dict[str, np.ndarray], *order: int, names: tuple[str, ...]) -> dict:
    values = list(tensors.values())
    return {name: values[index] for name, index in zip(names, order)}


@pytest.mark.parametrize(
    'order, names, options',
    [
        # TensorFlow 2: scores, boxes, count, classes.
        ((2, 0, 3, 1), ('Call:0', 'Call:1', 'Call:2', 'Call:3'), {}),
        ((0, 2, 1, 3), ('a', 'b', 'c', 'd'), {'order': 'scores_boxes_classes'}),
        ((2, 1, 3, 0), ('a', 'b', 'c', 'd'), {'order': 'scores_boxes_classes'}),
        # ONNX: names tell, whatever the order.
        (
            (0, 1, 2, 3),
            ('detection_boxes', 'detection_classes', 'detection_scores', 'num_detections'),
            {},
        ),
        (
            (0, 2, 1, 3),
            ('detection_boxes', 'detection_scores', 'detection_classes', 'num_detections'),
            {},
        ),
    ],
)
def test_outputs_in_other_orders(order, names, options):
    tensors = renamed(outputs(), *order, names=names)
    decoder = bind(make_manifest('ssd', **options), tensors)
    assert seen(decoder, tensors) == [(0, 0.75), (2, 0.5)]


def test_the_network_suppressed_already():
    tensors = outputs()
    tensors[OP][0, 1] = tensors[OP][0, 0]
    tensors[f'{OP}:1'][:] = 0
    assert len(seen(bind(make_manifest('ssd'), tensors), tensors)) == 2


def test_letterbox_and_rotation_are_undone():
    # A source of 100x200, turned by 90 degrees to 200x100, in the middle of 200x200.
    transform = ImageTransform(100, 200, 200, 200, offset_y=50, rotation=90)
    tensors = outputs()
    decoder = bind(make_manifest('ssd', width=200, height=200), tensors)
    found = decode(decoder, tensors, transform=transform).detections
    # In the input: x 40 to 80, y 20 to 60, which is y -30 to 10 of the turned source.
    np.testing.assert_allclose(found.xyxy[0], [-30, 120, 10, 160], atol=1e-4)


@pytest.mark.parametrize('count', [0, -1, 3, 1000])
def test_counts(count):
    tensors = outputs()
    tensors[f'{OP}:3'][0] = count
    found = seen(bind(make_manifest('ssd'), tensors), tensors)
    assert len(found) == min(max(count, 0), 3)


@pytest.mark.parametrize(
    'shapes',
    [
        {},
        {'boxes': (1, 10, 4), 'classes': (1, 10), 'scores': (1, 10)},
        {'boxes': (1, 10, 5), 'classes': (1, 10), 'scores': (1, 10), 'count': (1,)},
        {'boxes': (1, 10, 4), 'classes': (1, 10), 'scores': (10,), 'count': (1,)},
    ],
)
def test_other_outputs_are_refused(shapes):
    with pytest.raises(DecoderMismatchError, match='expected four outputs: boxes 1xMx4, classes'):
        make_decoder(make_manifest('ssd'), *specs(**shapes))


@pytest.mark.parametrize('name', [OP, f'{OP}:3'])
def test_numbers_that_are_not_finite_are_an_error_and_not_an_empty_scene(name):
    tensors = outputs()
    tensors[name].reshape(-1)[0] = np.nan
    with pytest.raises(DecodeError, match="decoder 'ssd' failed"):
        decode(bind(make_manifest('ssd'), tensors), tensors)


@pytest.mark.parametrize(
    'name, number', [(f'{OP}:1', np.nan), (f'{OP}:1', 1e12), (f'{OP}:2', 3.2)]
)
def test_what_is_no_class_and_no_score_is_an_error(name, number):
    tensors = outputs()
    tensors[name][0, 0] = number
    with pytest.raises(DecodeError, match='the model gave (class|scores up to 3.2, expected 0)'):
        decode(bind(make_manifest('ssd'), tensors), tensors)


def test_an_offset_that_leaves_no_class_is_an_error():
    tensors = outputs()
    with pytest.raises(DecodeError, match='class -1, expected 0 to'):
        decode(bind(make_manifest('ssd', label_offset=-1), tensors), tensors)


def test_boxes_in_pixels_are_refused():
    tensors = outputs()
    tensors[OP] *= 300
    with pytest.raises(DecodeError, match='from 0 to 1'):
        decode(bind(make_manifest('ssd', width=300, height=300), tensors), tensors)
