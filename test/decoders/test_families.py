# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Two known objects as each family of models gives them: a drafted manifest finds both.

The boxes are in pixels of the input of 320x320, of the classes 2 and 0, with scores .9 and .6.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from onnx import helper
from onnx import numpy_helper
import pytest
import yaml

from edge_perception.contract import DecodeError
from edge_perception.contract import DecoderMismatchError
from edge_perception.contract import ModelDescription
from edge_perception.contract import OptionError
from edge_perception.contract import TensorSpec
from edge_perception.contract import UNANSWERED
from edge_perception.decoders import DECODERS
from edge_perception.decoders.detection.anchors import ANCHORS
from edge_perception.models.drafting import draft_manifest
from test.decoders.network import make_decoder
from test.decoders.network import Network
from test.decoders.outputs import bind
from test.decoders.outputs import decode
from test.decoders.outputs import make_manifest
from test.decoders.outputs import specs
from test.support.networks import save
from test.support.networks import tensor

SIDE = 320
BOXES = np.array([[40, 80, 120, 200], [200, 40, 280, 100]], np.float32)
SCORES, CLASSES = np.array([0.9, 0.6], np.float32), np.array([2, 0])
Outputs = dict[str, np.ndarray]


def padded(values: np.ndarray, count: int, fill: float = 0) -> np.ndarray:
    rest = np.full((count - len(values), *values.shape[1:]), fill, values.dtype)
    return np.concatenate([values, rest])[None]


def logits(columns: int, classes=CLASSES) -> np.ndarray:
    values = np.full((2, columns), -200, np.float32)  # exp(200) is too large for float32
    values[[0, 1], classes] = np.log(SCORES / (1 - SCORES))
    return values


def center_size(unit: float = SIDE) -> np.ndarray:
    return np.concatenate([BOXES[:, :2] + BOXES[:, 2:], 2 * (BOXES[:, 2:] - BOXES[:, :2])], 1) / (
        2 * unit
    )


def rows_of(order: str) -> np.ndarray:
    """Return rows of i(mage), b(ox), s(core), c(lass) in an order."""
    parts = {'i': np.zeros((2, 1)), 'b': BOXES, 's': SCORES[:, None], 'c': CLASSES[:, None]}
    return np.concatenate([parts[each] for each in order], axis=1).astype(np.float32)


def yolov5(unit: float = 1) -> Outputs:
    scores = np.eye(3, dtype=np.float32)[CLASSES]
    found = np.concatenate([center_size(unit), SCORES[:, None], scores], axis=1)
    return {'output0': padded(found.astype(np.float32), 6300)}


def rfdetr(columns: int = 4, classes=CLASSES) -> Outputs:
    boxes, scores = center_size(), logits(columns, classes)
    if columns != 91:
        scores[:, -1] = 9  # "no object" is no class
    return {'dets': padded(boxes, 100), 'labels': padded(scores, 100, -9)}


def softmax() -> Outputs:
    scores = np.full((2, 4), -200, np.float32)
    scores[[0, 1], CLASSES], scores[:, 3] = np.log(SCORES), np.log(1 - SCORES)
    rest = padded(scores, 100)
    rest[0, 2:, 3] = 20
    return {'logits': rest, 'pred_boxes': padded(center_size(), 100)}


