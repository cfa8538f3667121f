# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from edge_perception.contract import center_size_to_xyxy
from edge_perception.contract import ImageTransform
from edge_perception.contract import iou
from edge_perception.contract import select
from edge_perception.contract import Selection
from edge_perception.contract import suppress
from edge_perception.contract.boxes import MAX_CANDIDATES
from test.support.raising import raises

PLAIN = ImageTransform(source_width=100, source_height=100, input_width=100, input_height=100)
EVERYTHING = Selection(score_threshold=0.0, iou_threshold=1.0, max_detections=1000)


def boxes_of(rng: np.random.Generator, count: int, spread: float = 20.0) -> np.ndarray:
    centers = rng.random((count, 2)) * spread
    sizes = rng.random((count, 2)) * 10 + 1
    return np.concatenate([centers, centers + sizes], axis=1).astype(np.float32)


def slow_iou(a: np.ndarray, b: np.ndarray) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = [(each[2] - each[0]) * (each[3] - each[1]) for each in (a, b)]
    return shared / (sum(areas) - shared)


def slow_suppress(xyxy, score, class_id, threshold) -> list[int]:
    """Return the kept rows as the textbook defines them: one pair after the other."""
    kept: list[int] = []
    for row in sorted(range(len(xyxy)), key=lambda row: -score[row]):
        rivals = [each for each in kept if class_id[each] == class_id[row]]
        if all(slow_iou(xyxy[each], xyxy[row]) <= threshold for each in rivals):
            kept.append(row)
    return kept


def test_center_and_size_become_corners():
    boxes = np.array([[10, 20, 4, 6], [0, 0, 1, 3]], np.float32)
    assert center_size_to_xyxy(boxes).tolist() == [[8, 17, 12, 23], [-0.5, -1.5, 0.5, 1.5]]
    assert center_size_to_xyxy(boxes.astype(np.float64)).dtype == np.float32


def test_overlap_of_known_boxes():
    box = np.array([0, 0, 10, 10], np.float32)
    others = np.array(
        [
            [0, 0, 10, 10],  # the same
            [5, 0, 15, 10],  # half beside
            [0, 0, 5, 5],  # a quarter of it
            [10, 0, 20, 10],  # touching
            [30, 30, 40, 40],  # far away
            [5, 5, 5, 5],  # no area
        ],
        np.float32,
    )
    expected = [1, 1 / 3, 1 / 4, 0, 0, 0]
    np.testing.assert_allclose(iou(box, others), expected, rtol=1e-6)


def test_two_boxes_without_area_do_not_divide_by_zero():
    point = np.zeros(4, np.float32)
    with np.errstate(all='raise'):
        assert iou(point, point[None]).tolist() == [0.0]


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]))
def test_suppression_keeps_what_the_textbook_keeps(seed, count, threshold):
    rng = np.random.default_rng(seed)
    xyxy, class_id = boxes_of(rng, count), rng.integers(0, 3, count)
    score = rng.integers(0, 10, count).astype(np.float32) / 10  # with equal ones
    kept = suppress(xyxy, score=score, class_id=class_id, iou_threshold=threshold)
    assert kept.tolist() == slow_suppress(xyxy, score, class_id, threshold)


def test_far_more_candidates_than_objects_keep_the_best():
    count = MAX_CANDIDATES + 10
    xyxy = np.stack([np.arange(count) * 2.0, np.zeros(count)] * 2, axis=1)
    xyxy[:, 2:] += 1.0
    score = np.linspace(0.0, 1.0, count)
    kept = suppress(xyxy, score=score, class_id=np.zeros(count, int), iou_threshold=0.5)
    assert kept.tolist() == list(range(count - 1, count - 1 - MAX_CANDIDATES, -1))


def candidates():
    """Return four boxes: two that overlap, one of another class among them, one apart."""
    xyxy = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 1, 10, 11], [50, 50, 60, 60]], np.float32)
    score = np.array([0.6, 0.9, 0.5, 0.3], np.float64)
    return {'xyxy': xyxy, 'score': score, 'class_id': np.array([0, 0, 1, 2], np.int64)}


def rows_of(selection: Selection, *, transform: ImageTransform = PLAIN, **options: object):
    arrays = candidates()
    for name in arrays.keys() & options.keys():
        arrays[name] = options.pop(name)
    xyxy = arrays.pop('xyxy')
    return select(xyxy, **arrays, selection=selection, transform=transform, **options)


