# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A worker whose clock, engine, decoder and hooks do what each message says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
import threading
from typing import NoReturn

import numpy as np

from edge_perception.contract import Frame
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.runtime.accounts import FrameAccounts
from edge_perception.runtime.budget import Deadline
from edge_perception.runtime.budget import NS_PER_MS
from edge_perception.runtime.lane import Delivery
from edge_perception.runtime.lane import Lane
from edge_perception.runtime.lane import LaneHooks
from edge_perception.runtime.lane import LanePolicy
from edge_perception.runtime.lane import Parcel
from edge_perception.runtime.pipeline import Pipeline
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.runtime.worker import Worker
from edge_perception.testing import FakeClock
from edge_perception.testing import FakeDecoder
from edge_perception.testing import FakeEngineType

# Only reached by a test that fails.
PATIENCE_S = 30

MANIFEST = ModelManifest(
    name='fake', source='net.onnx', decoder='fake', input=InputRecipe(width=4, height=4)
)


def nothing() -> None:
    """Let the stage succeed."""


def raising(error: BaseException) -> Callable[[], NoReturn]:
    """Return a stage that fails."""

    def stage() -> NoReturn:
        raise error

    return stage


class Gate:
    """A stage that waits until the test opens it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._opened = threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self._opened.wait(PATIENCE_S)

    def wait_until_entered(self) -> None:
        assert self.entered.wait(PATIENCE_S)

    def open(self) -> None:
        self._opened.set()


@dataclass(frozen=True)
class Message:
    """What happens in each stage to one message."""

    name: str = ''
    convert: Callable[[], object] = nothing
    infer: Callable[[], object] = nothing
    decode: Callable[[], object] = nothing
    deliver: Callable[[], object] = nothing


class WatchedAccounts(FrameAccounts):
    """Tells the rig of every change."""

    def __init__(self, changed: threading.Condition) -> None:
        super().__init__()
        self._changed = changed

    def publish(self, *, late: bool = False) -> None:
        with self._changed:
            super().publish(late=late)
            self._changed.notify_all()

    def drop(self, reason: str) -> None:
        with self._changed:
            super().drop(reason)
            self._changed.notify_all()


class Rig:
    """
    A running worker with one camera; a context manager that ends it.

    :param policy: of the camera.
    :param idle: called when nothing is to be done.
    """

    def __init__(
        self,
        policy: LanePolicy | None = None,
        *,
        max_engine_failures: int = 5,
        idle: Callable[[], object] = nothing,
    ) -> None:
        self.changed = threading.Condition()
        self.clock = FakeClock()
        self.accounts = WatchedAccounts(self.changed)
        self.delivered: list[Delivery[Message]] = []
        self.reports: list[tuple[str, str]] = []
        self.gave_up: list[str] = []
        self.selections: list[Selection] = []
        self._current = Message()
        engine_type = FakeEngineType(behavior=lambda: self._current.infer())
        engine_type.warm_up_runs = 0
        self.engine = engine_type.create(MANIFEST, Path('net.onnx'), Options())
        self.engine.activate()
        self.lane: Lane[Message] = Lane(
            'camera',
            self._pipeline(),
            hooks=LaneHooks(convert=self._convert, compose=self._compose, report=self._report),
            selection=Selection(),
            policy=policy,
            accounts=self.accounts,
            clock=self.clock,
        )
        self.worker: Worker[Message] = Worker(
            self.engine,
            [self.lane],
            give_up=self._give_up,
            max_engine_failures=max_engine_failures,
            idle=lambda: self._rest(idle),
            clock=self.clock,
        )

    def __enter__(self) -> Rig:
        self.worker.resume()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def send(
        self, message: Message | None = None, *, age_ms: int = 0, budget_ms: int = 0
    ) -> Message:
        """Hand in a message as the node does."""
        message = message or Message()
        self.accounts.receive()
        deadline = Deadline(
            arrival_ns=self.clock(),
            age_on_arrival_ns=age_ms * NS_PER_MS,
            budget_ns=budget_ms * NS_PER_MS,
        )
        self.worker.submit(self.lane, Parcel(message=message, deadline=deadline))
        return message

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is true that changes with an account or a hook."""
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE_S), self.accounts.counts()

    def until_idle(self) -> None:
        """Wait until every frame has met its end."""
        self.until(lambda: self.accounts.counts().in_flight == 0)

    def finish(self) -> None:
        """Stop the worker and wait for its thread, after which nothing changes any more."""
        self.worker.stop()
        assert self.worker.join(PATIENCE_S)

    def dropped(self) -> dict[str, int]:
        """Return how many frames were dropped for each reason, zeros left out."""
        dropped = self.accounts.counts().dropped
        return {reason: count for reason, count in dropped.items() if count}

    def _pipeline(self) -> Pipeline:
        rig = self

        class ScriptedDecoder(FakeDecoder):
            def _decode(self, tensors, transform, selection) -> Perception:  # type: ignore[no-untyped-def]
                rig._current.decode()
                rig.selections.append(selection)
                return super()._decode(tensors, transform, selection)

        spec = self.engine.inputs[0]
        return Pipeline(
            self.engine,
            decoder=ScriptedDecoder(MANIFEST, outputs=self.engine.outputs, options=Options()),
            preprocessor=Preprocessor(MANIFEST.input, spec=spec),
            input_name=spec.name,
            clock=self.clock,
        )

    def _convert(self, message: Message) -> Frame:
        self._current = message
        converted = message.convert()
        return converted if isinstance(converted, Frame) else Frame(np.zeros((8, 8, 3), np.uint8))

    def _compose(self, delivery: Delivery[Message]) -> Callable[[], None]:
        def publish() -> None:
            delivery.message.deliver()
            self._note(self.delivered, delivery)

        return publish

    def _report(self, reason: str, sentence: str) -> None:
        self._note(self.reports, (reason, sentence))

    def _give_up(self, sentence: str) -> None:
        self._note(self.gave_up, sentence)

    def _rest(self, idle: Callable[[], object]) -> None:
        with self.changed:
            idle()
            self.changed.notify_all()

    def _note(self, notes: list, item: object) -> None:  # type: ignore[type-arg]
        with self.changed:
            notes.append(item)
            self.changed.notify_all()
