# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What all decoders rely on: suppression, and the way back to the source image."""

from __future__ import annotations

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np

from edge_perception.contract import ImageTransform
from edge_perception.contract import suppress

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
