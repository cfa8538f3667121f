# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A worker whose clock, engine, decoder and hooks do what each message says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import threading
from typing import NoReturn

import numpy as np

from edge_perception.contract import Frame
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Selection
from edge_perception.runtime.budget import Deadline
from edge_perception.runtime.budget import NS_PER_MS
from edge_perception.runtime.camera_channel import CameraChannel
from edge_perception.runtime.camera_channel import CameraHooks
from edge_perception.runtime.camera_channel import CameraPolicy
from edge_perception.runtime.canary import Canary
from edge_perception.runtime.pipeline import Pipeline
from edge_perception.runtime.pipeline import Result
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.runtime.worker import Worker
from edge_perception.testing import FakeClock
from edge_perception.testing import FakeDecoder
from edge_perception.testing import FakeEngine

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
    """A stage that waits until the test opens it, and then fails if there is an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.entered = threading.Event()
        self._opened = threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self._opened.wait(PATIENCE_S)
        if self._error is not None:
            raise self._error

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


def scripted_pipeline(
    clock: FakeClock,
    *,
    preprocess: Callable[[], object] = nothing,
    infer: Callable[[], object] = nothing,
    decode: Callable[[Selection], object] = lambda _: None,
) -> Pipeline:
    """Return a pipeline of fakes, each of which calls what is given for it before it works."""
    engine = FakeEngine(MANIFEST, infer)
    engine.activate()
    decoder = FakeDecoder(MANIFEST, outputs=engine.outputs, options=Options())
    preprocessor = Preprocessor(MANIFEST.input, spec=engine.inputs[0])
    work = decoder._decode
    decoder._decode = lambda *given: (decode(given[-1]), work(*given))[1]
    return Pipeline(
        engine,
        decoder=decoder,
        preprocessor=lambda *given: (preprocess(), preprocessor(*given))[1],
        input_name='image',
        clock=clock,
    )


class Rig:
    """
    A running worker with one camera; a context manager that ends it.

    :param policy: of the camera.
    :param idle: called when nothing is to be done.
    :param canary: of the worker; ``overlap`` too.
    :param pipeline: makes another one than that of fakes.
    """

    def __init__(
        self,
        policy: CameraPolicy | None = None,
        *,
        max_engine_failures: int = 5,
        idle: Callable[[], object] = nothing,
        canary: Canary | None = None,
        overlap: str = 'off',
        pipeline: Callable[[FakeClock], Pipeline] | None = None,
    ) -> None:
        self.changed = threading.Condition()
        self.clock = FakeClock()
        # Messages whose results were published, and the results.
        self.delivered: list[Message] = []
        self.results: list[Result] = []
        self.reports: list[tuple[str, str]] = []
        self.gave_up: list[str] = []
        self.selections: list[Selection] = []
        self._current = Message()
        scripted = scripted_pipeline(
            self.clock, infer=lambda: self._current.infer(), decode=self._decode
        )
        used = pipeline(self.clock) if pipeline else scripted
        self.engine = used.engine
        self.channel: CameraChannel[Message] = CameraChannel(
            'camera',
            used,
            hooks=CameraHooks(
                convert=self._convert,
                compose=lambda queued, result: lambda: self._publish(queued.message, result),
                report=self._telling(lambda *report: self.reports.append(report)),
                afterwards=lambda *_: None,
            ),
            selection=Selection(),
            policy=policy or CameraPolicy(),
            clock=self.clock,
        )
        self.accounts = self.channel.accounts
        for name in ('publish', 'drop'):
            setattr(self.accounts, name, self._telling(getattr(self.accounts, name)))
        self.worker: Worker[Message] = Worker(
            self.engine,
            [self.channel],
            give_up=self._telling(self.gave_up.append),
            max_engine_failures=max_engine_failures,
            idle=self._telling(idle),
            clock=self.clock,
            overlap=overlap,
            canary=canary,
        )
        self.worker.start()

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
        deadline = Deadline(self.clock(), age_ms * NS_PER_MS, budget_ms * NS_PER_MS)
        self.worker.submit(self.channel, message, deadline)
        return message

    def send_each(self, *messages: Message, **ages: int) -> None:
        """Hand in messages, each when the one before has met its end."""
        for message in messages or (Message(),):
            self.send(message, **ages)
            self.until_idle()

    def send_gated(
        self, error: Exception | None = None, *, stage: str = 'infer', **ages: int
    ) -> Gate:
        """Hand in a message and wait until it is at a gate in a stage, to fail there or not."""
        gate = Gate(error)
        self.send(Message('gated', **{stage: gate}), **ages)
        gate.wait_until_entered()
        return gate

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

    def _convert(self, message: Message) -> Frame:
        self._current = message
        converted = message.convert()
        return converted if isinstance(converted, Frame) else Frame(np.zeros((8, 8, 3), np.uint8))

    def _decode(self, selection: Selection) -> None:
        self._current.decode()
        self.selections.append(selection)

    def _publish(self, message: Message, result: Result) -> None:
        message.deliver()
        self.delivered.append(message)
        self.results.append(result)

    def _telling(self, call: Callable[..., object]) -> Callable[..., None]:
        """Return the call, after which everybody who waits looks again."""

        def told(*arguments: object, **named: object) -> None:
            with self.changed:
                call(*arguments, **named)
                self.changed.notify_all()

        return told
