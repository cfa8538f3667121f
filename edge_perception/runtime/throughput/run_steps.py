# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The steps of a run of the engine, and what becomes of frames and engine when one fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Generic

from edge_perception.contract import Engine
from edge_perception.contract import EngineError
from edge_perception.contract import NotFiniteError
from edge_perception.contract import RestartingError
from edge_perception.contract import Tensors
from edge_perception.contract.errors import named
from edge_perception.runtime.budget import Clock
from edge_perception.runtime.camera_channel import CameraChannel
from edge_perception.runtime.frame_queue import Message
from edge_perception.runtime.frame_queue import QueuedFrame
from edge_perception.runtime.throughput.batching import Batching
from edge_perception.runtime.throughput.engine_run import EngineRun

# Frames in a row whose outputs are NaN or infinite, at which the engine counts as failed.
MAX_NOT_FINITE = 10


class RunSteps(Generic[Message]):
    """
    Brings the frames of a run through ``prepare``, ``compute`` and ``finish``, or to their drop.

    Each step is done by one thread at a time, for one run after the other in their order; steps of
    different runs may overlap. ``compute`` and a ``prepare`` without memory call the engine.

    :param channels: by name.
    :param current: tells whether the result of a frame is still wanted.
    :param delivery: lock without which what ``current`` tells may change.
    :param batching: knows the sizes of batches.
    :param give_up: told that no frame is to be served any more, and why.
    :param max_engine_failures: the number of failures in a row at which that is so.
    """

    def __init__(
        self,
        engine: Engine,
        channels: Mapping[str, CameraChannel[Message]],
        *,
        current: Callable[[QueuedFrame[Message]], bool],
        delivery: AbstractContextManager[object],
        batching: Batching,
        give_up: Callable[[str], None],
        max_engine_failures: int,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._channels = channels
        self._current = current
        self._delivery = delivery
        self._batching = batching
        self._give_up = give_up
        self._max_failures = {
            'engine_failed': max_engine_failures,
            'decode_failed': MAX_NOT_FINITE,
        }
        # In a row, by the reason of the drop.
        self._failures: Counter[str] = Counter()
        self._clock = clock

    def forget_failures(self) -> None:
        """Count failures from 0."""
        self._failures.clear()

    def prepare(self, run: EngineRun[Message], memory: Tensors | None = None) -> None:
        """
        Write frames into input memory.

        :param memory: None for that of the engine.
        """
        row = 0
        while row < len(run.frames):
            if self._prepare_one(run, memory, row):
                row += 1
            else:
                del run.frames[row]

    def _prepare_one(self, run: EngineRun[Message], memory: Tensors | None, row: int) -> bool:
        frame = run.frames[row]
        channel = self._channels[frame.camera]
        if not self._current(frame):
            channel.accounts.drop('inactive')
        elif frame.refusal:
            channel.drop('stale', frame.refusal)
        else:
            try:
                run.inputs = run.inputs or memory or self._engine.input_buffers()
                return channel.prepare(frame, run.inputs, row=row)
            except EngineError as error:
                self._failed(frame, error)
        return False

    def compute(self, run: EngineRun[Message]) -> None:
        """Let the engine compute what was prepared, unless nobody wants it any more."""
        if run.frames and not self._current(run.frames[0]):  # all came in the same activation
            self.abandon(run)
        if not run.frames:
            return
        begun_ns = self._clock()
        try:
            self._infer(run)
        except EngineError as error:
            if len(run.frames) > 1:
                self._infer_each(run)
            else:
                self._failed(run.frames.pop(), error)
        for frame in run.frames:
            assert frame.prepared is not None
            frame.prepared.times['infer'] = self._clock() - begun_ns

    def _infer(self, run: EngineRun[Message]) -> None:
        inputs, count = run.inputs, len(run.frames)
        assert inputs is not None
        size = self._batching.padded(count)
        if any(len(tensor) != size for tensor in inputs.values()):
            inputs = _rows(inputs, 0, size)
        outputs = self._engine.infer(inputs)
        run.outputs = [_rows(outputs, row) for row in range(count)] if size > 1 else [outputs]

    def _infer_each(self, run: EngineRun[Message]) -> None:
        """Compute the frames of a batch one by one, because it failed by the fault of one."""
        assert run.inputs is not None
        row, computed = 0, list[Tensors]()
        while len(computed) < len(run.frames):
            try:
                outputs = self._engine.infer(_rows(run.inputs, row))
                computed.append({name: tensor.copy() for name, tensor in outputs.items()})
            except EngineError as error:
                self._failed(run.frames.pop(len(computed)), error)
            row += 1
        run.outputs = computed

    def finish(self, run: EngineRun[Message]) -> None:
        """Decode, run the stages and publish, frame by frame."""
        while run.frames:
            frame = run.frames[0]
            try:
                worked = self._channels[frame.camera].finish(
                    frame,
                    run.outputs[0],
                    current=lambda frame=frame: self._current(frame),  # type: ignore[misc]
                    delivery=self._delivery,
                    extra_ns=run.extra_ns,
                )
                if worked:
                    self._failures.clear()
            except NotFiniteError as error:
                self._failed(frame, error)
            del run.frames[0], run.outputs[0]

    def abandon(self, run: EngineRun[Message], error: BaseException | None = None) -> None:
        """
        Drop what is left of a run.

        :param error: because a plugin raised it where it must not; None because nobody wants it.
        """
        for frame in run.frames:
            reason = 'inactive' if error is None else 'engine_failed'
            self._channels[frame.camera].accounts.drop(reason)
        run.frames = []
        if error is not None:
            self._give_up(f'a plugin ended the thread of the worker: {named(error)}')

    def _failed(self, frame: QueuedFrame[Message], error: EngineError | NotFiniteError) -> None:
        channel = self._channels[frame.camera]
        if not self._current(frame):
            channel.accounts.drop('inactive')
            return
        numbers = isinstance(error, NotFiniteError)
        reason = 'decode_failed' if numbers else 'engine_failed'
        channel.drop(reason, str(error))
        if isinstance(error, RestartingError):  # whoever restarts it counts, and gives up
            return
        self._failures[reason] += 1
        if (times := self._failures[reason]) == self._max_failures[reason]:
            what = 'gave no finite numbers' if numbers else 'failed'
            self._give_up(f'the engine {what} {times} times in a row: {error}')


def _rows(tensors: Tensors, begin: int, end: int | None = None) -> Tensors:
    """Return some rows of each tensor, one where no end is given."""
    end = begin + 1 if end is None else end
    return {name: tensor[begin:end] for name, tensor in tensors.items()}
