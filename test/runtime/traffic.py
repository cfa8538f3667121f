# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras and an engine on a clock that moves from event to event, without a thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from edge_perception.contract import Frame
from edge_perception.contract import InferenceError
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.contract import TensorSpec
from edge_perception.runtime.budget import LatencyBudget
from edge_perception.runtime.budget import NS_PER_MS
from edge_perception.runtime.camera_channel import CameraChannel
from edge_perception.runtime.camera_channel import CameraHooks
from edge_perception.runtime.camera_channel import CameraPolicy
from edge_perception.runtime.frame_queue import QueuedFrame
from edge_perception.runtime.pipeline import Prepared
from edge_perception.runtime.pipeline import Result
from edge_perception.runtime.throughput.batching import Batching
from edge_perception.runtime.throughput.engine_run import EngineRun
from edge_perception.runtime.worker import Worker
from edge_perception.testing import FakeClock

# The clock of ROS is far from the monotonic one, as on a real machine.
ROS_OFFSET_NS = 1_700_000_000_000 * NS_PER_MS
FRAME = Frame(np.zeros((2, 2, 3), np.uint8))


NO_BATCHES = {1: 1.0}


@dataclass(frozen=True)
class Shot:
    """
    One image of a camera; times in milliseconds.

    :param at: when it arrives.
    :param age: how old it is then, by its stamp; negative for a stamp from the future.
    :param service: how long the engine takes for it.
    :param around: how long preparing takes, and finishing as well; only where frames overlap.
    """

    camera: str
    at: float
    age: float = 0.0
    service: float = 10.0
    around: float = 0.0
    zero_stamp: bool = False
    fails: bool = False


@dataclass(frozen=True)
class View:
    """A camera and its rules."""

    budget_ms: float
    policy: CameraPolicy = CameraPolicy()
    on_bad_stamp: str = 'drop'
    expected_ms: float = 0.0


@dataclass
class Start:
    """A frame that was started, and by when its camera should have had its turn."""

    shot: Shot
    at_ms: float
    due_ms: float
    refused_before: bool


