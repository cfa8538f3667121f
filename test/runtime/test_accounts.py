# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from dataclasses import field

from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import pytest

from edge_perception.runtime.accounts import DROP_REASONS
from edge_perception.runtime.accounts import FrameAccounts
from test.runtime.worker_rig import Gate
from test.runtime.worker_rig import Message
from test.runtime.worker_rig import raising
from test.runtime.worker_rig import Rig

MAX_FAILURES = 2


@given(st.lists(st.sampled_from(['published', *DROP_REASONS])), st.integers(0, 5))
def test_received_is_published_and_dropped_and_in_flight(ends, waiting):
    accounts = FrameAccounts()
    for end in ends:
        accounts.receive()
        if end == 'published':
            accounts.publish()
        else:
            accounts.drop(end)
    for _ in range(waiting):
        accounts.receive()
    counts = accounts.counts()
    expected = Counter(ends)
    assert counts.received == len(ends) + waiting
    assert counts.in_flight == waiting
    assert counts.published == expected.pop('published', 0)
    assert dict(counts.dropped) == {**dict.fromkeys(DROP_REASONS, 0), **expected}


def test_counts_are_those_of_one_moment():
    accounts = FrameAccounts()
    before = accounts.counts()
    accounts.receive()
    accounts.drop('stale')
    assert (before.received, before.dropped['stale']) == (0, 0)


def test_a_reason_that_nobody_knows_is_refused():
    accounts = FrameAccounts()
    accounts.receive()
    with pytest.raises(KeyError):
        accounts.drop('lost')
    assert accounts.counts().in_flight == 1


@dataclass
class Flight:
    """One frame, what will become of it, and the gate at which it waits in the engine."""

    kind: str
    session: int
    arrival_ns: int

    def __post_init__(self) -> None:
        self.gate = Gate(RuntimeError() if self.kind == 'engine_failed' else None)


@dataclass
class Model:
    """
    A worker in plain words: one frame is worked on, one waits, and each ends once.

    It counts frames in flight by looking where they are, not by subtracting.
    """

    rig: Rig
    ends: Counter = field(default_factory=Counter)
    received: int = 0
    active: bool = True
    session: int = 0
    failures: int = 0
    busy: Flight | None = None
    waiting: Flight | None = None

    @property
    def in_flight(self) -> int:
        return (self.busy is not None) + (self.waiting is not None)

    def send(self, kind: str) -> None:
        flight = Flight(kind, self.session, self.rig.clock())
        self.rig.send(
            self._message(flight),
            age_ms=99 if kind == 'stale' else 0,
            budget_ms={'stale': 98, 'overrun': 10}.get(kind, 0),
        )
        self.received += 1
        if not self.active:
            self.ends['inactive'] += 1
        elif kind == 'stale':
            self.ends['stale'] += 1
        elif self.busy is None:
            self._start(flight)
        else:
            self.ends['superseded'] += self.waiting is not None
            self.waiting = flight

    def release(self) -> None:
        """Let the engine, or the conversion, come to its end."""
        if self.busy is None:
            return
        flight, self.busy = self.busy, None
        if flight.kind == 'overrun':
            # Before the gate opens, so that the frame behind it sees the same time.
            self.rig.clock.advance_ms(11)
        flight.gate.open()
        self._end(flight)
        follower, self.waiting = self.waiting, None
        if follower is not None:
            self._start(follower)

    def pause(self) -> None:
        self.rig.worker.pause()
        self.active = False
        self.session += 1
        self.ends['inactive'] += self.waiting is not None
        self.waiting = None

    def resume(self) -> None:
        self.rig.worker.resume()
        self.active = True
        self.failures = 0

    def check(self) -> None:
        expected = (self.received, self.ends['published'], self.in_flight)
        dropped = {reason: self.ends[reason] for reason in DROP_REASONS}

        def agrees() -> bool:
            counts = self.rig.accounts.counts()
            got = (counts.received, counts.published, counts.in_flight)
            assert counts.received == counts.published + counts.in_flight + sum(
                counts.dropped.values()
            )
            return got == expected and counts.dropped == dropped

        self.rig.until(agrees)
        if self.busy is not None:
            self.busy.gate.wait_until_entered()

    def _message(self, flight: Flight) -> Message:
        return Message(
            convert=raising(ValueError('damaged')) if flight.kind == 'bad_image' else str,
            infer=flight.gate,
            decode=raising(ValueError('rows')) if flight.kind == 'decode_failed' else str,
        )

    def _start(self, flight: Flight) -> None:
        if not self.active or flight.session != self.session:
            self.ends['inactive'] += 1
        elif self._late(flight):
            self.ends['stale'] += 1
        elif flight.kind == 'bad_image':
            self.ends['bad_image'] += 1
        else:
            self.busy = flight

    def _end(self, flight: Flight) -> None:
        current = self.active and flight.session == self.session
        if flight.kind != 'engine_failed':
            # It has worked, whatever becomes of its outputs.
            self.failures = 0
        elif current:
            self.failures += 1
            self.active = self.failures < MAX_FAILURES
        if flight.kind == 'decode_failed':
            self.ends['decode_failed'] += 1
        elif not current:
            # Nobody waits for it any more, and the next activation counts its failures again.
            self.ends['inactive'] += 1
        elif flight.kind == 'engine_failed':
            self.ends['engine_failed'] += 1
        else:
            self.ends['overrun' if self._late(flight) else 'published'] += 1

    def _late(self, flight: Flight) -> bool:
        return flight.kind == 'overrun' and self.rig.clock() - flight.arrival_ns > 10_000_000


operations = st.lists(
    st.sampled_from(
        [
            *['good', 'good', 'stale', 'overrun', 'bad_image', 'engine_failed', 'decode_failed'],
            *['release', 'release', 'release', 'pause', 'resume'],
        ]
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=150)
@given(operations)
@example(['engine_failed', 'release', 'decode_failed', 'release', 'engine_failed', 'good'])
def test_no_frame_disappears_whatever_happens_in_whatever_order(sequence):
    with Rig(max_engine_failures=MAX_FAILURES) as rig:
        # What admission does to the accounts is tested without threads, in test_worker_traffic.py.
        rig.channel.admission.admits = lambda *_, **__: True
        model = Model(rig)
        for name in sequence:
            if name in ('release', 'pause', 'resume'):
                getattr(model, name)()
            else:
                model.send(name)
            model.check()
        while model.busy is not None:
            model.release()
            model.check()
    counts = rig.accounts.counts()
    assert counts.in_flight == 0
    assert counts.received == counts.published + sum(counts.dropped.values())
