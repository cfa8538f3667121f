# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What goes through the engine in one call."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
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
    :param outputs: of the engine, once it has computed; None before.
    """

    frames: list[QueuedFrame[Message]]
    taken_ns: int
    inputs: Tensors | None = None
    outputs: Tensors | None = None


class RunMemory:
    """
    Input memory for runs whose frames are prepared while the engine computes, and for outputs.

    Two sets of inputs: the engine reads the one while the other one is written. Outputs of one run
    only, which has its end before those of the next one are kept.

    :param specs: inputs of the engine.
    """

    def __init__(self, specs: Sequence[TensorSpec]) -> None:
        self._sets = [
            {
                spec.name: np.zeros([max(size, 1) for size in spec.shape], spec.dtype)
                for spec in specs
            }
            for _ in range(2)
        ]
        self._kept: dict[str, Tensor] = {}

    def inputs(self, runs: Iterable[EngineRun[Any]]) -> Tensors:
        """Return the set that none of these runs has; one of them at most has one."""
        used = [run.inputs for run in runs]
        return next(each for each in self._sets if not any(each is other for other in used))

    def keep(self, outputs: Tensors) -> Tensors:
        """Return copies of outputs, valid until the next call."""
        for name, output in outputs.items():
            kept = self._kept.get(name)
            if kept is None or kept.shape != output.shape:
                self._kept[name] = output.copy()
            else:
                np.copyto(kept, output)
        return dict(self._kept)
