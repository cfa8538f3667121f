# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_perception.contract import Classes
from edge_perception.contract import Detections
from edge_perception.contract import Frame
from edge_perception.contract import Keypoints
from edge_perception.contract import LabelMap
from edge_perception.contract import Perception
from edge_perception.runtime.drawing import color_of
from edge_perception.runtime.drawing import draw
from edge_perception.runtime.drawing import Tails

LABELS = LabelMap(('person', 'car'))


def detections(*boxes, class_id=0) -> Perception:
    count = len(boxes)
    return Perception(
        detections=Detections(
            xyxy=np.array(boxes, np.float32).reshape(-1, 4),
            score=np.full(count, 0.9, np.float32),
            class_id=np.full(count, class_id, np.int32),
        )
    )


def gray(height: int, width: int) -> Frame:
    return Frame(image=np.full((height, width, 3), 128, np.uint8))


def painted(picture: np.ndarray) -> np.ndarray:
    return (picture != 128).any(axis=2)


@pytest.mark.parametrize('size', [(48, 64), (480, 640), (2160, 3840)])
def test_lines_and_letters_grow_with_the_picture(size):
    height, width = size
    box = (width / 4, height / 4, width * 3 / 4, height * 3 / 4)
    picture = draw(gray(height, width), detections(box), labels=LABELS)
    assert picture.shape == (height, width, 3)
    row = painted(picture)[height // 2, : width // 2]
    assert 1 <= row.sum() <= max(3, height / 100)


def test_tracked_objects_have_tails():
    tails, pictures = Tails(), []
    for x in (10, 40, 70):
        seen = detections((x, 40, x + 20, 60)).detections
        seen = replace(seen, track_id=np.array([7], np.int32), track_token='run')
        pictures.append(draw(gray(100, 100), Perception(seen), labels=LABELS, tails=tails))
    assert painted(pictures[2])[50, 21:69].all() and not painted(pictures[0])[50, 32:].any()
    untracked = draw(gray(100, 100), detections((70, 40, 90, 60)), labels=LABELS, tails=tails)
    assert not painted(untracked)[50, 21:69].any()


@pytest.mark.parametrize('size', [(1, 1), (8, 8), (2, 500), (500, 2)])
def test_pictures_too_small_for_a_label(size):
    picture = draw(gray(*size), detections((0, 0, 5, 5)), labels=LABELS)
    assert picture.shape == (*size, 3)


def test_a_rotated_box_is_drawn_along_its_sides():
    found = detections((29, 29, 71, 71))
    rotated = np.array([[50, 50, 40, 20, np.pi / 4]], np.float32)
    turned = Perception(replace(found.detections, rotated=rotated))
    shown = painted(draw(gray(100, 100), turned, labels=LABELS))
    # On its long side, and not on the upright box around it.
    assert shown[50 - 7, 50 + 7] and not shown[60:, 29].any() and not shown[71, :40].any()


def test_the_pixels_of_each_instance_have_a_color():
    instances = np.zeros((100, 100), np.uint16)
    instances[60:70, 10:20], instances[60:70, 40:50] = 1, 2
    found = replace(detections((1, 1, 3, 3), (5, 5, 8, 8)), instances=instances)
    picture = draw(gray(100, 100), found, labels=LABELS)
    assert painted(picture)[55:75].sum() == 200
    assert (picture[65, 15] != picture[65, 45]).any()


def test_the_frame_stays_as_it_was():
    frame = gray(60, 80)
    draw(frame, detections((10, 20, 40, 50)), labels=LABELS)
    assert (frame.image == 128).all()


def test_a_class_has_one_color_and_neighbors_have_others():
    assert color_of(3) == color_of(3)
    colors = np.array([color_of(index) for index in range(80)], int)
    neighbors = np.abs(np.diff(colors, axis=0)).max(axis=1)
    assert neighbors.min() > 60


def test_boxes_that_leave_the_picture():
    boxes = [(-1e30, -50, 1e30, 1e9), (-20, -20, -10, -10), (70, 50, 300, 200)]
    picture = draw(gray(60, 80), detections(*boxes), labels=LABELS)
    assert painted(picture).any()


def test_the_label_of_a_box_at_the_upper_border_stays_in_the_picture():
    picture = draw(gray(200, 300), detections((10, 0, 200, 150)), labels=LABELS)
    inside = painted(picture)[2:12, 12:60]
    assert inside.mean() > 0.9


@pytest.mark.parametrize(
    ('encoding', 'shape'), [('bgr8', (60, 80, 3)), ('rgb8', (60, 80, 3)), ('mono8', (60, 80))]
)
def test_every_encoding_becomes_bgr(encoding, shape):
    image = np.zeros(shape, np.uint8)
    if encoding == 'rgb8':
        image[..., 0] = 200
    picture = draw(Frame(image=image, encoding=encoding), Perception(), labels=LABELS)
    assert picture.shape == (60, 80, 3)
    assert picture[0, 0].tolist() == ([0, 0, 200] if encoding == 'rgb8' else [0, 0, 0])


def test_lines_join_seen_keypoints_only():
    points = [[(20, 20), (60, 20), (60, 50), (np.nan, np.nan)]]
    keypoints = Keypoints(
        xy=np.array(points, np.float32), score=np.array([[0.9, 0.8, 0.7, 0]], np.float32)
    )
    picture = draw(
        gray(60, 80),
        Perception(keypoints=keypoints),
        labels=LABELS,
        skeleton=((0, 1), (2, 3)),
    )
    changed = painted(picture)
    assert changed[20, 20:60].all()
    assert changed[50, 60]
    assert not changed[30:40].any()


def test_a_mask_tints_its_classes_but_not_the_background():
    mask = np.zeros((60, 80), np.uint8)
    mask[:30] = 1
    background = LabelMap(('background', 'road'))
    tinted = painted(draw(gray(60, 80), Perception(mask=mask), labels=background))
    assert tinted[:30].all() and not tinted[30:].any()
    both = painted(draw(gray(60, 80), Perception(mask=mask), labels=LabelMap(('road', 'sky'))))
    assert both.all()


def test_classes_are_written_into_the_corner():
    classes = Classes(class_id=np.array([1, 0], np.int32), score=np.array([0.7, 0.2], np.float32))
    changed = painted(draw(gray(240, 320), Perception(classes=classes), labels=LABELS))
    assert changed[2:20, 2:40].mean() > 0.9
    assert not changed[120:].any()
