# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import FrozenInstanceError
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from edge_perception.contract import Boxes3D
from edge_perception.contract import Classes
from edge_perception.contract import Detections
from edge_perception.contract import Frame
from edge_perception.contract import ImageTransform
from edge_perception.contract import Keypoints
from edge_perception.contract import LabelMap
from edge_perception.contract import TensorSpec
from test.support.raising import raises


def detections(rows: int = 2, **changes: object) -> Detections:
    arrays = {
        'xyxy': np.zeros((rows, 4), np.float32),
        'score': np.zeros(rows, np.float32),
        'class_id': np.zeros(rows, np.int32),
        **changes,
    }
    return Detections(**arrays)


def test_detections_have_as_many_rows_as_boxes():
    assert len(detections(3)) == 3
    assert len(detections(3, track_id=np.zeros(3, np.int32))) == 3


def test_empty_detections_are_arrays_of_the_usual_shapes_and_types():
    empty = Detections.empty()
    assert len(empty) == 0
    assert empty.xyxy.shape == (0, 4)
    types = [empty.xyxy.dtype, empty.score.dtype, empty.class_id.dtype]
    assert types == [np.float32, np.float32, np.int32]
    assert empty.track_id is None


def test_boxes_in_space_have_a_row_of_everything():
    rows = np.zeros((2, 6, 6))
    arrays = {'center': rows[:, 0, :3], 'size': rows[:, 0, :3], 'orientation': rows[:, 0, :4]}
    boxes = Boxes3D(**arrays, covariance=rows, instance=np.arange(2))
    assert len(boxes) == 2
    with pytest.raises(ValueError) as caught:
        replace(boxes, size=rows[:1, 0, :3])
    assert str(caught.value) == 'Boxes3D.size: got shape (1, 3), expected (2, 3)'


@pytest.mark.parametrize(
    ('field', 'got', 'expected'),
    [
        ('score', (3,), (2,)),
        ('class_id', (2, 1), (2,)),
        ('track_id', (1,), (2,)),
        ('xyxy', (2, 5), (2, 4)),
        ('xyxy', (4,), (4, 4)),
    ],
)
def test_detections_whose_arrays_disagree_cannot_be_made(field, got, expected):
    with raises(ValueError, f'Detections.{field}', got, expected):
        detections(**{field: np.zeros(got)})


def test_keypoints_have_a_row_for_each_instance():
    assert len(Keypoints(xy=np.zeros((2, 17, 2)), score=np.zeros((2, 17)))) == 2


@pytest.mark.parametrize(
    ('xy', 'score'),
    [((2, 17, 3), (2, 17)), ((2, 17, 2), (2, 16)), ((17, 2), (17,)), ((2, 17, 2), (2, 17, 1))],
)
def test_keypoints_whose_arrays_disagree_cannot_be_made(xy, score):
    with raises(ValueError, 'Keypoints', f'xy {xy}', f'score {score}'):
        Keypoints(xy=np.zeros(xy), score=np.zeros(score))


def test_classes_whose_arrays_disagree_cannot_be_made():
    with raises(ValueError, 'Classes', 'class_id (2,)', 'score (3,)'):
        Classes(class_id=np.zeros(2, np.int32), score=np.zeros(3, np.float32))


def test_values_are_frozen():
    with pytest.raises(FrozenInstanceError):
        detections().score = np.ones(2)


@pytest.mark.parametrize('shape', [(480, 640, 3), (480, 640)])
def test_a_frame_knows_its_size(shape):
    frame = Frame(np.zeros(shape, np.uint8))
    assert (frame.width, frame.height) == (640, 480)


def test_a_spec_is_described_in_few_words():
    assert TensorSpec('x', (1, -1, 4), np.dtype('f4')).describe() == '1x?x4 float32'
    assert TensorSpec('x', (), np.dtype('i8')).describe() == 'scalar int64'


def turned(points: np.ndarray, transform: ImageTransform) -> np.ndarray:
    """Lay points of the source into the input, step by step as the class describes it."""
    x, y = points[..., 0], points[..., 1]
    width, height = transform.source_width, transform.source_height
    for _ in range(transform.rotation // 90):
        x, y = height - y, x
        width, height = height, width
    x = x * transform.scale_x + transform.offset_x
    return np.stack([x, y * transform.scale_y + transform.offset_y], axis=-1)


transforms = st.builds(
    ImageTransform,
    source_width=st.integers(1, 4000),
    source_height=st.integers(1, 4000),
    input_width=st.just(640),
    input_height=st.just(480),
    scale_x=st.floats(0.05, 20),
    scale_y=st.floats(0.05, 20),
    offset_x=st.integers(0, 300).map(float),
    offset_y=st.integers(0, 300).map(float),
    rotation=st.sampled_from([0, 90, 180, 270]),
)


@given(transforms, st.integers(0, 2**32 - 1))
def test_points_come_back_to_where_they_were_in_the_source(transform, seed):
    size = [transform.source_width, transform.source_height]
    points = np.random.default_rng(seed).random((2, 3, 2)) * size
    back = transform.points_to_source(turned(points, transform))
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, points, rtol=1e-4, atol=1e-2)


@given(transforms, st.integers(0, 2**32 - 1))
def test_boxes_come_back_with_the_smaller_corner_first(transform, seed):
    size = [transform.source_width, transform.source_height]
    corners = np.sort(np.random.default_rng(seed).random((5, 2, 2)), axis=1) * size
    laid = turned(corners, transform)
    boxes = np.concatenate([laid.min(axis=1), laid.max(axis=1)], axis=1)
    back = transform.boxes_to_source(boxes)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, corners.reshape(-1, 4), rtol=1e-4, atol=1e-2)


def test_no_boxes_come_back_as_no_boxes():
    transform = ImageTransform(4, 4, 4, 4, rotation=90)
    assert transform.boxes_to_source(np.zeros((0, 4), np.float32)).shape == (0, 4)


def test_what_comes_back_is_new_memory():
    boxes = np.ones((1, 4), np.float32)
    ImageTransform(4, 4, 4, 4).boxes_to_source(boxes)[...] = 7
    assert (boxes == 1).all()


def test_labels_are_found_by_index_and_by_name():
    labels = LabelMap(('person', 'car'))
    assert [labels.name(0), labels.name(1), labels.name(2), labels.name(-1)] == [
        'person',
        'car',
        '2',
        '-1',
    ]
    assert labels.index('car') == 1
    assert labels.index('1') == 1
    assert labels.index('truck') is None


def test_a_name_made_of_digits_comes_before_an_index():
    assert LabelMap(('7', '8')).index('8') == 1


@pytest.mark.parametrize('name', ['²', '-1', '1.0', '', ' ', '0x1'])
def test_what_is_no_index_is_an_unknown_label(name):
    assert LabelMap(('person',)).index(name) is None
