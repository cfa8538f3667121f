# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What happens to the frames of all cameras of one engine, step by step and without threads."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from edge_perception.contract import EngineError
from edge_perception.runtime.budget import Clock
from edge_perception.runtime.lane import Lane
from edge_perception.runtime.lane import Message
from edge_perception.runtime.lane import Parcel
from edge_perception.runtime.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class Turn(Generic[Message]):
    """
    A frame whose turn has come.

    :param session: the activation in which it came.
    :param started_ns: monotonic time.
    :param refusal: why it is not worth starting, in words; empty when it is.
    """

    lane: Lane[Message]
    parcel: Parcel[Message]
    session: int
    started_ns: int
    refusal: str


class Dispatcher(Generic[Message]):
    """
    Mailboxes, scheduler, admission and the count of failures of one engine.

    Knows no threads and never waits: whoever calls it from several of them holds a lock around
    everything but ``serve``, which works for as long as the engine does.

    :param lanes: the cameras; their pipelines share one engine.
    :param max_engine_failures: so many in a row, and it gives up.
    :param give_up: told that; nothing is served after it. Called inside of ``serve``.
    """

    def __init__(
        self,
        lanes: Sequence[Lane[Message]],
        *,
        max_engine_failures: int,
        give_up: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._lanes = {lane.name: lane for lane in lanes}
        self._max_engine_failures = max_engine_failures
        self._give_up = give_up
        self._clock = clock
        periods = {lane.name: lane.policy.min_period_ns for lane in lanes}
        self._scheduler: Scheduler[tuple[int, Parcel[Message]]] = Scheduler(periods)
        # Counts activations: a result is delivered in the one in which its frame came, or never.
        self._session = 0
        self._delivering = False
        self._failures = 0

    def resume(self) -> None:
        """Deliver results from now on."""
        self._failures = 0
        self._delivering = True

    def pause(self) -> None:
        """Deliver nothing from now on; what waits is dropped, what is worked on will be."""
        self._delivering = False
        self._session += 1
        for name in self._scheduler.clear():
            self._lanes[name].accounts.drop('inactive')

    def submit(self, lane: Lane[Message], parcel: Parcel[Message]) -> str:
        """
        Let a frame that was counted as received wait for its turn.

        :return: why it is too old already, in words; the caller drops it as stale then.
        """
        deadline, now_ns = parcel.deadline, self._clock()
        if not self._delivering:
            lane.accounts.drop('inactive')
        elif deadline.passed(now_ns):
            # Not one that waits: it would claim a turn for its camera that it cannot use.
            return lane.refusal(deadline, now_ns=now_ns)
        elif self._scheduler.put(lane.name, (self._session, parcel), due_ns=deadline.due_ns):
            lane.accounts.drop('superseded')
        return ''

    def take(self) -> Turn[Message] | None:
        """Return the frame whose turn it is; None when none may start now."""
        now_ns = self._clock()
        taken = self._scheduler.take(now_ns)
        if taken is None:
            return None
        name, (session, parcel) = taken
        lane = self._lanes[name]
        refusal = lane.refusal(parcel.deadline, now_ns=now_ns)
        if not refusal:
            # Only a frame that is started uses the turn up.
            self._scheduler.served(name, now_ns)
        return Turn(lane, parcel, session, now_ns, refusal)

    def wait_ns(self) -> int | None:
        """Return how long until the next frame may start; None when none waits."""
        return self._scheduler.wait_ns(self._clock())

    def serve(self, turn: Turn[Message]) -> None:
        """Bring a frame to its end."""

        def current() -> bool:
            return self._delivering and turn.session == self._session

        if not current():
            turn.lane.accounts.drop('inactive')
            return
        if turn.refusal:
            turn.lane.drop('stale', turn.refusal)
            return
        try:
            worked = turn.lane.serve(turn.parcel, started_ns=turn.started_ns, current=current)
        except EngineError as error:
            if current():
                self._engine_failed(turn.lane, error)
            else:
                turn.lane.accounts.drop('inactive')
        else:
            self._failures = 0 if worked else self._failures

    def give_up(self, turn: Turn[Message], sentence: str) -> None:
        """Serve nothing any more, because the frame that was served ended everything."""
        self._delivering = False
        turn.lane.accounts.drop('engine_failed')
        self._give_up(sentence)

    def _engine_failed(self, lane: Lane[Message], error: EngineError) -> None:
        self._failures += 1
        lane.drop('engine_failed', str(error))
        if self._failures == self._max_engine_failures:
            self._delivering = False
            self._give_up(f'the engine failed {self._failures} times in a row: {error}')
