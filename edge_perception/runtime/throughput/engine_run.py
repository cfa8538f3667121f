# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What goes through the engine in one call."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import Generic

import numpy as np

from edge_perception.contract import Tensor
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception.runtime.frame_queue import Message
from edge_perception.runtime.frame_queue import QueuedFrame


@dataclass(slots=True)
class EngineRun(Generic[Message]):
    """
    One call of the engine, from the turn of its frames to their end.

    :param frames: those that are not accounted for yet, in the order of their rows.
    :param taken_ns: monotonic time at which their turn came.
    :param inputs: of the engine, once the frames are in them; None before.
    :param extra_ns: by how much longer a frame takes in it than alone, as it was planned.
    :param outputs: of each frame, once the engine has computed; empty before.
    """

    frames: list[QueuedFrame[Message]]
    taken_ns: int
    inputs: Tensors | None = None
    extra_ns: int = 0
    outputs: list[Tensors] = field(default_factory=list)


class RunMemory:
    """
    Input memory for runs whose frames are prepared while the engine computes, and for outputs.

    Two sets of inputs: the engine reads the one while the other one is written. Outputs of one run
    only, which has its end before those of the next one are kept.

    :param specs: inputs of the engine.
    :param rows: frames of the largest run.
    """

    def __init__(self, specs: Sequence[TensorSpec], *, rows: int = 1) -> None:
        self._sets = [
            {
                spec.name: np.zeros((rows, *(max(size, 1) for size in spec.shape[1:])), spec.dtype)
                for spec in specs
            }
            for _ in range(2)
        ]
        self._kept: dict[tuple[int, str], Tensor] = {}

    def inputs(self, runs: Iterable[EngineRun[Any]]) -> Tensors:
        """Return the set that none of these runs has; one of them at most has one."""
        used = [run.inputs for run in runs]
        return next(each for each in self._sets if not any(each is other for other in used))

    def keep(self, outputs: Sequence[Tensors]) -> list[Tensors]:
        """Return copies of the outputs of each frame, valid until the next call."""
        return [
            {name: self._keep((row, name), output) for name, output in tensors.items()}
            for row, tensors in enumerate(outputs)
        ]

    def _keep(self, key: tuple[int, str], output: Tensor) -> Tensor:
        kept = self._kept.get(key)
        if kept is None or kept.shape != output.shape:
            kept = self._kept[key] = np.empty_like(output)
        np.copyto(kept, output)
        return kept
