# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How many waiting cameras go into one call of the engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from edge_perception.contract import Engine
from edge_perception.contract import EngineError
from edge_perception.contract import InferenceError
from edge_perception.contract import Tensors
from edge_perception.runtime.budget import Clock

WINDOW = 8
# A frame of a batch has to take so much less than one alone.
LEAST_SAVING = 0.05
MEASURED_RUNS = 3
# How far rows of a batch may be from single results, as a share of the greatest number: engines
# take other kernels for a batch, which round elsewhere.
TOLERANCE = 0.02


class Batching:
    """
    Decides the size of each batch by what the sizes took lately.

    Frames are put together where that is faster for each, and where all of them stay in their
    budgets although they wait for each other. Guarded by who calls
    it, but for ``around``.

    :param times_ns: for each size but 1 that may be used, and for 1, how long the engine takes.
    """

    def __init__(self, times_ns: Mapping[int, int] | None = None) -> None:
        times = times_ns or {1: 0}
        self.largest = max(times)
        self._infer_ns = {size: deque([taken], maxlen=WINDOW) for size, taken in times.items()}
        # Of one frame: bringing it into a row, and decoding and publishing it.
        # Replaced, never changed, because another thread may read them.
        self._around_ns: dict[str, tuple[int, ...]] = {'prepare': (0,), 'finish': (0,)}

    def padded(self, frames: int) -> int:
        """Return the size of the batch in which so many frames are computed."""
        return min(size for size in self._infer_ns if size >= frames)

    def around(self, what: str, taken_ns: int, frames: int) -> None:
        """Take in how long it took to ``prepare`` or ``finish`` frames. Thread: any."""
        latest = self._around_ns[what][1 - WINDOW :]
        self._around_ns[what] = (*latest, taken_ns // max(frames, 1))

    def computed(self, frames: int, taken_ns: int) -> None:
        """Take in how long the engine took."""
        self._infer_ns[self.padded(frames)].append(taken_ns)

    def extra_ns(self, frames: int) -> int:
        """Return by how much longer a frame takes in a batch than alone."""
        if frames == 1:
            return 0
        around = sum(max(each) for each in self._around_ns.values())
        computing = max(self._infer_ns[self.padded(frames)]) - min(self._infer_ns[1])
        return max(computing, 0) + (frames - 1) * around

    def size(self, spare_ns: Sequence[int | None]) -> int:
        """
        Return how many of the frames that wait are to be computed together, the first ones.

        :param spare_ns: for each in the order of their turns, what is left of its budget beyond
            what it takes alone; None without limit.
        """
        for frames in range(min(len(spare_ns), self.largest), 1, -1):
            together = min(self._infer_ns[self.padded(frames)])
            alone = frames * min(self._infer_ns[1])
            extra_ns = self.extra_ns(frames)
            fits = all(spare is None or spare >= extra_ns for spare in spare_ns[:frames])
            if fits and together <= (1 - LEAST_SAVING) * alone:
                return frames
        return 1


def measure_batches(engine: Engine, *, most: int, clock: Clock) -> dict[int, int]:
    """
    Let an engine compute each size of batch that it declares, and compare the rows.

    :param most: the largest size that is of use.
    :return: how long each took at most, nanoseconds, sizes in rising order.
    :raises InferenceError: a size fails, or a row has another result than the frame alone.
    """
    useful = [size for size in engine.batches if size <= most]
    rng = np.random.default_rng(0)
    rows = {
        spec.name: rng.integers(0, 100, (max(useful), *spec.shape[1:])).astype(spec.dtype)
        for spec in engine.inputs
    }
    alone = [_copied(engine.infer(_rows(rows, row, row + 1))) for row in range(max(useful))]
    times: dict[int, int] = {}
    for size in useful:
        times[size] = 0
        for _ in range(MEASURED_RUNS):
            begun_ns = clock()
            try:
                outputs = engine.infer(_rows(rows, 0, size))
            except EngineError as error:
                raise InferenceError(f'a batch of {size} frames failed: {error}') from error
            times[size] = max(times[size], clock() - begun_ns)
        for row in range(size):
            _compare(_rows(outputs, row, row + 1), alone[row], size)
    return times


def _rows(tensors: Tensors, begin: int, end: int) -> dict[str, np.ndarray]:
    return {name: tensor[begin:end] for name, tensor in tensors.items()}


def _copied(tensors: Tensors) -> dict[str, np.ndarray]:
    return {name: tensor.copy() for name, tensor in tensors.items()}


def _compare(got: Tensors, expected: Tensors, size: int) -> None:
    for name, tensor in expected.items():
        wanted = tensor.astype(np.float64)
        greatest = np.abs(wanted).max(initial=0)
        if not np.allclose(got[name], wanted, rtol=0, atol=TOLERANCE * greatest, equal_nan=True):
            raise InferenceError(
                f'in a batch of {size} frames output {name!r} is not that of the frames alone; '
                'export the model again with an open batch, or set max_batch to 1'
            )
