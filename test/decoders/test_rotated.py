# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Rotated boxes: overlap, heads with an angle, and angles in the source image."""

from __future__ import annotations

from dataclasses import replace
import math

import cv2
import numpy as np
import pytest

from edge_perception.contract import DecoderMismatchError
from edge_perception.contract import ImageTransform
from edge_perception.contract import Selection
from edge_perception.decoders.detection.rotated import prob_iou
from test.decoders.network import make_decoder
from test.decoders.outputs import bind
from test.decoders.outputs import decode
from test.decoders.outputs import make_manifest
from test.decoders.outputs import specs

SIDE, CELLS = 320, 2100
TILT = math.radians(30)
BOX = (100, 100, 80, 20, TILT)
CORNERS = [(60.36, 88.66), (70.36, 71.34), (129.64, 128.66), (139.64, 111.34)]
SAME = ImageTransform(SIDE, SIDE, SIDE, SIDE)


def corners(rotated: np.ndarray) -> list[tuple[float, float]]:
    x, y, width, height, angle = rotated.tolist()
    points = cv2.boxPoints(((x, y), (width, height), math.degrees(angle)))
    return sorted((float(x), float(y)) for x, y in points)


def found_in(*rows: tuple[float, ...], layout='channels_first', transform=SAME, **options):
    """Decode rows center x, center y, width, height, angle, score, class of two classes."""
    if layout == 'end_to_end':
        output = np.zeros((1, 300, 7), np.float32)
        for index, (*box, angle, score, class_id) in enumerate(rows):
            output[0, index] = [*box, score, class_id, angle]
    else:
        output = np.zeros((1, 7, CELLS), np.float32)
        for index, (*box, angle, score, class_id) in enumerate(rows):
            output[0, :, 100 + index] = [*box, *score * np.eye(2)[class_id], angle]
    tensors = {'output0': output if layout != 'channels_last' else output.transpose(0, 2, 1)}
    manifest = make_manifest('yolo', width=SIDE, height=SIDE, labels=('a', 'b'))
    options = {'layout': layout, 'rotated': True, **options}
    manifest = replace(manifest, decoder_options=options)
    return decode(bind(manifest, tensors), tensors, transform=transform).detections


@pytest.mark.parametrize(
    ('other', 'overlap'),
    [
        (BOX, 0.9996),
        ((100, 100, 80, 20, 2 * TILT), 0.4799),
        ((100, 100, 80, 20, TILT + math.pi / 2), 0.2724),
        ((100, 100, 20, 80, TILT - math.pi / 2), 0.9996),
        ((110, 100, 80, 20, TILT), 0.6754),
        ((100, 100, 40, 40, 0), 0.5528),
    ],
)
def test_overlap_is_that_of_ultralytics(other, overlap):
    assert prob_iou(np.array(BOX), np.array([other]))[0] == pytest.approx(overlap, abs=1e-4)


@pytest.mark.parametrize('layout', ['channels_first', 'channels_last', 'end_to_end'])
@pytest.mark.parametrize('box', [BOX, (100, 100, 20, 80, TILT - math.pi / 2)])
def test_one_object_in_every_layout(layout, box):
    found = found_in((*box, 0.9, 1), layout=layout)
    assert found.class_id.tolist() == [1]
    np.testing.assert_allclose(found.rotated, [BOX], atol=1e-3)
    np.testing.assert_allclose(corners(found.rotated[0]), CORNERS, atol=0.01)
    np.testing.assert_allclose(found.xyxy, [[60.36, 71.34, 139.64, 128.66]], atol=0.01)


def test_crossed_boxes_are_two_objects_and_aligned_ones_are_one():
    crossed = (100, 100, 80, 20, TILT + math.pi / 2)
    shifted = (104, 100, 80, 20, TILT)
    rows = [(*BOX, 0.9, 0), (*crossed, 0.8, 0), (*shifted, 0.7, 0), (*shifted, 0.6, 1)]
    found = found_in(*rows)
    np.testing.assert_allclose(found.score, [0.9, 0.8, 0.6])
    assert len(found_in(*rows, layout='end_to_end')) == 4


@pytest.mark.parametrize('rotation', [0, 90, 180, 270])
def test_a_letterbox_keeps_angles_and_a_turned_camera_turns_them(rotation):
    transform = ImageTransform(640, 640, SIDE, SIDE, 0.4, 0.4, 32, 32, rotation)
    found = found_in((*BOX, 0.9, 0), transform=transform)
    expected = transform.points_to_source(np.array(CORNERS)).tolist()
    np.testing.assert_allclose(corners(found.rotated[0]), sorted(map(tuple, expected)), atol=0.05)
    assert 0 <= found.rotated[0, 4] < math.pi / 2


def test_a_stretch_bends_the_angle_and_keeps_the_long_side():
    transform = ImageTransform(640, 320, SIDE, SIDE, 0.5, 1.0)
    found = found_in((*BOX, 0.9, 0), transform=transform)
    width, height, angle = found.rotated[0, 2:]
    assert angle == pytest.approx(math.atan2(math.sin(TILT), 2 * math.cos(TILT)))
    assert width * height == pytest.approx(2 * 80 * 20, rel=1e-4)
    np.testing.assert_allclose(found.rotated[0, :2], [200, 100])


def test_boxes_from_0_to_1():
    row = (100 / SIDE, 100 / SIDE, 80 / SIDE, 20 / SIDE, TILT, 0.9, 0)
    np.testing.assert_allclose(found_in(row, box_units='normalized').rotated, [BOX], atol=1e-3)


def test_nothing_has_no_angle_and_the_best_stay():
    assert found_in().rotated.shape == (0, 5)
    rows = [(50 + 60 * index, 100, 30, 20, 0.1, 0.5 + index / 10, 0) for index in range(4)]
    manifest = make_manifest('yolo', width=SIDE, height=SIDE, rotated=True)
    output = np.zeros((1, 6, CELLS), np.float32)
    for index, (*box, angle, score, _) in enumerate(rows):
        output[0, :, index] = [*box, score, angle]
    tensors = {'output0': output}
    found = decode(bind(manifest, tensors), tensors, Selection(max_detections=2)).detections
    np.testing.assert_allclose(found.score, [0.8, 0.7])
    np.testing.assert_allclose(found.rotated[:, 0], [230, 170])


def test_an_angle_and_keypoints_do_not_go_together():
    manifest = make_manifest('yolo', keypoints=('a',), rotated=True)
    with pytest.raises(DecoderMismatchError, match='one kind'):
        make_decoder(manifest, *specs(output0=(1, 9, 84)))
