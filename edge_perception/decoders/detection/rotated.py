# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Rotated boxes: overlap, suppression, and the way back to the source image.

A box is center x, center y, width, height in pixels, and the angle of its side ``width`` from the
x axis, clockwise on the screen, in radians.

The overlap is ProbIoU, as Ultralytics suppresses by it: one minus the Hellinger distance of the
Gaussians that have the center of the boxes and, along their sides, the variances w²/12 and h²/12.
So the angle of a square does not count.

Source: Llerena et al., Gaussian Bounding Boxes and Probabilistic Intersection-over-Union;
``batch_probiou`` of ultralytics/ultralytics.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_perception.contract import Detections
from edge_perception.contract import ImageTransform
from edge_perception.contract import select
from edge_perception.contract import Selection
from edge_perception.contract.boxes import Floats
from edge_perception.contract.boxes import Indices
from edge_perception.contract.boxes import MAX_CANDIDATES
from edge_perception.contract.types import Float32Array

_TINY = 1e-7


def prob_iou(box: Floats, boxes: Floats) -> Floats:
    """
    Return the ProbIoU of one rotated box with others.

    :param box: (5,).
    :param boxes: (N, 5).
    :return: float64 (N,), 0 to 1.
    """
    (x1, y1), (x2, y2) = box[:2], boxes[:, :2].T.astype(np.float64)
    a, b, c = (one + other for one, other in zip(_covariance(box[None]), _covariance(boxes)))
    det = a * b - c**2
    dets = _determinant(box[None]) * _determinant(boxes)
    distance = 0.25 * (a * (y2 - y1) ** 2 + b * (x2 - x1) ** 2) / (det + _TINY)
    distance += 0.5 * c * (x2 - x1) * (y1 - y2) / (det + _TINY)
    distance += 0.5 * np.log(det / (4 * np.sqrt(dets) + _TINY) + _TINY)
    hellinger = np.sqrt(1 - np.exp(-np.clip(distance, _TINY, 100)) + _TINY)
    overlap: Floats = 1 - hellinger
    return overlap


def select_rotated(
    boxes: Floats,
    *,
    score: Floats,
    class_id: npt.NDArray[np.integer[Any]],
    selection: Selection,
    transform: ImageTransform,
    suppressed: bool = False,
    remedy: str = 'correct decoder.options of the manifest',
) -> tuple[Detections, Indices]:
    """
    Turn rotated candidates into detections, as ``select`` does others.

    :param boxes: (N, 5), in pixels of the input of the model.
    :return: detections with ``rotated``, and the rows that they came from.
    :raises FloatingPointError: as ``select``.
    :raises ValueError: as ``select``.
    """
    rows = np.arange(len(boxes))
    if not suppressed:
        rows = _suppress(boxes, score, class_id, selection.iou_threshold)
    found, kept = select(
        _enclosing(boxes[rows]),
        score=score[rows],
        class_id=class_id[rows],
        selection=selection,
        transform=transform,
        suppressed=True,
        remedy=remedy,
    )
    rotated = _to_source(boxes[rows[kept]], transform)
    return replace(found, rotated=rotated), rows[kept]


def _covariance(boxes: Floats) -> tuple[Floats, Floats, Floats]:
    """Return variances along x and y, and the covariance, (N,) each, pixels squared."""
    width, height, angle = boxes[:, 2:5].T.astype(np.float64)
    along, across, cosine, sine = width**2 / 12, height**2 / 12, np.cos(angle), np.sin(angle)
    return (
        along * cosine**2 + across * sine**2,
        along * sine**2 + across * cosine**2,
        (along - across) * cosine * sine,
    )


def _determinant(boxes: Floats) -> Floats:
    # That of the covariance, which turning does not change.
    determinant: Floats = (boxes[:, 2:4].astype(np.float64) ** 2 / 12).prod(axis=1)
    return determinant


def _suppress(
    boxes: Floats, score: Floats, class_id: npt.NDArray[np.integer[Any]], threshold: float
) -> Indices:
    """Return the rows that stay, best score first: greedy, each class for itself."""
    rest = np.argsort(-score, kind='stable')[:MAX_CANDIDATES]
    kept: list[int] = []
    while len(rest):
        first, rest = rest[0], rest[1:]
        kept.append(first)
        covered = prob_iou(boxes[first], boxes[rest]) > threshold
        rest = rest[~(covered & (class_id[rest] == class_id[first]))]
    return np.array(kept, np.intp)


def _enclosing(boxes: Floats) -> Float32Array:
    """Return the upright boxes around rotated ones, (N, 4) corners."""
    along, across = np.abs(np.cos(boxes[:, 4])) / 2, np.abs(np.sin(boxes[:, 4])) / 2
    x = along * boxes[:, 2] + across * boxes[:, 3]
    y = across * boxes[:, 2] + along * boxes[:, 3]
    half = np.stack([x, y], axis=1)
    enclosing = np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
    return enclosing.astype(np.float32, copy=False)


def _to_source(boxes: Floats, transform: ImageTransform) -> Float32Array:
    """
    Return rotated boxes in pixels of the source image, their angle from 0 to pi / 2.

    A letterbox keeps angles. A stretch bends a box: then it is the rectangle of the same center
    and area along its longer side.
    """
    center, size, angle = boxes[:, :2], boxes[:, 2:4], boxes[:, 4]
    sides = np.stack([np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)], axis=1)
    sides = sides.reshape(-1, 2, 2) * size[:, :, None]
    place = transform.points_to_source(center)
    ends = transform.points_to_source(center[:, None] + sides) - place[:, None]
    lengths = np.maximum(np.hypot(ends[..., 0], ends[..., 1]), _TINY)
    area = np.abs(ends[:, 0, 0] * ends[:, 1, 1] - ends[:, 0, 1] * ends[:, 1, 0])
    rows, longer = np.arange(len(boxes)), lengths.argmax(axis=1)
    long = lengths[rows, longer]
    turn = np.arctan2(ends[rows, longer, 1], ends[rows, longer, 0]) % np.pi
    swapped = turn >= np.pi / 2
    width, height = np.where(swapped, [area / long, long], [long, area / long])
    turn = np.minimum(turn - swapped * (np.pi / 2), np.nextafter(np.float32(np.pi / 2), 0))
    return np.concatenate([place, np.stack([width, height, turn], 1)], axis=1).astype(np.float32)