def anchors(family: str, *, joined: bool = False) -> Outputs:
    """Undo the last layer by search: the anchor and stride of which the logits are finite."""
    tables = np.array(ANCHORS[family], float).reshape(3, 3, 2)
    maps = {s: np.full((1, 3, SIDE // s, SIDE // s, 8), -20, np.float32) for s in (8, 16, 32)}
    for (x, y, width, height), score, class_id in zip(center_size(1), SCORES, CLASSES):
        stride = 16
        table = tables[1]
        anchor = int(np.argmax((table * 4 > [width, height]).all(axis=1)))
        column, row = int(x // stride), int(y // stride)
        shares = np.array(
            [
                (x / stride - column + 0.5) / 2,
                (y / stride - row + 0.5) / 2,
                np.sqrt(width / table[anchor, 0]) / 2,
                np.sqrt(height / table[anchor, 1]) / 2,
                np.sqrt(score),
            ]
        )
        cell = maps[stride][0, anchor, row, column]
        cell[:5] = np.log(shares / (1 - shares))
        cell[5 + class_id] = np.log(np.sqrt(score) / (1 - np.sqrt(score)))
    if joined:
        for stride, each in maps.items():
            maps[stride] = each.transpose(0, 1, 4, 2, 3).reshape(1, 24, *each.shape[2:4])
    # In another order than that of the strides.
    return {f'out{stride}': maps[stride] for stride in (32, 8, 16)}


def lists(names: str, boxes: np.ndarray, *, count: np.ndarray | None) -> Outputs:
    """Return boxes, scores and classes, by names in this order, and of the count."""
    named = names.split()
    found: Outputs = {}
    if count is not None:
        found[named[3]] = count
    found[named[2]] = padded(CLASSES.astype(np.int64), 50)
    found[named[0]] = padded(boxes, 50)
    found[named[1]] = padded(SCORES, 50)
    return found


NMS = 'det_boxes det_scores det_classes num_dets'
NAS = 'pred_boxes pred_scores pred_classes num_predictions'
DETR = 'boxes scores labels'
YXYX = BOXES[:, [1, 0, 3, 2]] / SIDE
SIZED = (('orig_target_sizes', np.int64),)
PADDLE = (('im_shape', np.float32), ('scale_factor', np.float32))
# Outputs, inputs beside the image, the decoder that is drafted, and what only a person knows.
FAMILIES: dict[str, tuple[Outputs, tuple, str, dict]] = {
    'YOLOv5': (yolov5(), (), 'yolox', {}),
    'YOLOv5 TFLite': (yolov5(SIDE), (), 'yolox', {}),
    'YOLOv5 without anchors': (anchors('yolov5'), (), 'yolo_anchors', {'family': 'yolov5'}),
    'YOLOv7 without anchors': (
        anchors('yolov7', joined=True),
        (),
        'yolo_anchors',
        {'family': 'yolov7'},
    ),
    'YOLOv10, YOLO26': (
        {'output0': padded(rows_of('bsc'), 300)},
        (),
        '',
        {'layout': 'end_to_end'},
    ),
    'RF-DETR': (rfdetr(), (), 'rtdetr', {}),
    'RT-DETR of optimum': (
        {'logits': padded(logits(3), 100, -9), 'pred_boxes': padded(center_size(), 100)},
        (),
        'rtdetr',
        {'layout': 'sigmoid'},
    ),
    'DETR of optimum': (softmax(), (), 'rtdetr', {'layout': 'softmax'}),
    'RT-DETR, D-FINE, DEIM': (lists(DETR, BOXES, count=None), SIZED, 'ssd', {}),
    'EfficientNMS': (lists(NMS, BOXES, count=np.array([[2]], np.int32)), (), 'ssd', {}),
    'YOLO-NAS batch': (lists(NAS, BOXES, count=np.array([[2]], np.int64)), (), 'ssd', {}),
    'EfficientDet-Lite': (
        lists('location score class count', YXYX, count=np.array([2], np.float32)),
        (),
        'ssd',
        {},
    ),
    'PP-YOLOE': (
        {'rows': rows_of('csb'), 'count': np.array([2], np.int32)},
        PADDLE,
        'finished',
        {},
    ),
    'YOLOv7 --end2end': ({'output': rows_of('ibcs')}, (), 'finished', {'columns': 'yolov7'}),
    'YOLO-NAS flat': ({'output': rows_of('ibsc')}, (), 'finished', {'columns': 'yolo_nas'}),
}


def described(name: str) -> ModelDescription:
    outputs, beside, *_ = FAMILIES[name]
    inputs = [TensorSpec('images', (1, 3, SIDE, SIDE), np.dtype(np.float32))]
    inputs += [TensorSpec(each, (1, 2), np.dtype(kind)) for each, kind in beside]
    found = []
    for key, each in outputs.items():
        # Rows that are found are of unknown number.
        shape = each.shape if each.ndim != 2 or each.shape[0] == 1 else (-1, each.shape[1])
        found.append(TensorSpec(key, shape, each.dtype))
    return ModelDescription(tuple(inputs), tuple(found))


@pytest.mark.parametrize('name', FAMILIES)
def test_both_objects_are_found_by_what_the_draft_says_and_asks(name):
    outputs, _, decoder, answers = FAMILIES[name]
    source = 'net.tflite' if 'TFLite' in name else 'net.onnx'
    made = draft_manifest(described(name), source=source, decoders=DECODERS)
    said = made.values['decoder']
    if name.startswith('YOLOv7 --') or name.startswith('YOLO-NAS flat'):
        assert said == {'name': UNANSWERED}  # seven columns of anything
        said = {'name': decoder}
    elif decoder:
        assert said['name'] == decoder
        open_ = {key for key, value in said.get('options', {}).items() if value == UNANSWERED}
        assert open_ == set(answers)
    else:
        said = {'name': 'yolo'}  # or RT-DETR of two classes
    options = {**said.get('options', {}), **answers}
    manifest = make_manifest(said['name'], width=SIDE, height=SIDE, labels=('a', 'b', 'c'))
    manifest = replace(manifest, decoder_options=options)
    found = decode(make_decoder(manifest, *described(name).outputs), outputs).detections
    np.testing.assert_allclose(found.xyxy, BOXES, atol=0.05)
    np.testing.assert_allclose(found.score, SCORES, atol=1e-4)
    assert found.class_id.tolist() == CLASSES.tolist()


def test_ids_of_coco_have_gaps_and_become_rows_of_the_80_labels():
    """13 is the stop sign, 90 the toothbrush; nobody is 12, whatever its score."""
    outputs = rfdetr(91, classes=np.array([13, 90]))
    outputs['labels'][0, 0, 12] = 9
    labels = tuple(map(str, range(80)))
    manifest = make_manifest('rtdetr', width=SIDE, height=SIDE, labels=labels)
    found = decode(bind(manifest, outputs), outputs).detections
    assert found.class_id.tolist() == [11, 79]
    np.testing.assert_allclose(found.score, SCORES, atol=1e-4)


def test_masks_of_rfdetr_are_those_of_their_queries():
    outputs = rfdetr()
    for name in ('dets', 'labels'):
        outputs[name] = np.roll(outputs[name], 5, axis=1)
    masks = np.full((1, 100, 80, 80), -1, np.float32)
    masks[0, 5, 20:35], masks[0, 6, :, 50:60] = 1, 1  # y 80 to 140, x 200 to 240
    outputs['masks'] = masks
    manifest = make_manifest('rtdetr', width=SIDE, height=SIDE)
    found = decode(bind(manifest, outputs), outputs)
    expected = np.zeros((SIDE, SIDE), int)
    expected[80:138, 40:120], expected[40:100, 200:238] = 1, 2
    assert np.mean(found.instances == expected) > 0.995
    assert set(np.unique(found.instances)) == {0, 1, 2}


def test_three_classes_and_no_object_are_told_from_boxes_by_name():
    manifest = make_manifest('rtdetr', width=SIDE, height=SIDE)
    swapped = specs(labels=(1, 100, 4), dets=(1, 100, 4))
    assert make_decoder(manifest, *swapped).class_count == 3
    with pytest.raises(DecoderMismatchError, match='layout'):
        make_decoder(manifest, *specs(logits=(1, 100, 4), pred_boxes=(1, 100, 4)))


def test_a_row_of_class_minus_one_is_nothing():
    outputs = {'rows': np.array([[-1, 1, 0, 0, 1, 1]], np.float32)}
    manifest = make_manifest('finished', width=SIDE, height=SIDE)
    assert len(decode(bind(manifest, outputs), outputs).detections) == 0
    none = {'rows': np.zeros((0, 6), np.float32)}
    assert len(decode(bind(manifest, outputs), none).detections) == 0


def test_what_does_not_fit_is_refused():
    with pytest.raises(DecoderMismatchError, match='columns'):
        make_decoder(make_manifest('finished'), *specs(output=(-1, 7)))
    shapes = {'a': (1, 3, 40, 40, 8), 'b': (1, 3, 20, 20, 8), 'c': (1, 3, 10, 10, 8)}
    with pytest.raises(OptionError, match='18'):
        bad = make_manifest('yolo_anchors', width=SIDE, height=SIDE, anchors=(1.0,))
        make_decoder(bad, *specs(**shapes))
    with pytest.raises(DecoderMismatchError, match='40x40, 20x20, 10x10'):
        good = make_manifest('yolo_anchors', width=SIDE, height=SIDE)
        make_decoder(good, *specs(**{**shapes, 'c': (1, 3, 9, 10, 8)}))
    outputs = lists(NMS, BOXES, count=np.array([[2]], np.int32))
    with pytest.raises(DecodeError, match='boxes: yxyx_normalized'):
        decode(bind(make_manifest('ssd', width=SIDE, height=SIDE), outputs), outputs)


def detr(path: Path) -> None:
    """Save boxes from 0 to 1 times the size in the second input, as D-FINE does."""
    unit = padded(BOXES / SIDE, 50)
    constants = {
        'unit': unit,
        'fixed_labels': padded(CLASSES, 50),
        'fixed_scores': padded(SCORES, 50),
        'axes': np.array([1]),
        'zero': np.zeros(1, np.float32),
    }
    nodes = [
        helper.make_node('Cast', ['orig_target_sizes'], ['size'], to=1),
        helper.make_node('Concat', ['size', 'size'], ['sides'], axis=1),
        helper.make_node('Unsqueeze', ['sides', 'axes'], ['each']),
        helper.make_node('Mul', ['unit', 'each'], ['boxes']),
        helper.make_node('ReduceMean', ['images'], ['mean'], axes=[1, 2, 3], keepdims=0),
        helper.make_node('Mul', ['mean', 'zero'], ['nothing']),
        helper.make_node('Add', ['fixed_scores', 'nothing'], ['scores']),
        helper.make_node('Identity', ['fixed_labels'], ['labels']),
    ]
    save(
        path,
        nodes,
        [tensor('orig_target_sizes', (1, 2), kind=7), tensor('images', (1, 3, SIDE, SIDE))],
        [
            tensor('labels', (1, 50), kind=7),
            tensor('boxes', (1, 50, 4)),
            tensor('scores', (1, 50)),
        ],
        constants=[numpy_helper.from_array(each, name) for name, each in constants.items()],
    )


@pytest.mark.parametrize('engine', ['onnxruntime', 'openvino'])
def test_a_model_that_asks_for_the_size_gets_that_of_its_input(engine, tmp_path):
    """The image is letterboxed, of another size, and its input comes second."""
    detr(tmp_path / 'net.onnx')
    values = {
        'manifest_version': 1,
        'name': 'detr',
        'source': {'file': 'net.onnx'},
        'input': {'name': 'images', 'width': SIDE, 'height': SIDE},
        'decoder': {'name': 'ssd', 'options': {'boxes': 'xyxy_pixels'}},
    }
    (tmp_path / 'model.yaml').write_text(yaml.safe_dump(values))
    network = Network(tmp_path, engine=engine)
    for _ in range(2):
        found = network.perceive(np.zeros((320, 640, 3), np.uint8)).detections
        np.testing.assert_allclose(found.xyxy, BOXES * 2 - [0, 160, 0, 160], atol=0.01)
