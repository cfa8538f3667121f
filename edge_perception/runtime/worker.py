# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The thread that serves the cameras of one engine: one frame after the other."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
import threading
import time
from typing import Generic

from edge_perception.contract import Engine
from edge_perception.contract.errors import named
from edge_perception.runtime.budget import Clock
from edge_perception.runtime.dispatcher import Dispatcher
from edge_perception.runtime.dispatcher import Turn
from edge_perception.runtime.lane import Lane
from edge_perception.runtime.lane import Message
from edge_perception.runtime.lane import Parcel


def do_nothing() -> None:
    """Leave the pause between two frames unused."""


class Worker(Generic[Message]):
    """
    Owns an engine and the only thread that calls it.

    Whoever hands in messages and switches delivery on and off never waits for the engine: a result
    that is ready after ``pause`` is dropped as ``inactive``, and ``stop`` lets the thread itself
    deactivate the engine when it is idle.

    :param lanes: the cameras; their pipelines share the engine.
    :param give_up: told that the engine failed too often in a row; no frame is processed after it.
        Called in the thread of the worker.
    :param max_engine_failures: so many in a row, and the worker gives up.
    :param idle: called in the thread of the worker when a frame is done and none waits.
    """

    def __init__(
        self,
        engine: Engine,
        lanes: Sequence[Lane[Message]],
        *,
        give_up: Callable[[str], None],
        max_engine_failures: int = 5,
        idle: Callable[[], None] = do_nothing,
        clock: Clock = time.monotonic_ns,
    ) -> None:
        self._engine = engine
        self._idle = idle
        self._clock = clock
        self._dispatcher = Dispatcher(
            lanes, max_engine_failures=max_engine_failures, give_up=give_up, clock=clock
        )
        # Guards the dispatcher; held for moments only, never while a frame is worked on.
        self._changed = threading.Condition()
        self._stopping = False
        self._busy_since_ns: int | None = None
        self._thread = threading.Thread(target=self._run, name='perception', daemon=True)
        self._thread.start()

    def resume(self) -> None:
        """Deliver results from now on."""
        with self._changed:
            if not self._stopping:
                self._dispatcher.resume()

    def pause(self) -> None:
        """Deliver nothing from now on; what waits or is being worked on is dropped."""
        with self._changed:
            self._dispatcher.pause()

    def submit(self, lane: Lane[Message], parcel: Parcel[Message]) -> None:
        """Hand in a message that was counted as received; never waits for the engine."""
        with self._changed:
            refusal = self._dispatcher.submit(lane, parcel)
            self._changed.notify()
        if refusal:
            lane.drop('stale', refusal)

    def stop(self) -> None:
        """Let the thread end and free the engine as soon as it is idle; does not wait for that."""
        with self._changed:
            self._dispatcher.pause()
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

    def _run(self) -> None:
        try:
            while (turn := self._next()) is not None:
                self._serve(turn)
        finally:
            self._engine.deactivate()

    def _serve(self, turn: Turn[Message]) -> None:
        try:
            self._dispatcher.serve(turn)
        except BaseException as error:  # a plugin may even call sys.exit
            self._stopping = True
            sentence = f'a plugin ended the thread of the worker: {named(error)}'
            self._dispatcher.give_up(turn, sentence)
        finally:
            self._busy_since_ns = None

    def _next(self) -> Turn[Message] | None:
        """Wait for the next turn; None when the worker has to end."""
        rested = False
        while True:
            with self._changed:
                while not self._stopping:
                    turn = self._dispatcher.take()
                    if turn is not None:
                        self._busy_since_ns = turn.started_ns
                        return turn
                    if not rested:
                        break
                    self._wait()
                if self._stopping:
                    return None
            self._idle()
            rested = True

    def _wait(self) -> None:
        """Wait until something changes, or until a frame that waits may start."""
        wait_ns = self._dispatcher.wait_ns()
        self._changed.wait(None if wait_ns is None else min(wait_ns / 1e9, threading.TIMEOUT_MAX))
