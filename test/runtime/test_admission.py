# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from edge_perception.runtime.admission import Admission
from edge_perception.runtime.admission import WINDOW
from edge_perception.runtime.budget import NS_PER_MS


class Engine:
    """Serves frames one after the other; times in milliseconds."""

    def __init__(self, **arguments: int) -> None:
        self.admission = Admission(**arguments)
        self.now_ms = 0

    def admits(self, left: int) -> bool:
        return self.admission.admits(left * NS_PER_MS, now_ns=self.now_ms * NS_PER_MS)

    def serve(self, service: int, *, in_time: bool = True) -> None:
        self.now_ms += service
        self.admission.record(
            service * NS_PER_MS,
            in_time=in_time,
            now_ns=self.now_ms * NS_PER_MS,
            probe=self.admission.probe,
        )

    @property
    def p95(self) -> float:
        return self.admission.p95_ns / NS_PER_MS


def test_the_warm_up_gives_the_first_estimate():
    engine = Engine(expected_ns=40 * NS_PER_MS)
    assert engine.p95 == 40
    assert engine.admits(40)
    engine.serve(40)
    assert not engine.admits(39)


@given(st.lists(st.integers(0, 1000), min_size=WINDOW, max_size=3 * WINDOW))
def test_the_estimate_is_the_95th_percentile_of_the_last_frames(services):
    engine = Engine()
    for service in services:
        engine.admission.admits(10**12, now_ns=0)
        engine.serve(service)
    latest = sorted(services[-WINDOW:])
    assert engine.p95 == latest[math.ceil(0.95 * WINDOW) - 1]


def test_without_any_figure_a_frame_is_started():
    assert Engine().admits(0)


def test_a_probe_in_time_disproves_the_old_figures():
    engine = Engine()
    for _ in range(10):
        engine.admits(1000)
        engine.serve(100)
    engine.now_ms += 99
    assert not engine.admits(50)
    engine.now_ms += 1
    assert engine.admits(50)
    engine.serve(20)
    assert engine.p95 == 20
    assert engine.admits(50)


def probes_of(engine: Engine, *, left: int, service: int) -> list[int]:
    """Return the pauses before each probe, all of which are late."""
    pauses, ended = [], engine.now_ms
    while engine.now_ms < 20_000:
        if engine.admits(left):
            pauses.append(engine.now_ms - ended)
            engine.serve(service, in_time=False)
            ended = engine.now_ms
        engine.now_ms += 10
    return pauses


def test_probes_with_little_chance_become_rare_but_never_end():
    engine = Engine()
    engine.admits(1000)
    engine.serve(100)
    pauses = probes_of(engine, left=50, service=100)
    assert pauses[:4] == [100, 200, 400, 800]
    assert set(pauses[4:]) == {1000}


def test_probes_with_a_fair_chance_do_not_become_rare():
    engine = Engine(expected_ns=20 * NS_PER_MS)
    for service in (20, 20, 20, 20, 20, 90):
        engine.admits(1000)
        engine.serve(service)
    engine.now_ms += 100
    for _ in range(3):
        assert engine.admits(50)
        engine.serve(90, in_time=False)
        engine.now_ms += 90
        assert not engine.admits(50)
        engine.now_ms += 10


def test_after_a_probe_in_time_the_pauses_begin_short_again():
    engine = Engine(expected_ns=100 * NS_PER_MS)
    for _ in range(5):
        engine.now_ms += 1000
        assert engine.admits(50)
        engine.serve(100, in_time=False)
    engine.now_ms += 1000
    assert engine.admits(50)
    engine.serve(10)
    engine.admits(50)
    engine.serve(200, in_time=False)
    engine.now_ms += 99
    assert not engine.admits(50)
    engine.now_ms += 1
    assert engine.admits(50)
