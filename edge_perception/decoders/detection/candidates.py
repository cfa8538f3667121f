# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
What decoders of detectors share: the candidates of a frame, and the cells that they come from.

Of the thousands of rows of a head hardly any passes the threshold. Looking for these rows first
and computing afterwards costs little more than the search.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_perception.contract.boxes import best_by_bits
from edge_perception.contract.boxes import cell_counts
from edge_perception.contract.boxes import check_finite
from edge_perception.contract.boxes import Floats
from edge_perception.contract.boxes import Indices
from edge_perception.contract.boxes import MAX_CLASS_ID
from edge_perception.contract.types import Float32Array


def passing(values: Floats, threshold: float) -> Indices:
    """
    Return the indices of the values that are not below a threshold.

    :param values: any shape; indices count its elements in C order.
    """
    return np.flatnonzero(values >= threshold)


def best_classes(
    scores: Floats, threshold: float, usable: Callable[[Floats], Floats] = np.asarray
) -> tuple[Indices, Indices, Float32Array]:
    """
    Check scores, and find the rows whose best class passes a threshold.

    :param scores: (N, C), one row for each candidate, in either memory order.
    :param usable: that of the decoder; it gets all scores, or the best of each row where these
        tell as much. Without it scores are not checked.
    :return: rows (M,), their best classes (M,) and the scores of these (M,).
    """
    best = best_by_bits(scores, axis=1)
    if best is not None:
        rows = passing(usable(best), threshold)
    else:
        scores = usable(scores)
        rows = passing(scores.max(axis=1), threshold)
    chosen = scores[rows]
    classes = chosen.argmax(axis=1)
    best = chosen[np.arange(len(rows)), classes].astype(np.float32, copy=False)
    return rows, classes, best


def finished_rows(
    output: Floats, scores: Floats, threshold: float
) -> tuple[Indices, Indices, Float32Array]:
    """
    Find the rows of finished objects, with their class in column 5.

    :param scores: (N,), column 4; no NaN.
    :return: rows (M,), their classes (M,) and their scores (M,); rows of score 0 are not used.
    """
    rows = passing(scores, threshold)
    rows = rows[scores[rows] != 0]
    score = scores[rows].astype(np.float32, copy=False)
    return rows, whole_classes(output[rows, 5].astype(np.float32, copy=False)), score


def whole_classes(values: npt.NDArray[Any]) -> Indices:
    """
    Return classes that a model gives as real numbers.

    :raises FloatingPointError: one is not finite.
    :raises ValueError: one is so large that it would become another.
    """
    check_finite(values, 'classes')
    largest = np.abs(values).max(initial=0)
    if largest > MAX_CLASS_ID:
        raise ValueError(f'the model gave class {largest:g}, expected 0 to {MAX_CLASS_ID}')
    return np.asarray(np.rint(values), np.intp)


def sigmoid(logits: Floats) -> Float32Array:
    """Return the logistic function of logits, in a form that overflows for none of them."""
    scores: Float32Array = 0.5 * (1 + np.tanh(0.5 * logits.astype(np.float32, copy=False)))
    return scores


@dataclass(frozen=True, slots=True)
class Grid:
    """
    The cells of the feature maps of a model: stride by stride, row by row.

    :param origin: float32 (N, 2), upper left corner of each cell in pixels of the input.
    :param stride: float32 (N, 1), its edge in pixels.
    """

    origin: Float32Array
    stride: Float32Array


def grid(width: int, height: int, strides: Sequence[int]) -> Grid:
    """Return the cells of an input, in pixels."""
    origins, edges = [], []
    for stride, count in zip(strides, cell_counts(width, height, strides)):
        cells = np.arange(count)
        columns = -(-width // stride)
        origins.append(np.stack([cells % columns, cells // columns], axis=1) * stride)
        edges.append(np.full((count, 1), stride))
    return Grid(
        origin=np.concatenate(origins).astype(np.float32),
        stride=np.concatenate(edges).astype(np.float32),
    )