@pytest.mark.parametrize(
    ('selection', 'options', 'rows'),
    [
        (Selection(score_threshold=0.0), {}, [1, 2, 3]),
        (Selection(score_threshold=0.3), {}, [1, 2, 3]),
        (Selection(score_threshold=0.31), {}, [1, 2]),
        (Selection(score_threshold=0.0, iou_threshold=0.99), {}, [1, 0, 2, 3]),
        (Selection(score_threshold=0.0), {'suppressed': True}, [1, 0, 2, 3]),
        (Selection(score_threshold=0.0, max_detections=2), {}, [1, 2]),
        (Selection(score_threshold=0.0, max_detections=3), {'suppressed': True}, [1, 0, 2]),
        (Selection(score_threshold=0.0, class_ids=frozenset({1, 2, 99})), {}, [2, 3]),
        (Selection(score_threshold=0.0, class_ids=frozenset()), {}, []),
        (Selection(score_threshold=1.0), {}, []),
        (Selection(score_threshold=1.0), {'suppressed': True}, []),
    ],
)
def test_selection_by_score_class_overlap_and_number(selection, options, rows):
    detections, kept = rows_of(selection, **options)
    arrays = candidates()
    assert kept.tolist() == rows
    np.testing.assert_array_equal(detections.class_id, arrays['class_id'][rows])
    np.testing.assert_allclose(detections.score, arrays['score'][rows])
    np.testing.assert_array_equal(detections.xyxy, arrays['xyxy'][rows])
    types = [detections.xyxy.dtype, detections.score.dtype, detections.class_id.dtype]
    assert types == [np.float32, np.float32, np.int32]


@pytest.mark.parametrize(('box', 'score'), [(0.0, np.nan), (np.inf, 0.9)])
def test_what_is_no_number_is_a_failure_and_not_an_empty_list(box, score):
    with pytest.raises(FloatingPointError):
        select(
            np.full((1, 4), box, np.float32),
            score=np.array([score]),
            class_id=np.zeros(1, int),
            selection=EVERYTHING,
            transform=PLAIN,
        )


def test_no_candidates_are_no_detections():
    detections, rows = select(
        np.zeros((0, 4), np.float32),
        score=np.zeros(0),
        class_id=np.zeros(0, int),
        selection=EVERYTHING,
        transform=PLAIN,
    )
    assert len(detections) == len(rows) == 0


def test_overlap_is_judged_in_the_input_and_boxes_are_given_in_the_source():
    transform = ImageTransform(200, 100, 100, 100, scale_x=0.5, scale_y=0.5, offset_y=25.0)
    detections, _ = rows_of(Selection(score_threshold=0.8), transform=transform)
    assert detections.xyxy.tolist() == [[2, -50, 22, -30]]  # outside of the image: not clipped


@pytest.mark.parametrize('score', [3.2, -0.2])
def test_what_is_no_score_is_a_failure_in_one_sentence(score):
    with raises(ValueError, score, 'sigmoid'):
        rows_of(EVERYTHING, score=np.array([score, 0.9, 0.5, 0.3]))


def test_what_rounding_left_outside_of_0_to_1_is_clipped():
    detections, rows = rows_of(EVERYTHING, score=np.array([1.02, 1.008, 0.5, -0.004]))
    assert rows.tolist() == [0, 1, 2]
    assert detections.score.tolist() == [1, 1, 0.5]


@pytest.mark.parametrize('number', [-1, 2**31])
def test_what_is_no_class_is_a_failure_where_it_would_be_reported(number):
    class_id = np.array([0, 0, 1, number], np.int64)
    with raises(ValueError, number, 2**31 - 1):
        rows_of(EVERYTHING, class_id=class_id)
    assert rows_of(Selection(score_threshold=0.4), class_id=class_id)[1].tolist() == [1, 2]


def test_a_box_that_no_object_can_have_is_a_failure():
    transform = ImageTransform(1000, 1000, 100, 100, scale_x=0.1, scale_y=0.1)
    huge = np.array([[0, 0, 2e38, 10]], np.float32)
    with raises(ValueError, '2e+38', '100x100'):
        rows_of(
            EVERYTHING,
            xyxy=huge,
            score=np.ones(1),
            class_id=np.zeros(1, int),
            transform=transform,
        )
