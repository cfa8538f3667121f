# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The thread that serves one camera: takes the newest frame, processes it, hands the result on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import threading
import time
from typing import Generic
from typing import TypeVar

from edge_perception.contract import DecoderError
from edge_perception.contract import EngineError
from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.contract import Selection
from edge_perception.contract.errors import in_words
from edge_perception.core.accounts import FrameAccounts
from edge_perception.core.budget import Clock
from edge_perception.core.budget import Deadline
from edge_perception.core.mailbox import Mailbox
from edge_perception.core.pipeline import Pipeline
from edge_perception.core.pipeline import Processed
from edge_perception.core.plugin_checks import named

Message = TypeVar('Message')


@dataclass(frozen=True, slots=True)
class Parcel(Generic[Message]):
    """A message that waits to be processed, and until when that makes sense."""

    message: Message
    deadline: Deadline


@dataclass(frozen=True, slots=True)
class Delivery(Generic[Message]):
    """
    A result that is in time.

    :param age_ns: how old the frame is now.
    """

    message: Message
    frame: Frame
    processed: Processed
    age_ns: int


@dataclass(frozen=True, slots=True)
class WorkerHooks(Generic[Message]):
    """
    What the worker calls; all of it in the thread of the worker.

    :param convert: message to frame; raises ``ImageError``.
    :param deliver: publishes a result.
    :param report: told why a frame was dropped: reason and sentence.
    :param give_up: told that the engine failed too often in a row; no frame is processed after it.
    """

    convert: Callable[[Message], Frame]
    deliver: Callable[[Delivery[Message]], None]
    report: Callable[[str, str], None]
    give_up: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class WorkerPolicy:
    """
    Rules of a worker.

    :param publish_late: results are delivered although their budget is used up.
    :param max_engine_failures: so many in a row, and the worker gives up.
    :param min_period_ns: time between the starts of two frames, at least.
    """

    publish_late: bool = False
    max_engine_failures: int = 5
    min_period_ns: int = 0


class Worker(Generic[Message]):
    """
    Owns a pipeline and the only thread that calls it.

    Whoever hands in messages and switches delivery on and off never waits for the engine: a result
    that is ready after ``pause`` is dropped as ``inactive``, and ``stop`` lets the thread itself
    deactivate the engine when it is idle.

    :param selection: which objects to report; may be replaced while running.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        hooks: WorkerHooks[Message],
        policy: WorkerPolicy,
        selection: Selection,
        accounts: FrameAccounts,
        clock: Clock = time.monotonic_ns,
    ) -> None:
        self.selection = selection
        self._pipeline = pipeline
        self._hooks = hooks
        self._policy = policy
        self._accounts = accounts
        self._clock = clock
        # Counts activations: a result is delivered in the one in which its frame came, or never.
        self._session = 0
        self._mailbox: Mailbox[tuple[int, Parcel[Message]]] = Mailbox()
        self._stopping = threading.Event()
        self._delivering = False
        self._failures = 0
        self._next_start_ns = 0
        self._busy_since_ns: int | None = None
        self._thread = threading.Thread(target=self._run, name='perception', daemon=True)
        self._thread.start()

    def resume(self) -> None:
        """Deliver results from now on."""
        self._failures = 0
        self._delivering = True

    def pause(self) -> None:
        """Deliver nothing from now on; what waits or is being worked on is dropped."""
        self._delivering = False
        self._session += 1
        if self._mailbox.clear() is not None:
            self._accounts.drop('inactive')

    def submit(self, parcel: Parcel[Message]) -> None:
        """Hand in a message that was counted as received; never waits."""
        if not self._delivering or self._stopping.is_set():
            self._accounts.drop('inactive')
        elif self._mailbox.put((self._session, parcel)) is not None:
            self._accounts.drop('superseded')

    def stop(self) -> None:
        """Let the thread end and free the engine as soon as it is idle; does not wait for that."""
        self.pause()
        self._stopping.set()
        self._mailbox.close()

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
            while self._wait_for_turn():
                item = self._mailbox.take()
                if item is not None:
                    self._busy_since_ns = self._clock()
                    self._serve(*item)
                    self._busy_since_ns = None
        except BaseException as error:  # a plugin may even call sys.exit
            self._delivering = False
            self._accounts.drop('engine_failed')
            self._hooks.give_up(f'a plugin ended the thread of the worker: {named(error)}')
        finally:
            self._busy_since_ns = None
            self._pipeline.engine.deactivate()

    def _wait_for_turn(self) -> bool:
        """Wait until the next frame may start; a newer one takes the place of the waiting one."""
        wait_ns = self._next_start_ns - self._clock()
        if wait_ns > 0:
            self._stopping.wait(min(wait_ns / 1e9, threading.TIMEOUT_MAX))
        return not self._stopping.is_set()

    def _serve(self, session: int, parcel: Parcel[Message]) -> None:
        started_ns = self._clock()
        if not self._current(session):
            self._accounts.drop('inactive')
            return
        if parcel.deadline.passed(started_ns):
            age_ms = parcel.deadline.age_ns(started_ns) / 1e6
            self._drop('stale', f'the frame was {age_ms:.0f} ms old before it was started')
            return
        # Only a frame that is started uses the turn up.
        self._next_start_ns = started_ns + self._policy.min_period_ns
        try:
            frame = self._converted(parcel.message)
            processed = self._pipeline.process(frame, selection=self.selection)
        except ImageError as error:
            self._drop('bad_image', str(error))
        except DecoderError as error:
            self._drop('decode_failed', str(error))
        except EngineError as error:
            if self._current(session):
                self._engine_failed(error)
            else:
                self._accounts.drop('inactive')
        except Exception as error:  # a mistake of ours or of a plugin must not end the thread
            self._drop('decode_failed', f'a stage failed unexpectedly: {in_words(error)}')
        else:
            self._failures = 0
            self._finish(session, parcel, frame, processed)

    def _converted(self, message: Message) -> Frame:
        try:
            return self._hooks.convert(message)
        except ImageError:
            raise
        except Exception as error:  # whatever a message holds, it must not end the thread
            raise ImageError(f'cannot be read: {in_words(error)}') from error

    def _finish(
        self, session: int, parcel: Parcel[Message], frame: Frame, processed: Processed
    ) -> None:
        now_ns = self._clock()
        age_ns = parcel.deadline.age_ns(now_ns)
        if not self._current(session):
            self._accounts.drop('inactive')
            return
        if parcel.deadline.passed(now_ns) and not self._policy.publish_late:
            self._drop('overrun', f'the result was {age_ns / 1e6:.0f} ms old when it was ready')
            return
        delivery = Delivery(
            message=parcel.message, frame=frame, processed=processed, age_ns=age_ns
        )
        try:
            self._hooks.deliver(delivery)
        except Exception as error:
            # Publishing fails when the node is torn down meanwhile; anything else is a mistake.
            reason = 'decode_failed' if self._current(session) else 'inactive'
            self._drop(reason, f'the result could not be published: {in_words(error)}')
        else:
            self._accounts.publish()

    def _current(self, session: int) -> bool:
        return self._delivering and session == self._session

    def _drop(self, reason: str, sentence: str) -> None:
        self._accounts.drop(reason)
        self._hooks.report(reason, sentence)

    def _engine_failed(self, error: EngineError) -> None:
        self._failures += 1
        self._drop('engine_failed', str(error))
        if self._failures == self._policy.max_engine_failures:
            self._delivering = False
            self._hooks.give_up(f'the engine failed {self._failures} times in a row: {error}')
