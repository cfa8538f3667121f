# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras and an engine on a clock that moves from event to event, without a thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import cast

import numpy as np

from edge_perception.contract import Frame
from edge_perception.contract import InferenceError
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.runtime.budget import LatencyBudget
from edge_perception.runtime.budget import NS_PER_MS
from edge_perception.runtime.dispatcher import Dispatcher
from edge_perception.runtime.dispatcher import Turn
from edge_perception.runtime.lane import Delivery
from edge_perception.runtime.lane import Lane
from edge_perception.runtime.lane import LaneHooks
from edge_perception.runtime.lane import LanePolicy
from edge_perception.runtime.lane import Parcel
from edge_perception.runtime.pipeline import Pipeline
from edge_perception.runtime.pipeline import Processed
from edge_perception.runtime.pipeline import StageTimes
from edge_perception.testing import FakeClock

# The clock of ROS is far from the monotonic one, as on a real machine.
ROS_OFFSET_NS = 1_700_000_000_000 * NS_PER_MS
PICTURE = np.zeros((2, 2, 3), np.uint8)


@dataclass(frozen=True)
class Shot:
    """
    One image of a camera; times in milliseconds.

    :param at: when it arrives.
    :param age: how old it is then, by its stamp; negative for a stamp from the future.
    :param service: how long the engine takes for it.
    """

    camera: str
    at: float
    age: float = 0.0
    service: float = 10.0
    zero_stamp: bool = False
    fails: bool = False


@dataclass(frozen=True)
class View:
    """A camera and its rules."""

    budget_ms: float
    policy: LanePolicy = field(default_factory=LanePolicy)
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
    Sends images through a dispatcher and checks the accounts at every event.

    :param cameras: rules by name.
    """

    def __init__(self, **cameras: View) -> None:
        self.clock = FakeClock()
        self._begin_ns = self.clock()
        self.published: list[tuple[Shot, float]] = []
        self.starts: list[Start] = []
        self.gave_up: list[str] = []
        self._views = cameras
        self._pending: list[Shot] = []
        self._serving: Lane[Shot] | None = None
        self._received: Counter[str] = Counter()
        self._waiting: dict[str, bool] = dict.fromkeys(cameras, False)
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
        self.lanes = {name: self._make_lane(name, view) for name, view in cameras.items()}
        self.dispatcher: Dispatcher[Shot] = Dispatcher(
            list(self.lanes.values()),
            max_engine_failures=3,
            give_up=self.gave_up.append,
            clock=self.clock,
        )
        self.dispatcher.resume()

    @property
    def now_ms(self) -> float:
        return (self.clock() - self._begin_ns) / NS_PER_MS

    def run(self, shots: Sequence[Shot]) -> Traffic:
        """Let all images arrive, and serve until none is left."""
        self._pending = sorted(shots, key=lambda shot: shot.at)
        while True:
            self._arrive()
            turn = self.dispatcher.take()
            if turn is not None:
                self._serve(turn)
            elif not self._skip():
                return self

    def dropped(self, camera: str) -> dict[str, int]:
        """Return how many frames were dropped for each reason, zeros left out."""
        counts = self.lanes[camera].accounts.counts()
        return {reason: number for reason, number in counts.dropped.items() if number}

    def _serve(self, turn: Turn[Shot]) -> None:
        name = turn.lane.name
        self._waiting[name] = False
        self._serving = turn.lane
        if turn.refusal:
            self._refused.add(name)
        else:
            shot, due_ms = turn.parcel.message, self._claims.pop(name)
            self.starts.append(Start(shot, self.now_ms, due_ms, name in self._refused))
            self._refused.discard(name)
        self.dispatcher.serve(turn)
        self._serving = None
        self.check()

    def _skip(self) -> bool:
        """Go on to the next event; False when there is none."""
        events = [self._at_ns(shot) for shot in self._pending[:1]]
        wait_ns = self.dispatcher.wait_ns()
        if wait_ns is not None:
            events.append(self.clock() + wait_ns)
        if not events:
            return False
        self.clock.now_ns = max(min(events), self.clock())
        return True

    def _pass(self, milliseconds: float) -> None:
        """Let time pass; what arrives meanwhile does."""
        end_ns = self.clock() + int(milliseconds * NS_PER_MS)
        while self._pending and self._at_ns(self._pending[0]) <= end_ns:
            self.clock.now_ns = max(self._at_ns(self._pending[0]), self.clock())
            self._arrive()
        self.clock.now_ns = end_ns

    def _arrive(self) -> None:
        while self._pending and self._at_ns(self._pending[0]) <= self.clock():
            self._receive(self._pending.pop(0))
            self.check()

    def _at_ns(self, shot: Shot) -> int:
        return self._begin_ns + int(shot.at * NS_PER_MS)

    def _receive(self, shot: Shot) -> None:
        lane = self.lanes[shot.camera]
        self._received[shot.camera] += 1
        lane.accounts.receive()
        now_ns = self.clock() + ROS_OFFSET_NS
        stamp_ns = 0 if shot.zero_stamp else now_ns - int(shot.age * NS_PER_MS)
        deadline = self._budgets[shot.camera].arrive(stamp_ns, now_ns=now_ns).deadline
        if deadline is None:
            lane.drop('bad_stamp', '')
            return
        assert deadline.age_on_arrival_ns >= 0
        refusal = self.dispatcher.submit(lane, Parcel(message=shot, deadline=deadline))
        if refusal:
            lane.drop('stale', refusal)
        if refusal or self.gave_up:
            return
        due_ms = (deadline.due_ns - self._begin_ns) / NS_PER_MS
        self._claims[shot.camera] = min(due_ms, self._claims.get(shot.camera, due_ms))
        self._waiting[shot.camera] = True

    def check(self) -> None:
        """Count the frames in flight by looking where they are, and compare."""
        for name, lane in self.lanes.items():
            counts = lane.accounts.counts()
            in_flight = self._waiting[name] + (self._serving is lane)
            assert counts.received == self._received[name]
            assert counts.in_flight == in_flight
            assert counts.received == (
                counts.published + sum(counts.dropped.values()) + counts.in_flight
            )

    def _make_lane(self, name: str, view: View) -> Lane[Shot]:
        traffic = self

        class Stub:
            """Takes as long as the image says."""

            shot: Shot

            def process(self, frame: Frame, *, selection: Selection) -> Processed:
                traffic._pass(self.shot.service)
                if self.shot.fails:
                    raise InferenceError('the stick vanished')
                return Processed(perception=Perception(), times=StageTimes(0, 0, 0, 0))

        stub = Stub()

        def convert(shot: Shot) -> Frame:
            stub.shot = shot
            return Frame(PICTURE)

        def compose(delivery: Delivery[Shot]) -> Callable[[], None]:
            def publish() -> None:
                begun_ms = delivery.message.at - max(delivery.message.age, 0)
                traffic.published.append((delivery.message, traffic.now_ms - begun_ms))

            return publish

        return Lane(
            name,
            cast(Pipeline, cast(Any, stub)),
            hooks=LaneHooks(convert=convert, compose=compose, report=lambda *_: None),
            selection=Selection(),
            policy=view.policy,
            expected_ns=int(view.expected_ms * NS_PER_MS),
            clock=self.clock,
        )
