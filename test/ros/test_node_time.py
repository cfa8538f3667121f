# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Simulated time that is slow, stands still or begins anew, and budgets that cannot be kept."""

from __future__ import annotations

import os
import threading

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
import pytest
from rosgraph_msgs.msg import Clock

from edge_perception.ros.input.losses import Losses
from edge_perception.testing import FakeEngineType
from test.support.fake_node import picture
from test.support.graph import until

PERIOD_MS = 100


class SimulatedClock:
    """Publishes /clock, and waits until the node has it."""

    def __init__(self, here) -> None:
        self._here = here
        self._publisher = here.tester.publisher(Clock, '/clock', 1)
        self._publisher.wait(here.node)

    def show(self, milliseconds: int) -> None:
        nanoseconds = milliseconds * 1_000_000
        self._publisher.publish(Clock(clock=stamp(milliseconds)))
        until(
            lambda: self._here.node.get_clock().now().nanoseconds, lambda now: now == nanoseconds
        )


def stamp(milliseconds: int) -> Time:
    return Time(sec=milliseconds // 1000, nanosec=milliseconds % 1000 * 1_000_000)


def test_stamps_ahead_of_the_clock_by_one_period_are_right(world):
    here = world(use_sim_time=True, latency_budget_ms=1000.0)
    camera = here.start()
    clock = SimulatedClock(here)
    for tick in range(100, 105):
        clock.show(tick * PERIOD_MS)
    # /clock announces the time of an image only after the image.
    camera.publish(picture(stamp(10_490)))
    assert here.result().detections
    camera.publish(picture(stamp(10_700)))
    assert here.settled(received=2).dropped['bad_stamp'] == 1


def test_a_tolerance_that_is_set_is_kept(world):
    here = world(use_sim_time=True, stamp_tolerance_ms=20.0)
    camera = here.start()
    clock = SimulatedClock(here)
    for tick in range(100, 105):
        clock.show(tick * PERIOD_MS)
    camera.publish(picture(stamp(10_490)))
    assert here.settled(received=1).dropped['bad_stamp'] == 1


def test_before_the_clock_begins_frames_are_dropped_with_the_reason(world):
    here = world(use_sim_time=True)
    here.start().publish(picture(stamp(10_000)))
    assert here.settled(received=1).dropped['bad_stamp'] == 1
    assert 'no /clock has come' in here.logged('the stamp of an image cannot be judged')


def test_stamps_that_count_from_the_start_of_the_camera_are_named_and_dropped(world):
    here = world(latency_budget_ms=500.0)
    here.start().publish(picture(stamp(45_000)))
    assert here.settled(received=1).dropped['bad_stamp'] == 1
    assert 'set it to arrival' in here.logged('since its clock began')


def test_stamps_that_count_from_the_start_of_the_camera_are_used_with_a_warning(world):
    here = world(latency_budget_ms=500.0, on_bad_stamp='arrival')
    camera = here.start()
    for seconds in (45, 46):
        camera.publish(picture(stamp(seconds * 1000)))
        assert here.result().detections
    assert here.counts().published == 2
    status = here.status('camera', 'since its clock began')
    assert status.level == DiagnosticStatus.WARN


def test_a_clock_that_is_published_and_not_used_is_named(world):
    here = world(latency_budget_ms=500.0)
    here.tester.publisher(Clock, '/clock', 1)
    until(lambda: here.node.count_publishers('/clock'), bool)
    here.start().publish(picture(stamp(45_000)))
    here.logged('set use_sim_time to true')


def test_the_graph_is_not_asked_for_every_bad_stamp(world, monkeypatch):
    here = world(latency_budget_ms=500.0, image_transport='raw')
    camera = here.start()
    asked, count = [], here.node.count_publishers
    monkeypatch.setattr(here.node, 'count_publishers', lambda t: asked.append(t) or count(t))
    for number in range(1, 31):
        camera.publish(picture(stamp(45_000 + number)))
        here.settled(received=number)
    # Once for the log, and for the report of every second.
    assert here.counts().dropped['bad_stamp'] == 30
    assert 0 < asked.count('/clock') < 15


def test_a_clock_that_is_used_and_not_published_is_named(world):
    here = world(use_sim_time=True, latency_budget_ms=500.0)
    here.start().publish(picture(stamp(45_000)))
    here.logged('start what publishes /clock')


def test_a_reset_of_the_simulation_is_said_and_costs_no_frame(world):
    here = world(use_sim_time=True, latency_budget_ms=1000.0)
    camera = here.start()
    clock = SimulatedClock(here)
    for now in (500_000, 500_100):
        clock.show(now)
    camera.publish(picture(stamp(500_100)))
    assert here.result().header.stamp == stamp(500_100)
    for now in (100, 200):
        clock.show(now)
    camera.publish(picture(stamp(200)))
    assert here.result().header.stamp == stamp(200)
    assert 'set back by 500.000 s' in here.logged('simulated time was')
    assert here.settled(received=2).published == 2


def test_while_the_clock_stands_still_results_go_on_with_an_age_that_is_never_negative(world):
    here = world(use_sim_time=True)
    camera = here.start()
    clock = SimulatedClock(here)
    for now in (10_000, 10_100):
        clock.show(now)
    for _ in range(3):
        camera.publish(picture(stamp(10_100)))
        assert here.result().detections
    assert here.settled(received=3).published == 3
    assert here.node.session.cameras[0].channel.age_ms.percentiles().p50 >= 0


def test_a_recording_that_starts_anew_costs_one_frame(world):
    here = world()
    camera = here.start()
    # Old stamps, as without use_sim_time.
    for number, milliseconds in enumerate((70_000, 70_033, 10_000, 10_033), start=1):
        camera.publish(picture(stamp(milliseconds)))
        here.counted(lambda counts, number=number: counts.received == number)
        if milliseconds != 10_000:
            here.result()
    counts = here.settled(received=4)
    assert (counts.published, counts.dropped['bad_stamp']) == (3, 1)
    here.logged('is 1.0 minutes older than the one before')


def slow_engine(seconds: float) -> FakeEngineType:
    """Return an engine that is slow from its first run on."""
    engine_type = FakeEngineType(lambda: threading.Event().wait(seconds))
    engine_type.warm_up_runs = 0
    return engine_type


def test_a_budget_that_the_engine_cannot_keep_is_said_in_configure_and_in_diagnostics(world):
    here = world(engine_type=slow_engine(0.05), latency_budget_ms=20.0)
    here.start()
    sentence = here.logged('latency_budget_ms is 20, but a frame takes 5')
    assert 'use a faster engine' in sentence and '/image_raw' in sentence
    status = here.status('camera', 'latency_budget_ms is 20')
    assert status.level == DiagnosticStatus.WARN
    values = {value.key: value.value for value in status.values}
    assert values['budget_ms'] == '20'
    assert float(values['service_ms_p95']) >= 50


def test_a_frame_that_cannot_be_in_time_is_not_started(world):
    here = world(engine_type=slow_engine(0.2), latency_budget_ms=150.0)
    camera = here.start()
    camera.publish(picture(here.now()))  # the first one is a probe
    here.settled(received=1)
    camera.publish(picture(here.now()))
    counts = here.settled(received=2)
    assert counts.published == 0
    assert counts.dropped['stale'] >= 1
    assert 'ms left when its turn came, and a frame takes' in here.logged('the frame had')


@pytest.mark.parametrize(
    ('parameter', 'sentence'),
    [
        ({'cpu_affinity': '4000'}, "cpu_affinity: got '4000', expected cores such as 2,3 or 0-3"),
        ({'realtime_priority': 100}, 'realtime_priority: got 100, expected an integer from 0'),
    ],
)
def test_what_the_system_cannot_do_is_said_in_configure(world, parameter, sentence):
    here = world(**parameter)
    assert not here.tester.transition('configure')
    here.logged(sentence)


def test_cores_hold_while_something_is_configured(world):
    there = os.sched_getaffinity(0)
    # One core alone arrives as a number.
    here = world(cpu_affinity=min(there))
    threads = lambda: here.spinner.call(lambda: os.sched_getaffinity(0))  # noqa: E731
    assert here.tester.transition('configure')
    assert threads() == {min(there)}
    assert here.tester.transition('cleanup')
    assert threads() == there


def test_a_configure_that_fails_leaves_the_process_as_it_was(world):
    there = os.sched_getaffinity(0)
    here = world(cpu_affinity=str(min(there)), model='/nowhere')
    assert not here.tester.transition('configure')
    assert here.spinner.call(lambda: os.sched_getaffinity(0)) == there


def test_gaps_in_the_numbers_of_one_publisher_are_losses():
    publishers = 1
    losses = Losses(lambda: publishers)
    assert losses.count is None
    for number in (7, 8, 11, 12):
        losses.note({'publication_sequence_number': number})
    assert losses.count == 2
    # The publisher begins anew.
    losses.note({'publication_sequence_number': 1})
    losses.note({'publication_sequence_number': 3})
    assert losses.count == 3
    # Another one publishes as well: their numbers are not one row.
    publishers = 2
    losses.note({'publication_sequence_number': 50})
    losses.note({'publication_sequence_number': 4})
    assert losses.count == 3


def test_without_numbers_losses_are_not_known():
    losses = Losses(lambda: 1)
    losses.note({'source_timestamp': 1})
    assert losses.count is None