class Traffic:
    """
    Sends images through a worker without its threads and checks the accounts at every event.

    :param overlap: of the worker; what its second thread does is done while the engine computes.
    :param batches: how long the engine takes for a batch of each size, in times of one image.
    :param cameras: rules by name.
    """

    def __init__(
        self, overlap: str = 'off', batches: Mapping[int, float] = NO_BATCHES, **cameras: View
    ) -> None:
        self.clock = FakeClock(0)
        self.published: list[tuple[Shot, float]] = []
        self.starts: list[Start] = []
        self.gave_up: list[str] = []
        self._pending: list[Shot] = []
        self._waiting: set[str] = set()
        self._overlap = overlap != 'off'
        self._batches = batches
        self._pictures: list[Shot] = []
        self._claims: dict[str, float] = {}
        self._refused: set[str] = set()
        self._budgets = {
            name: LatencyBudget(
                budget_ms=view.budget_ms,
                on_bad_stamp=view.on_bad_stamp,
                stamp_tolerance_ms=5,
                clock=self.clock,
            )
            for name, view in cameras.items()
        }
        self.channels = {name: self._make_channel(name, view) for name, view in cameras.items()}
        # Its input memory holds the image; the sets of memory of the worker are told apart by it.
        specs = (TensorSpec('image', (1,), np.dtype(object)),)
        engine: Any = SimpleNamespace(
            inputs=specs, infer=self._infer, input_buffers=lambda: {'image': np.zeros(1, object)}
        )
        self.worker: Worker[Shot] = Worker(
            engine,
            list(self.channels.values()),
            max_engine_failures=3,
            give_up=self.gave_up.append,
            idle=lambda: None,
            clock=self.clock,
            overlap=overlap,
            batching=Batching({n: int(10 * NS_PER_MS * each) for n, each in batches.items()}),
        )
        self._take, self.worker.take = self.worker.take, self._taking  # type: ignore[method-assign]
        self.worker.resume()

    @property
    def now_ms(self) -> float:
        return self.clock() / NS_PER_MS

    def run(self, shots: Sequence[Shot]) -> Traffic:
        """Let all images arrive, and serve until none is left."""
        self._pending = sorted(shots, key=lambda shot: shot.at)
        while True:
            self._arrive_until(self.clock())
            run = self.worker._next()
            if run is not None:
                self.worker.serve(run)
                self._check()
                continue
            events = [_at_ns(shot) for shot in self._pending[:1]]
            if (wait_ns := self.worker._queue.wait_ns(self.clock())) is not None:
                events.append(self.clock() + wait_ns)
            if not events:
                return self
            self.clock.now_ns = max(min(events), self.clock())

    def receive(self, shot: Shot) -> None:
        """Take an image as the node does."""
        channel = self.channels[shot.camera]
        channel.accounts.receive()
        now_ns = self.clock() + ROS_OFFSET_NS
        stamp_ns = 0 if shot.zero_stamp else now_ns - int(shot.age * NS_PER_MS)
        deadline = self._budgets[shot.camera].arrive(stamp_ns, now_ns=now_ns).deadline
        if deadline is None:
            channel.drop('bad_stamp', '')
        else:
            assert deadline.age_on_arrival_ns >= 0
            self.worker.submit(channel, shot, deadline)
            if not self.gave_up and not deadline.passed(self.clock()):
                due_ms = deadline.due_ns / NS_PER_MS
                self._claims[shot.camera] = min(due_ms, self._claims.get(shot.camera, due_ms))
                self._waiting.add(shot.camera)
        self._check()

    def pass_ms(self, milliseconds: float) -> None:
        """Let time pass; what arrives meanwhile does."""
        end_ns = self.clock() + int(milliseconds * NS_PER_MS)
        self._arrive_until(end_ns)
        self.clock.now_ns = end_ns

    def dropped(self, camera: str) -> dict[str, int]:
        """Return how many frames were dropped for each reason, zeros left out."""
        counts = self.channels[camera].accounts.counts()
        return {reason: number for reason, number in counts.dropped.items() if number}

    def _arrive_until(self, end_ns: int) -> None:
        while self._pending and _at_ns(self._pending[0]) <= end_ns:
            self.clock.now_ns = max(_at_ns(self._pending[0]), self.clock())
            self.receive(self._pending.pop(0))

    def _taking(self) -> EngineRun[Shot] | None:
        run = self._take()
        for frame in run.frames if run else ():
            name = frame.camera
            self._waiting.remove(name)
            if frame.refusal:
                self._refused.add(name)
            else:
                refused = name in self._refused
                start = Start(frame.message, self.now_ms, self._claims.pop(name), refused)
                self.starts.append(start)
                self._refused.discard(name)
        return run

    def _check(self) -> None:
        """Count the frames in flight by looking where they are, and compare."""
        runs = self.worker._runs
        assert len(runs) <= 2 + self._overlap  # the oldest is finished
        at_work = Counter(frame.camera for run in runs for frame in run.frames)
        for name, channel in self.channels.items():
            counts = channel.accounts.counts()
            # What fails in here while a frame is worked on would be counted so.
            assert not counts.dropped['decode_failed']
            assert counts.in_flight == (name in self._waiting) + at_work[name]
            assert counts.received == (
                counts.published + sum(counts.dropped.values()) + counts.in_flight
            )

    def _make_channel(self, name: str, view: View) -> CameraChannel[Shot]:
        pipeline: Any = SimpleNamespace(
            prepare=self._prepare,
            finish=self._finish,
            warm_up_ns=int(view.expected_ms * NS_PER_MS),
            timed=(),
        )
        return CameraChannel(
            name,
            pipeline,
            hooks=CameraHooks(
                convert=lambda shot: replace(FRAME, frame_id=str(self._pictured(shot))),
                compose=self._compose,
                report=lambda *_: None,
                afterwards=lambda *_: None,
            ),
            selection=Selection(),
            policy=view.policy,
            clock=self.clock,
        )

    def _pictured(self, shot: Shot) -> int:
        """Return by what an image is known in memory."""
        self._pictures.append(shot)
        return len(self._pictures) - 1

    def _prepare(self, frame: Frame, buffers: Any, *, row: int) -> Prepared:
        shot = self._pictures[int(frame.frame_id)]
        self.pass_ms(shot.around)
        buffers['image'][row] = shot
        transform: Any = None
        return Prepared(frame, transform, {})

    def _infer(self, buffers: Any) -> dict[str, Any]:
        """Take as long as the image says, while the second thread does what it can."""
        shots = list(buffers['image'])
        service_ms = max(shot.service for shot in shots) * self._batches[len(shots)]
        end_ns = self.clock() + int(service_ms * NS_PER_MS)
        while self._overlap and self.clock() < end_ns:
            self.worker.help()  # lets time pass as well, and the engine waits for it
            times = [end_ns, *map(_at_ns, self._pending[:1])]
            ahead_in_s = self.worker._ahead_in_s()
            if ahead_in_s is not None:
                times.append(self.clock() + math.ceil(ahead_in_s * 1e9))
            self._arrive_until(max(min(times), self.clock()))
            self.clock.now_ns = max(min(times), self.clock())
        self._arrive_until(end_ns)
        self.clock.now_ns = max(end_ns, self.clock())
        assert list(buffers['image']) == shots, 'written while the engine read it'
        if any(shot.fails for shot in shots):
            raise InferenceError('the stick vanished')
        return {'shot': buffers['image'].copy()}

    def _finish(self, prepared: Prepared, tensors: Any, *, selection: Selection) -> Result:
        (shot,) = tensors['shot']
        assert shot is self._pictures[int(prepared.frame.frame_id)], 'outputs of another frame'
        self.pass_ms(shot.around)
        return Result(prepared.frame, Perception(), {})

    def _compose(self, queued: QueuedFrame[Shot], result: Result) -> Callable[[], None]:
        shot = queued.message
        begun_ms = shot.at - max(shot.age, 0)
        return lambda: self.published.append((shot, self.now_ms - begun_ms))


def _at_ns(shot: Shot) -> int:
    return int(shot.at * NS_PER_MS)
