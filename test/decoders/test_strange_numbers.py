# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Outputs of a broken engine, for every decoder: no number that cannot be passes for a result."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edge_perception.contract import DecodeError
from edge_perception.contract import NotFiniteError
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from test.decoders.outputs import bind
from test.decoders.outputs import decode
from test.decoders.outputs import make_manifest

LANDMARKS = ('right_eye', 'left_eye', 'nose_tip', 'right_mouth_corner', 'left_mouth_corner')
CELLS = {8: 64, 16: 16, 32: 4}
SSD = ('boxes', 'classes', 'scores', 'count')
Tensors = dict[str, np.ndarray]


def one_output(*shape: int) -> Tensors:
    return {'output': np.zeros((1, *shape), np.float32)}


def yolo() -> Tensors:
    tensors = one_output(4 + 3, 84)
    tensors['output'][0, :, 70] = [32, 32, 16, 8, 0, 0.9, 0]
    tensors['output'][0, :, 10] = [12, 12, 8, 8, 0.8, 0, 0]
    return tensors


def finished() -> Tensors:
    tensors = one_output(20, 6)
    tensors['output'][0, :2] = [[8, 8, 40, 40, 0.9, 1], [8, 8, 16, 16, 0.8, 0]]
    return tensors


def rtdetr() -> Tensors:
    tensors = one_output(20, 4 + 3)
    tensors['output'][0, :2] = [[0.5, 0.5, 0.2, 0.2, 0, 0.9, 0], [0.1, 0.1, 0.1, 0.1, 0.8, 0, 0]]
    return tensors


def yolox() -> Tensors:
    tensors = one_output(84, 5 + 3)
    tensors['output'][0, 70] = [0.5, 0.5, 0, 0, 1, 0, 0.9, 0]
    tensors['output'][0, 10] = [0.5, 0.5, 0, 0, 1, 0.8, 0, 0]
    return tensors


def nanodet() -> Tensors:
    tensors = {f'cls_{cells}': np.zeros((1, cells, 3), np.float32) for cells in CELLS.values()}
    tensors |= {f'dis_{cells}': np.zeros((1, cells, 32), np.float32) for cells in CELLS.values()}
    tensors['cls_16'][0, 6, 1] = 0.9
    tensors['cls_64'][0, 0, 0] = 0.8
    return tensors


def yunet() -> Tensors:
    tensors = {
        f'{kind}_{stride}': np.zeros((1, cells, width), np.float32)
        for kind, width in {'cls': 1, 'obj': 1, 'bbox': 4, 'kps': 10}.items()
        for stride, cells in CELLS.items()
    }
    tensors['cls_16'][0, 6] = tensors['obj_16'][0, 6] = 0.9
    tensors['cls_8'][0, 0] = tensors['obj_8'][0, 0] = 0.8
    return tensors


def ssd() -> Tensors:
    boxes = np.zeros((1, 20, 4), np.float32)
    boxes[0, :2] = [[0.1, 0.1, 0.5, 0.5], [0.2, 0.2, 0.3, 0.3]]
    classes, scores = np.zeros((2, 1, 20), np.float32)
    scores[0, :2] = [0.9, 0.8]
    return dict(zip(SSD, (boxes, classes, scores, np.array([20], np.float32))))


def movenet() -> Tensors:
    return {'output': np.full((1, 1, 17, 3), 0.6, np.float32)}


def classifier() -> Tensors:
    return {'output': np.array([[0.9, 0.8, 0.1, 0.1, 0.1]], np.float32)}


# Decoder and options; outputs with two objects; where the score of the better one stands; where
# all scores are; of how many cells.
Case = tuple[dict, Callable[[], Tensors], tuple, dict[str, tuple], int]
ALL = np.s_[:]
CASES: dict[str, Case] = {
    'yolo': ({}, yolo, ('output', np.s_[0, 5, 70]), {'output': np.s_[0, 4:]}, 84),
    'yolo finished': (
        *({'layout': 'end_to_end'}, finished, ('output', np.s_[0, 0, 4])),
        *({'output': np.s_[0, :, 4]}, 20),
    ),
    'rtdetr': ({}, rtdetr, ('output', np.s_[0, 0, 5]), {'output': np.s_[0, :, 4:]}, 20),
    'yolox': ({}, yolox, ('output', np.s_[0, 70, 6]), {'output': np.s_[0, :, 4:]}, 84),
    'nanodet': (
        *({}, nanodet, ('cls_16', np.s_[0, 6, 1])),
        *({f'cls_{cells}': ALL for cells in CELLS.values()}, 84),
    ),
    'yunet': (
        *({}, yunet, ('obj_16', np.s_[0, 6, 0])),
        *({f'{kind}_{stride}': ALL for kind in ('cls', 'obj') for stride in CELLS}, 84),
    ),
    'ssd': ({}, ssd, ('scores', np.s_[0, 0]), {'scores': ALL}, 20),
    'movenet': ({}, movenet, ('output', np.s_[0, 0, 3, 2]), {'output': np.s_[..., 2]}, 17),
    'classifier': (
        *({'activation': 'none'}, classifier, ('output', np.s_[0, 0])),
        *({'output': ALL}, 5),
    ),
}
DETECTORS = [name for name in CASES if name not in ('movenet', 'classifier')]


