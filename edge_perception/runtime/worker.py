# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The threads that serve the cameras of one engine, one frame after the other or overlapping."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import threading
from typing import Generic

from edge_perception.contract import Engine
from edge_perception.contract.errors import in_words
from edge_perception.contract.errors import named
from edge_perception.runtime.budget import Clock
from edge_perception.runtime.budget import Deadline
from edge_perception.runtime.camera_channel import CameraChannel
from edge_perception.runtime.canary import Canary
from edge_perception.runtime.frame_queue import FrameQueue
from edge_perception.runtime.frame_queue import Message
from edge_perception.runtime.frame_queue import QueuedFrame
from edge_perception.runtime.throughput.batching import Batching
from edge_perception.runtime.throughput.engine_run import EngineRun
from edge_perception.runtime.throughput.engine_run import RunMemory
from edge_perception.runtime.throughput.pacing import Pacing
from edge_perception.runtime.throughput.run_steps import RunSteps

HEALTH_PERIOD_NS = 1_000_000_000


class Worker(Generic[Message]):
    """
    Owns an engine, the queue of its frames, and the only thread that calls it.

    Handing in messages and switching delivery on and off never waits for the engine: a result that
    is ready after ``pause`` is dropped as ``inactive``, and ``stop`` lets the thread itself
    deactivate the engine when it is idle. The thread does ``take`` and ``serve`` in turn; without
    ``start`` there is none, and both can be called from outside.

    Where a frame waits while the engine computes, and that pays, frames overlap: while one is
    computed, a second thread finishes the one before, then prepares the one after. Frames keep
    their order, and one thread at a time does a step of them.

    :param channels: the cameras; their pipelines share the engine.
    :param give_up: told that the engine failed too often in a row; no frame is processed after it.
        Called in a thread of the worker.
    :param max_engine_failures: the number of failures in a row at which the worker gives up.
    :param idle: called in the thread of the engine when a frame is done and none waits.
    :param overlap: one of ``OVERLAP_MODES``.
    :param batching: how many cameras may share a call of the engine; None for one.
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
        overlap: str = 'off',
        batching: Batching | None = None,
        canary: Canary | None = None,
    ) -> None:
        self._engine = engine
        self._channels = {channel.name: channel for channel in channels}
        self._give_up = give_up
        self._idle = idle
        self._clock = clock
        self._canary = canary
        self.health: Mapping[str, float] = {}
        self.health_problem = ''
        self._health_due_ns = clock()
        periods = {channel.name: channel.policy.min_period_ns for channel in channels}
        self._queue: FrameQueue[Message] = FrameQueue(periods)
        # Guards queue, activation and runs; held for moments only, never while a frame is worked
        # on. Each thread waits for a condition of its own, so that none is woken for nothing.
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._helper_changed = threading.Condition(lock)
        # Held while a result is published, so that none is once ``pause`` has returned.
        self._delivery = threading.Lock()
        self._delivering = self._stopping = False
        self._activation = 0
        self._pacing = Pacing(overlap)
        self._batching = batching or Batching()
        needed = self._pacing.overlaps or self._batching.largest > 1
        self._memory = RunMemory(engine.inputs if needed else (), rows=self._batching.largest)
        self._steps: RunSteps[Message] = RunSteps(
            engine,
            self._channels,
            current=self._current,
            delivery=self._delivery,
            batching=self._batching,
            give_up=self._fail,
            max_engine_failures=max_engine_failures,
            clock=clock,
        )
        # On their way, the oldest first; replaced, never changed.
        self._runs: tuple[EngineRun[Message], ...] = ()
        # When the second thread may take a frame; None while it must not.
        self._ahead_from_ns: int | None = None
        # Of the second thread: what it prepares or has prepared, and what it finishes.
        self._ahead: EngineRun[Message] | None = None
        self._finishing: EngineRun[Message] | None = None
        self._preparing = self._ended = False
        self._checking_since_ns: int | None = None
        self._thread = threading.Thread(target=self._run, name='perception', daemon=True)
        self._helper = threading.Thread(target=self._help, name='perception_ahead', daemon=True)

    def start(self) -> None:
        """Start the threads."""
        self._thread.start()
        if self._pacing.overlaps:
            self._helper.start()

    def resume(self) -> None:
        """Deliver results from now on."""
        with self._changed:
            if not self._stopping:
                self._steps.forget_failures()
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
            if self._ahead_from_ns is not None:
                self._helper_changed.notify()
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
        """Whether a frame is being worked on, or the engine is being checked."""
        return bool(self._runs) or self._checking_since_ns is not None

    @property
    def ended(self) -> bool:
        """Whether nothing is served any more: it was stopped, or a plugin ended its thread."""
        return self._stopping

    def busy_ns(self) -> int:
        """Return for how long the oldest frame at hand has been worked on; 0 when none is."""
        runs, since_ns = self._runs, self._checking_since_ns
        since_ns = runs[0].taken_ns if runs else since_ns
        return 0 if since_ns is None else self._clock() - since_ns

    def join(self, timeout_s: float) -> bool:
        """Wait until the engine is free; False when it is still busy after the time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def take(self) -> EngineRun[Message] | None:
        """Return what is to be served now, the frames whose turn it is; None when none may."""
        with self._changed:
            now_ns = self._clock()
            frames = self._queue.take(
                now_ns,
                most=1 if self._batching.largest == 1 else self._together(now_ns),
                starts=lambda frame: self._channels[frame.camera].starts(frame),
            )
            if not frames:
                return None
            run = EngineRun(frames, now_ns, extra_ns=self._batching.extra_ns(len(frames)))
            self._runs += (run,)
            return run

    def serve(self, run: EngineRun[Message]) -> None:
        """Bring a run that was taken to its end, or let the second thread do so."""
        if run.inputs is None:  # else it was done ahead
            self._do(self._prepare, run)
        self._do(self._compute, run)
        handed_over = self._hand_over(run)
        if not handed_over:
            self._finish(run)
        self._ask_health()
        if not handed_over:
            self._retire(run)
        with self._changed:
            self._ahead_from_ns = None

    def _together(self, now_ns: int) -> int:
        """Return how many of the frames whose turn it is go into the engine at once."""
        spare_ns: list[int | None] = []
        for frame in self._queue.ready(now_ns):
            channel = self._channels[frame.camera]
            spare = frame.deadline.left_ns(now_ns) - channel.admission.p95_ns
            spare_ns.append(None if channel.unlimited(frame.deadline) else spare)
        return self._batching.size(spare_ns)

    def _current(self, frame: QueuedFrame[Message]) -> bool:
        return self._delivering and frame.activation == self._activation

    def _fail(self, sentence: str) -> None:
        self._delivering = False
        self._give_up(sentence)

    def _do(self, step: Callable[[EngineRun[Message]], None], run: EngineRun[Message]) -> None:
        try:
            step(run)
        except BaseException as error:  # a plugin may even call sys.exit
            self._stopping, self._delivering = True, False
            self._steps.abandon(run, error)

    def _prepare(self, run: EngineRun[Message]) -> None:
        begun_ns = self._clock()
        # The memory of the engine is for its own thread alone, and for one frame.
        ours = run is self._ahead or len(run.frames) > 1
        self._steps.prepare(run, self._memory.inputs(self._runs) if ours else None)
        taken_ns = self._clock() - begun_ns
        with self._changed:
            self._pacing.prepared(taken_ns)
            self._batching.around('prepare', taken_ns, len(run.frames))

    def _compute(self, run: EngineRun[Message]) -> None:
        if not run.frames:
            return
        begun_ns, frames = self._clock(), len(run.frames)
        with self._changed:
            self._ahead_from_ns = self._pacing.take_at_ns(begun_ns, frames=frames)
            if self._ahead_in_s() is not None:
                self._helper_changed.notify()
        self._steps.compute(run)
        with self._changed:
            run.inputs = None
            waits = self._ahead is not None or self._queue.wait_ns(self._clock()) == 0
            now_ns = self._clock()
            self._pacing.computed(begun_ns, now_ns, waiting=waits, frames=frames)
            self._batching.computed(frames, now_ns - begun_ns)

    def _hand_over(self, run: EngineRun[Message]) -> bool:
        """Let the second thread finish a run, if the next one is ready for the engine."""
        with self._changed:
            # The run before has its end first. What is being prepared is nearly ready.
            self._changed.wait_for(lambda: self._finishing is None and not self._preparing)
            if self._ahead is None or not run.outputs:
                return False
            run.outputs = self._memory.keep(run.outputs)  # the engine writes over its own
            self._finishing = run
            self._helper_changed.notify()
            return True

    def _finish(self, run: EngineRun[Message]) -> None:
        begun_ns, frames = self._clock(), len(run.frames)
        self._do(self._steps.finish, run)
        self._batching.around('finish', self._clock() - begun_ns, frames)

    def _retire(self, run: EngineRun[Message]) -> None:
        with self._changed:
            self._runs = tuple(each for each in self._runs if each is not run)

    def _run(self) -> None:
        try:
            while not self._stopping:
                run = self._next()
                if run is None:
                    self._idle()
                    self._ask_canary()
                    run = self._wait()
                if run is not None:
                    self.serve(run)
        finally:
            with self._changed:
                self._ended = True
                self._helper_changed.notify()
            if self._helper.is_alive():
                self._helper.join()
            if self._ahead is not None:
                self._steps.abandon(self._ahead)
            self._engine.deactivate()

    def _next(self) -> EngineRun[Message] | None:
        """Return the run that was prepared ahead, or else take one."""
        with self._changed:
            self._changed.wait_for(lambda: not self._preparing)
            run, self._ahead = self._ahead, None
        return run or self.take()

    def _help(self) -> None:
        while True:
            with self._changed:
                while not self._finishing and self._ahead_in_s() != 0:
                    if self._ended:
                        return
                    self._helper_changed.wait(self._ahead_in_s())
            self.help()

    def help(self) -> None:
        """Do what the second thread is there for: finish what is handed over, or else prepare."""
        with self._changed:
            finishing, ahead = self._finishing, None
            if finishing is None and self._ahead_in_s() == 0:
                ahead = self._ahead = self.take()
                self._preparing = ahead is not None
        if finishing is not None:
            self._finish(finishing)
            self._retire(finishing)
        elif ahead is not None:
            self._do(self._prepare, ahead)
        with self._changed:
            self._finishing, self._preparing = None, False
            if ahead is not None and not ahead.frames:  # all dropped
                self._retire(ahead)
                self._ahead = None
            self._changed.notify()

    def _ahead_in_s(self) -> float | None:
        """Return for how long no frame may be taken ahead; None until somebody tells."""
        if self._ahead_from_ns is None or self._ahead is not None:
            return None
        now_ns = self._clock()
        wait_ns = self._queue.wait_ns(now_ns)
        if wait_ns is None:
            return None
        return min(max(wait_ns, self._ahead_from_ns - now_ns) / 1e9, threading.TIMEOUT_MAX)

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
        activation, self._checking_since_ns = self._activation, self._clock()
        try:
            problem = self._canary.check(self._interrupted)
        except BaseException as error:  # a plugin may even call sys.exit
            problem = f'a plugin ended the check of the engine: {named(error)}'
        finally:
            self._checking_since_ns = None
        if problem and self._delivering and activation == self._activation:
            self._delivering = False
            self._give_up(problem)

    def _check_is_due(self) -> bool:
        return not (self._canary is None or self._canary.wait_ns() or self._interrupted())

    def _interrupted(self) -> bool:
        """Whether a frame waits, or nothing is delivered: the engine is not there for checks."""
        with self._changed:
            return not self._delivering or self._queue.wait_ns(self._clock()) is not None

    def _wait(self) -> EngineRun[Message] | None:
        """Wait for the next run; None when the worker has to end, or a check is due."""
        with self._changed:
            while not self._stopping:
                if (run := self.take()) is not None or self._check_is_due():
                    return run
                wait_ns = self._queue.wait_ns(self._clock())
                if wait_ns is None and self._canary is not None and self._delivering:
                    wait_ns = self._canary.wait_ns()
                wait_s = None if wait_ns is None else min(wait_ns / 1e9, threading.TIMEOUT_MAX)
                self._changed.wait(wait_s)
        return None
