# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What all decoders rely on: suppression, and the way back to the source image."""

from __future__ import annotations

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from edge_perception.contract import ImageTransform
from edge_perception.contract import suppress
from edge_perception.contract.boxes import usable_scores
from edge_perception.decoders.detection.candidates import best_classes

# Small whole numbers: many boxes overlap, touch, repeat, or have no area; many scores are equal.
candidates = st.lists(
    st.tuples(
        st.tuples(*[st.integers(0, 8)] * 4),
        st.sampled_from([0.1, 0.25, 0.5, 0.75]),
        st.integers(0, 2),
    ),
    max_size=24,
)


def overlap(a: tuple, b: tuple) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / both if both else 0.0


def suppress_one_by_one(rows: list[tuple], threshold: float) -> list[int]:
    kept: list[int] = []
    for index in sorted(range(len(rows)), key=lambda index: -rows[index][1]):
        box, _, class_id = rows[index]
        rivals = [rows[other] for other in kept if rows[other][2] == class_id]
        if all(overlap(box, rival[0]) <= threshold for rival in rivals):
            kept.append(index)
    return kept


@settings(max_examples=300, deadline=None)
@given(candidates, st.sampled_from([0.0, 0.3, 0.45, 0.6, 1.0]))
def test_suppression_keeps_what_comparing_one_by_one_keeps(rows, threshold):
    rows = [
        ((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)), score, class_id)
        for (x1, y1, x2, y2), score, class_id in rows
    ]
    kept = suppress(
        np.array([row[0] for row in rows], np.float32).reshape(-1, 4),
        score=np.array([row[1] for row in rows], np.float32),
        class_id=np.array([row[2] for row in rows], np.int64),
        iou_threshold=threshold,
    )
    assert kept.tolist() == suppress_one_by_one(rows, threshold)


@pytest.mark.parametrize('limit', [None, 1, 70])
def test_more_candidates_than_are_compared_at_once(limit):
    chance = np.random.default_rng(3)
    corner = chance.integers(0, 60, (300, 2))
    boxes = np.concatenate([corner, corner + chance.integers(1, 20, (300, 2))], axis=1)
    score, class_id = chance.integers(1, 9, 300) / 10, chance.integers(0, 3, 300)
    kept = suppress(
        boxes.astype(np.float32),
        score=score.astype(np.float32),
        class_id=class_id,
        iou_threshold=0.3,
        limit=limit,
    )
    rows = [(tuple(box), s, c) for box, s, c in zip(boxes.tolist(), score, class_id)]
    expected = suppress_one_by_one(rows, 0.3)
    assert len(expected) > 100
    assert kept.tolist() == expected[:limit]


strange = st.sampled_from([0.0, 0.25, 1.0, 1.04, -0.0, -0.01, np.nan, np.inf, -np.inf])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(*[strange] * 3), max_size=6), st.sampled_from(['C', 'F']))
def test_scores_are_checked_and_searched_as_one_by_one(rows, order):
    scores = np.array(np.array(rows, np.float32).reshape(-1, 3), order=order)
    finite = np.isfinite(scores).all(axis=1)
    usable, broken = usable_scores(scores)
    assert broken == np.count_nonzero(~finite)
    expected = [row for row in range(len(rows)) if finite[row] and max(rows[row]) >= 0.25]
    counted = []

    def count(given):
        counted.append(usable_scores(given)[1])
        return usable_scores(given)[0]

    found, classes, best = best_classes(scores, 0.25, count)
    assert (found.tolist(), counted) == (expected, [broken])
    assert classes.tolist() == [int(np.argmax(scores[row])) for row in expected]
    np.testing.assert_array_equal(best, scores[expected].max(axis=1, initial=0))
    if len(rows):
        scores[0, 0] = 1.06
        with pytest.raises(ValueError, match='expected 0 to 1'):
            best_classes(scores, 0.25, count)


sizes = st.integers(1, 4000)
offsets = st.floats(0, 300)
scales = st.floats(0.05, 4)
transforms = st.builds(
    ImageTransform,
    source_width=sizes,
    source_height=sizes,
    input_width=sizes,
    input_height=sizes,
    scale_x=scales,
    scale_y=scales,
    offset_x=offsets,
    offset_y=offsets,
    rotation=st.sampled_from([0, 90, 180, 270]),
)


def point_to_input(x: float, y: float, transform: ImageTransform) -> tuple[float, float]:
    """Turn clockwise, resize, place: as preprocessing does it."""
    width, height = transform.source_width, transform.source_height
    for _ in range(transform.rotation // 90):
        x, y = height - y, x
        width, height = height, width
    return (
        x * transform.scale_x + transform.offset_x,
        y * transform.scale_y + transform.offset_y,
    )


shares = st.floats(-0.2, 1.2)


@settings(max_examples=300, deadline=None)
@given(transforms, shares, shares, shares, shares)
def test_boxes_come_back_to_where_they_were_in_the_source(transform, x1, y1, x2, y2):
    width, height = transform.source_width, transform.source_height
    box = [
        min(x1, x2) * width,
        min(y1, y2) * height,
        max(x1, x2) * width,
        max(y1, y2) * height,
    ]
    corners = [point_to_input(*box[:2], transform), point_to_input(*box[2:], transform)]
    (low_x, high_x), (low_y, high_y) = sorted(c[0] for c in corners), sorted(c[1] for c in corners)
    found = transform.boxes_to_source(np.array([[low_x, low_y, high_x, high_y]]))
    np.testing.assert_allclose(found, [box], atol=0.01)