def perceive(name: str, tensors: Tensors, threshold: float = 0.3) -> Perception:
    decoder = name.split()[0]
    keypoints = {'yunet': LANDMARKS, 'movenet': tuple('abcdefghijklmnopq')}.get(decoder, ())
    manifest = make_manifest(decoder, keypoints=keypoints, **CASES[name][0])
    return decode(bind(manifest, tensors), tensors, Selection(score_threshold=threshold))


def objects(perception: Perception) -> int:
    if perception.detections is not None:
        return len(perception.detections)
    if perception.classes is not None:
        return len(perception.classes.class_id)
    return int((perception.keypoints.score > 0).sum())


@pytest.mark.parametrize('threshold', [0.0, 0.3])
@pytest.mark.parametrize('number', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('name', CASES)
def test_a_score_that_is_not_finite_is_no_detection_and_its_share_is_told(name, number, threshold):
    _, make, (output, place), _, cells = CASES[name]
    whole = perceive(name, make(), threshold)
    assert whole.not_finite == 0
    tensors = make()
    tensors[output][place] = number
    got = perceive(name, tensors, threshold)
    assert objects(got) == objects(whole) - 1
    assert got.not_finite == pytest.approx(1 / cells)


@pytest.mark.parametrize('name', CASES)
def test_with_more_than_half_of_the_scores_not_finite_the_frame_failed(name):
    _, make, _, places, _ = CASES[name]
    tensors = make()
    for output, place in places.items():
        tensors[output][place] = np.nan
    with pytest.raises(NotFiniteError, match='not finite'):
        perceive(name, tensors)


@pytest.mark.parametrize(('broken', 'failed'), [(42, False), (43, True)])
def test_up_to_half_of_the_cells_may_be_lost(broken, failed):
    tensors = yolo()
    tensors['output'][0, 4, 84 - broken :] = np.nan
    if failed:
        with pytest.raises(NotFiniteError):
            perceive('yolo', tensors)
    else:
        got = perceive('yolo', tensors)
        assert got.not_finite == 0.5
        assert got.detections.class_id.tolist() == [0]  # the object of a cell that is left


def test_a_level_that_is_not_finite_as_in_a_real_export_leaves_the_others():
    # yolo11n_seg_320_int8 of Ultralytics gives NaN in the 400 cells of stride 16.
    tensors = one_output(4 + 3, 2100)
    tensors['output'][0, :, 10] = [12, 12, 8, 8, 0.8, 0, 0]
    tensors['output'][0, :, 1600:2000] = np.nan
    manifest = make_manifest('yolo', width=320, height=320)
    got = decode(bind(manifest, tensors), tensors)
    assert got.detections.xyxy.tolist() == [[8, 8, 16, 16]]
    assert got.not_finite == pytest.approx(400 / 2100)


@pytest.mark.parametrize('number', [-1, -0.06, 1.06, 1e31])
@pytest.mark.parametrize('name', CASES)
def test_scores_that_are_none_are_no_empty_scene(name, number):
    _, make, _, places, _ = CASES[name]
    tensors = make()
    for output, place in places.items():
        tensors[output][place] = number
    with pytest.raises(DecodeError, match='the model gave scores .*, expected 0 to 1'):
        perceive(name, tensors)


@pytest.mark.parametrize('name', CASES)
def test_what_rounding_leaves_below_0_is_no_error(name):
    _, make, _, places, _ = CASES[name]
    tensors = make()
    for output, place in places.items():
        tensors[output][place] -= 0.04
    assert objects(perceive(name, tensors)) >= 2


@pytest.mark.parametrize('name', [name for name in DETECTORS if name != 'nanodet'])
def test_a_box_that_no_object_can_have_is_no_result(name):
    _, make, _, _, _ = CASES[name]
    tensors = make()
    logarithms = name in ('yolox', 'yunet')
    huge = np.log(1e31) if logarithms else 1e31
    output = {'ssd': 'boxes', 'yunet': 'bbox_16'}.get(name, 'output')
    place = {
        'yolo': np.s_[0, 2, 70],
        'yolox': np.s_[0, 70, 2],
        'yunet': np.s_[0, 6, 2],
    }.get(name, np.s_[0, 0, 2])
    tensors[output][place] = huge
    with pytest.raises(DecodeError, match='the model gave the box .*, expected one inside'):
        perceive(name, tensors)


@pytest.mark.parametrize(
    ('name', 'output', 'place'),
    [('yunet', 'kps_16', np.s_[0, 6, 0]), ('movenet', 'output', np.s_[0, 0, 3, 0])],
)
def test_a_keypoint_that_no_object_can_have_is_no_result(name, output, place):
    tensors = CASES[name][1]()
    tensors[output][place] = 1e31
    with pytest.raises(DecodeError, match='the model gave the position'):
        perceive(name, tensors)
