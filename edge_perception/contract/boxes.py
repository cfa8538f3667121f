# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Boxes for authors of decoders: formats, overlap, non-maximum suppression, selection, checks.

A box is ``x1, y1, x2, y2`` in pixels. Coordinates are continuous, so that its area is
``(x2 - x1) * (y2 - y1)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from edge_perception.contract.types import Detections
from edge_perception.contract.types import Float32Array
from edge_perception.contract.types import ImageTransform
from edge_perception.contract.types import Selection

Floats = npt.NDArray[np.floating]
Indices = npt.NDArray[np.intp]

# With more candidates suppression would cost more than the inference; the best ones are kept.
# 3000 is far above what remains at any threshold that is of use on a vehicle.
MAX_CANDIDATES = 3000
# Of so many at once all overlaps are computed: fewer calls than one at a time, little in vain.
SUPPRESS_AT_ONCE = 64
# Fewer are checked sooner by their minimum and maximum than by their bits.
FEW_SCORES = 4096
_INFINITY = np.float32(np.inf).view(np.uint32)

MAX_CLASS_ID = 2**31 - 1
# How far beyond 0 and 1 rounding may carry a score: half a step of INT8 is 0.02 where a head has
# scores and logarithms of sizes in one tensor, -4.2 to 5.8. Logits go much farther.
SCORE_TOLERANCE = 0.05

# How far beyond the input something may be, in lengths of its sides. Objects end at the border of
# the image or a little behind it; boxes in another unit, or decoded twice, are far beyond.
FAR = 1
LARGE = 4
TURNED = 0.01  # rounding may put the right side so far left of the left one

# Strides of the feature maps of detectors: usual, with a fourth one (P6), with a finer one (P2).
PYRAMIDS = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))


