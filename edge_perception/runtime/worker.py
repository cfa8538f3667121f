# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The thread that serves the cameras of one engine: one frame after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import threading
from typing import Generic

from edge_perception.contract import Engine
from edge_perception.contract import EngineError
from edge_perception.contract import NotFiniteError
from edge_perception.contract.errors import in_words
from edge_perception.contract.errors import named
from edge_perception.runtime.budget import Clock
from edge_perception.runtime.budget import Deadline
from edge_perception.runtime.camera_channel import CameraChannel
from edge_perception.runtime.canary import Canary
from edge_perception.runtime.frame_queue import FrameQueue
from edge_perception.runtime.frame_queue import Message
from edge_perception.runtime.frame_queue import QueuedFrame

# Frames in a row whose outputs are NaN or infinite, at which the engine counts as failed.
MAX_NOT_FINITE = 10
HEALTH_PERIOD_NS = 1_000_000_000


class Worker(Generic[Message]):
    """
    Owns an engine, the queue of its frames, and the only thread that calls it.

    Handing in messages and switching delivery on and off never waits for the engine: a result that
    is ready after ``pause`` is dropped as ``inactive``, and ``stop`` lets the thread itself
    deactivate the engine when it is idle. The thread does ``take`` and ``serve`` in turn; without
    ``start`` there is none, and both can be called from outside.

    :param channels: the cameras; their pipelines share the engine.
    :param give_up: told that the engine failed too often in a row; no frame is processed after it.
        Called in the thread of the worker.
    :param max_engine_failures: the number of failures in a row at which the worker gives up.
    :param idle: called in the thread of the worker when a frame is done and none waits.
    :param canary: asked when it is due and no frame waits; a wrong answer is a failed engine.
    :param health: what ``Engine.health`` said last, once a second while frames are served; any
        thread may read it.
    :param health_problem: why that could not be read, in words; empty where it could.
    """

    def __init__(
        self,
        engine: Engine,
        channels: Sequence[CameraChannel[Message]],
        *,
        give_up: Callable[[str], None],
        max_engine_failures: int,
        idle: Callable[[], None],
        clock: Clock,
        canary: Canary | None = None,
    ) -> None:
        self._engine = engine
        self._channels = {channel.name: channel for channel in channels}
        self._give_up = give_up
        self._max_failures = {
            'engine_failed': max_engine_failures,
            'decode_failed': MAX_NOT_FINITE,
        }
        # In a row, by the reason of the drop.
        self._failures: Counter[str] = Counter()
        self._idle = idle
        self._clock = clock
        self._canary = canary
        self.health: Mapping[str, float] = {}
        self.health_problem = ''
        self._health_due_ns = clock()
        periods = {channel.name: channel.policy.min_period_ns for channel in channels}
        self._queue: FrameQueue[Message] = FrameQueue(periods)
        # Guards queue and activation; held for moments only, never while a frame is worked on.
        self._changed = threading.Condition()
        # Held while a result is published, so that none is once ``pause`` has returned.
        self._delivery = threading.Lock()
        self._delivering = self._stopping = False
        self._activation = 0
        self._busy_since_ns: int | None = None
        self._thread = threading.Thread(target=self._run, name='perception', daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def resume(self) -> None:
        """Deliver results from now on."""
        with self._changed:
            if not self._stopping:
                self._failures.clear()
                self._delivering = True
                self._changed.notify()

    def pause(self) -> None:
        """
        Deliver nothing from now on; what waits or is being worked on is dropped.

        Waits for a result that is being published, but not for the engine.
        """
        with self._delivery, self._changed:
            self._delivering = False
            self._activation += 1
            for frame in self._queue.clear():
                self._channels[frame.camera].accounts.drop('inactive')

    def submit(
        self, channel: CameraChannel[Message], message: Message, deadline: Deadline
    ) -> None:
        """Hand in a message that was counted as received; never waits for the engine."""
        refusal = ''
        with self._changed:
            now_ns = self._clock()
            if not self._delivering:
                channel.accounts.drop('inactive')
            elif deadline.passed(now_ns):
                # Not one that waits: it would claim a turn for its camera that it cannot use.
                refusal = channel.refusal(deadline, now_ns=now_ns)
            elif self._queue.put(QueuedFrame(message, deadline, channel.name, self._activation)):
                channel.accounts.drop('superseded')
            self._changed.notify()
        if refusal:
            channel.drop('stale', refusal)

    def stop(self) -> None:
        """Let the thread end and free the engine as soon as it is idle; does not wait for that."""
        self.pause()
        with self._changed:
            self._stopping = True
            self._changed.notify()

    @property
    def busy(self) -> bool:
        """Whether a frame is being worked on."""
        return self._busy_since_ns is not None

    @property
    def ended(self) -> bool:
        """Whether nothing is served any more: it was stopped, or a plugin ended its thread."""
        return self._stopping

    def busy_ns(self) -> int:
        """Return for how long the frame at hand has been worked on; 0 when none is."""
        since_ns = self._busy_since_ns
        return 0 if since_ns is None else self._clock() - since_ns

    def join(self, timeout_s: float) -> bool:
        """Wait until the engine is free; False when it is still busy after the time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def take(self) -> QueuedFrame[Message] | None:
        """Return the frame whose turn it is, to be served; None when none may start now."""
        with self._changed:
            for frame in self._queue.take(self._clock(), starts=self._starts):
                self._busy_since_ns = frame.taken_ns
                return frame
        return None

    def serve(self, frame: QueuedFrame[Message]) -> None:
        """Bring a frame that was taken to its end: published or dropped."""
        channel = self._channels[frame.camera]
        try:
            self._serve(channel, frame)
        except BaseException as error:  # a plugin may even call sys.exit
            self._stopping = True
            self._delivering = False
            channel.accounts.drop('engine_failed')
            self._give_up(f'a plugin ended the thread of the worker: {named(error)}')
        else:
            self._ask_health()
        finally:
            self._busy_since_ns = None

    def _starts(self, frame: QueuedFrame[Message]) -> bool:
        channel = self._channels[frame.camera]
        frame.refusal = channel.refusal(frame.deadline, now_ns=frame.taken_ns)
        return not frame.refusal

    def _serve(self, channel: CameraChannel[Message], frame: QueuedFrame[Message]) -> None:
        def current() -> bool:
            return self._delivering and frame.activation == self._activation

        try:
            if not current():
                channel.accounts.drop('inactive')
            elif frame.refusal:
                channel.drop('stale', frame.refusal)
            elif channel.serve(frame, current=current, delivery=self._delivery):
                self._failures.clear()
        except (EngineError, NotFiniteError) as error:
            if not current():
                channel.accounts.drop('inactive')
                return
            numbers = isinstance(error, NotFiniteError)
            reason = 'decode_failed' if numbers else 'engine_failed'
            self._failures[reason] += 1
            channel.drop(reason, str(error))
            if (times := self._failures[reason]) == self._max_failures[reason]:
                self._delivering = False
                what = 'gave no finite numbers' if numbers else 'failed'
                self._give_up(f'the engine {what} {times} times in a row: {error}')

    def _run(self) -> None:
        try:
            while not self._stopping:
                frame = self.take()
                if frame is None:
                    self._idle()
                    self._ask_canary()
                    frame = self._wait()
                if frame is not None:
                    self.serve(frame)
        finally:
            self._engine.deactivate()

    def _ask_health(self) -> None:
        """Sample the engine's health if that is due; what fails to report may still compute."""
        now_ns = self._clock()
        if now_ns < self._health_due_ns or self._stopping:
            return
        self._health_due_ns = now_ns + HEALTH_PERIOD_NS
        try:
            self.health, self.health_problem = self._engine.health(), ''
        except (Exception, SystemExit) as error:  # a plugin may even call sys.exit
            self.health, self.health_problem = {}, in_words(error)

    def _ask_canary(self) -> None:
        """Check the engine if that is due; what it takes is not counted for any camera."""
        if self._canary is None or not self._check_is_due():
            return
        activation, self._busy_since_ns = self._activation, self._clock()
        try:
            problem = self._canary.check(self._interrupted)
        except BaseException as error:  # a plugin may even call sys.exit
            problem = f'a plugin ended the check of the engine: {named(error)}'
        finally:
            self._busy_since_ns = None
        if problem and self._delivering and activation == self._activation:
            self._delivering = False
            self._give_up(problem)

    def _check_is_due(self) -> bool:
        due = self._canary is not None and not self._canary.wait_ns()
        return due and not self._interrupted()

    def _interrupted(self) -> bool:
        """Whether a frame waits, or nothing is delivered: the engine is not there for checks."""
        with self._changed:
            return not self._delivering or self._queue.wait_ns(self._clock()) is not None

    def _wait(self) -> QueuedFrame[Message] | None:
        """Wait for the next frame; None when the worker has to end, or a check is due."""
        with self._changed:
            while not self._stopping:
                if (frame := self.take()) is not None or self._check_is_due():
                    return frame
                wait_ns = self._queue.wait_ns(self._clock())
                if wait_ns is None and self._canary is not None and self._delivering:
                    wait_ns = self._canary.wait_ns()
                wait_s = None if wait_ns is None else min(wait_ns / 1e9, threading.TIMEOUT_MAX)
                self._changed.wait(wait_s)
        return None