def cell_counts(width: int, height: int, strides: Sequence[int]) -> tuple[int, ...]:
    """Return how many cells an input has at each stride."""
    return tuple(-(-width // stride) * -(-height // stride) for stride in strides)


def cell_totals(width: int, height: int) -> frozenset[int]:
    """Return how many cells each of ``PYRAMIDS`` has; nothing where the size is open."""
    if min(width, height) < 1:
        return frozenset()
    return frozenset(sum(cell_counts(width, height, strides)) for strides in PYRAMIDS)


def center_size_to_xyxy(boxes: Floats) -> Float32Array:
    """
    Convert boxes from center and size.

    :param boxes: (N, 4) center x, center y, width, height.
    :return: a new float32 array (N, 4).
    """
    half = boxes[:, 2:] * 0.5
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1).astype(
        np.float32, copy=False
    )


def iou(box: Floats, boxes: Floats) -> Floats:
    """
    Return the intersection over union of one box with others.

    :param box: (4,), or (M, 1, 4) for M boxes.
    :param boxes: (N, 4).
    :return: (N,), or (M, N), 0 to 1.
    """
    x1, y1, x2, y2 = (boxes[..., side] for side in range(4))
    left, top, right, bottom = (box[..., side] for side in range(4))
    width = np.minimum(right, x2) - np.maximum(left, x1)
    height = np.minimum(bottom, y2) - np.maximum(top, y1)
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    areas = (x2 - x1) * (y2 - y1)
    area = (right - left) * (bottom - top)
    overlap: Floats = shared / np.maximum(area + areas - shared, np.finfo(np.float32).tiny)
    return overlap


def suppress(
    xyxy: Floats,
    *,
    score: Floats,
    class_id: npt.NDArray[np.integer[Any]],
    iou_threshold: float,
    limit: int | None = None,
) -> Indices:
    """
    Greedy non-maximum suppression, each class for itself.

    :param xyxy: (N, 4).
    :param score: (N,).
    :param class_id: (N,).
    :param limit: maximum number of rows that stay, those of the best scores.
    :return: rows that stay, best score first; equal scores keep the order of the rows.
    """
    order = np.argsort(-score, kind='stable')[:MAX_CANDIDATES]
    kept: list[int] = []
    while len(order):
        first = order[:SUPPRESS_AT_ONCE]
        covers = iou(xyxy[first, None], xyxy[order]) > iou_threshold
        covers &= class_id[first, None] == class_id[order]
        alive = np.ones(len(order), bool)
        for index in range(len(first)):
            if not alive[index]:
                continue
            kept.append(first[index])
            if len(kept) == limit:
                return np.array(kept, np.intp)
            alive &= ~covers[index]
        order = order[len(first) :][alive[len(first) :]]
    return np.array(kept, np.intp)


def select(
    xyxy: Floats,
    *,
    score: Floats,
    class_id: npt.NDArray[np.integer[Any]],
    selection: Selection,
    transform: ImageTransform,
    suppressed: bool = False,
    remedy: str = 'correct decoder.options of the manifest',
) -> tuple[Detections, Indices]:
    """
    Turn candidates into detections: threshold, classes, suppression, the best ones, source pixels.

    :param xyxy: (N, 4), in pixels of the input of the model.
    :param score: (N,).
    :param class_id: (N,).
    :param suppressed: the model did its own suppression.
    :param remedy: what to do when boxes are no boxes of this input.
    :return: detections in pixels of the source image, and the rows that they came from.
    :raises FloatingPointError: a score, or a box that would be reported, is not finite.
    :raises ValueError: a score is outside of 0 to 1 by more than rounding explains; or the class
        of a box above the threshold is none, or that box far outside of the input, much larger, or
        turned inside out.
    """
    check_scores(score)
    wanted = score >= selection.score_threshold
    _check_class_ids(class_id[wanted])
    if selection.class_ids is not None:
        wanted &= np.isin(class_id, list(selection.class_ids))
    rows, boxes, scores, classes = None, xyxy, score, class_id
    if not wanted.all():  # decoders give few others
        rows = np.flatnonzero(wanted)
        boxes, scores, classes = xyxy[rows], score[rows], class_id[rows]
    _check_inside(boxes, transform, remedy)
    if suppressed:
        best = np.argsort(-scores, kind='stable')[: selection.max_detections]
    else:
        best = suppress(
            boxes,
            score=scores,
            class_id=classes,
            iou_threshold=selection.iou_threshold,
            limit=selection.max_detections,
        )[: selection.max_detections]
    detections = Detections(
        xyxy=transform.boxes_to_source(boxes[best]),
        score=np.clip(scores[best], 0, 1).astype(np.float32),
        class_id=classes[best].astype(np.int32),
    )
    return detections, best if rows is None else rows[best]


def only_image(output: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """
    Return what an output says of the one image: the output without its first size.

    :raises ValueError: that size is not 1, so it counts something else than images.
    """
    if len(output) != 1:
        shape = 'x'.join(map(str, output.shape))
        raise ValueError(f'the model gave an output of {shape}, expected one image, 1x...')
    image: npt.NDArray[Any] = output[0]
    return image


def check_finite(values: npt.NDArray[Any], what: str) -> None:
    """
    Refuse numbers that nothing can be made of.

    :raises FloatingPointError: a value is NaN or infinite. Comparisons with NaN are false, so
        that a broken engine would otherwise look like an empty street.
    """
    if not np.isfinite(values).all():
        raise_not_finite(what)


def raise_not_finite(what: str) -> NoReturn:
    """Raise the error for numbers that are not finite."""
    raise FloatingPointError(
        f'the model gave {what} that are not finite (NaN or infinite), most often because '
        'its precision is too low for it; try fp32'
    )


def usable_scores(
    score: Floats,
    *,
    tolerance: float = SCORE_TOLERANCE,
    remedy: str = 'export it with its sigmoid',
) -> tuple[Floats, int]:
    """
    Set scores that are not finite aside, and refuse what is no score, such as logits.

    :param score: (N,) or (N, C), a row for each cell.
    :param tolerance: how far beyond 0 and 1 a score may be.
    :param remedy: what to do when one is farther out.
    :return: the scores, and the number of cells with one that is not finite; where there are any,
        the scores are a copy in which those of such cells are -inf, below every threshold.
    :raises ValueError: a score is outside of 0 to 1.
    """
    if score.size > FEW_SCORES:
        best = best_by_bits(score, axis=0)
        if best is not None and best.max(initial=0) <= 1 + tolerance:
            return score, 0
    low, high = score.min(initial=0), score.max(initial=0)
    if -tolerance <= low and high <= 1 + tolerance:  # false for NaN
        return score, 0
    finite = np.isfinite(score)
    low, high = (find(score, initial=0, where=finite) for find in (np.min, np.max))
    if low < -tolerance or high > 1 + tolerance:
        found = f'up to {high:.3g}' if high > 1 + tolerance else f'down to {low:.3g}'
        raise ValueError(f'the model gave scores {found}, expected 0 to 1; {remedy}')
    broken = ~finite.reshape(len(score), -1).all(axis=1)
    usable = np.array(score)
    usable[broken] = -np.inf
    return usable, int(np.count_nonzero(broken))


def best_by_bits(score: Floats, *, axis: int) -> Float32Array | None:
    """
    Return the maxima of scores along an axis; None where one is negative or not finite.

    As integers, the bits of floats from 0 up have the order of their values, and all others are
    larger. So one look at each score checks it and finds the best, where minimum and maximum take
    two, and with NaN to look out for: 0.21 ms instead of 0.44 ms for (8400, 80) that the caches do
    not hold (NumPy 2.4, x86-64).
    """
    if score.dtype != np.float32:
        return None
    best = score.view(np.uint32).max(axis=axis, initial=0)
    if best.max(initial=0) >= _INFINITY:
        return None
    found: Float32Array = best.view(np.float32)
    return found


def check_scores(score: Floats) -> None:
    """
    Refuse what is no score.

    :raises FloatingPointError: a score is NaN or infinite.
    :raises ValueError: a score is outside of 0 to 1.
    """
    if usable_scores(score)[1]:
        check_finite(score, 'scores')


def check_positions(points: Floats, transform: ImageTransform) -> None:
    """
    Refuse points that no keypoint of an image can have.

    :param points: (..., 2), in pixels of the input.
    :raises FloatingPointError: a number is not finite.
    :raises ValueError: a point is far outside of the input.
    """
    check_finite(points, 'positions')
    side = np.array([transform.input_width, transform.input_height], np.float32)
    strange = (np.abs(points) > LARGE * side).any(axis=-1)
    for x, y in points[strange][:1]:
        raise ValueError(
            f'the model gave the position {x:.3g}, {y:.3g} in an input of {side[0]:g}x'
            f'{side[1]:g} pixels, expected one inside of it; correct decoder.options of the '
            'manifest'
        )


def _check_inside(xyxy: Floats, transform: ImageTransform, remedy: str) -> None:
    """Refuse boxes that no object of an image can have: in another unit, or decoded twice."""
    side = np.array([transform.input_width, transform.input_height], np.float32)
    corners = xyxy.reshape(-1, 2, 2) / side
    # What all frames are like; each comparison is false for NaN.
    if (
        corners.min(initial=0) >= -FAR
        and corners.max(initial=0) <= 1 + FAR
        and (corners[:, 1] - corners[:, 0]).min(initial=0) >= -TURNED
    ):
        return
    check_finite(xyxy, 'boxes')
    center, size = corners.mean(axis=1), corners[:, 1] - corners[:, 0]
    strange = (center < -FAR) | (center > 1 + FAR) | (size > LARGE) | (size < -TURNED)
    for row in np.flatnonzero(strange.any(axis=1))[:1]:
        box = ', '.join(f'{value:.3g}' for value in xyxy[row])
        raise ValueError(
            f'the model gave the box {box} in an input of {side[0]:g}x{side[1]:g} pixels, '
            f'expected one inside of it; {remedy}'
        )


def _check_class_ids(class_id: npt.NDArray[Any]) -> None:
    if class_id.min(initial=0) >= 0 and class_id.max(initial=0) <= MAX_CLASS_ID:
        return
    strange = class_id[~((class_id >= 0) & (class_id <= MAX_CLASS_ID))]
    if strange.size:
        raise ValueError(f'the model gave class {strange[0]}, expected 0 to {MAX_CLASS_ID}')
