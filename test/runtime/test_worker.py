# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The thread that serves a camera: what is delivered, what is dropped, and what waits."""

from __future__ import annotations

import threading

import pytest

from edge_perception.contract import Selection
from edge_perception.runtime.camera_channel import CameraPolicy
from test.runtime.worker_rig import Gate
from test.runtime.worker_rig import Message
from test.runtime.worker_rig import raising
from test.runtime.worker_rig import Rig


def test_a_result_is_delivered_with_its_message_frame_and_age():
    with Rig() as rig:
        message = Message(infer=lambda: rig.clock.advance_ms(7))
        rig.send_each(message, age_ms=30, budget_ms=50)
    assert rig.delivered == [message]
    (result,) = rig.results
    assert (result.frame.width, result.frame.height) == (8, 8)
    assert result.perception.detections.xyxy.tolist() == [[0, 0, 8, 8]]
    assert result.times['infer'] == 7_000_000
    assert rig.channel.age_ms.percentiles().maximum == 37
    assert rig.accounts.counts().published == 1
    assert rig.dropped() == {}


def test_while_the_engine_is_busy_only_the_newest_frame_waits():
    with Rig() as rig:
        gate = rig.send_gated()
        for name in ('second', 'third', 'last'):
            rig.send(Message(name))
        gate.open()
        rig.until_idle()
    assert [message.name for message in rig.delivered] == ['gated', 'last']
    assert rig.dropped() == {'superseded': 2}
    assert rig.reports == []


@pytest.mark.parametrize(
    ('age_ms', 'age'),
    [
        (101, '101 ms old before it was started'),
        (59_999, '59999 ms old before it was started'),
        (90_000, '1.5 minutes old before it was started'),
        (5_400_000, '1.5 hours old before it was started (a recording?)'),
        (216_000_000, '2.5 days old before it was started (a recording?)'),
        (295_371_459_237, '9.4 years old before it was started (a recording?)'),
    ],
)
@pytest.mark.parametrize('publish_late', [False, True])
def test_a_frame_older_than_its_budget_is_not_started(age_ms, age, publish_late):
    with Rig(CameraPolicy(publish_late=publish_late)) as rig:
        rig.send_each(Message(convert=raising(AssertionError)), age_ms=age_ms, budget_ms=100)
    assert rig.dropped() == {'stale': 1}
    assert rig.reports == [('stale', f'the frame was {age}')]


def test_a_frame_that_waits_too_long_for_the_engine_becomes_stale():
    with Rig() as rig:
        gate = rig.send_gated()
        rig.send(age_ms=60, budget_ms=100)
        rig.clock.advance_ms(50)
        gate.open()
        rig.until_idle()
    assert rig.dropped() == {'stale': 1}


def test_no_result_is_published_once_pause_has_returned():
    published = []
    with Rig() as rig:
        gate = rig.send_gated(stage='deliver')
        pausing = threading.Thread(
            target=lambda: (rig.worker.pause(), published.append(len(rig.delivered)))
        )
        pausing.start()
        pausing.join(0.5)  # it returns at once where it does not wait for the publication
        gate.open()
        pausing.join()
    assert published == [1]
    assert rig.dropped() == {}


def test_a_result_that_comes_too_late_is_dropped():
    with Rig() as rig:
        rig.send_each(Message(infer=lambda: rig.clock.advance_ms(80)), age_ms=30, budget_ms=100)
    assert rig.delivered == []
    assert rig.dropped() == {'overrun': 1}
    assert rig.reports == [('overrun', 'the result was 110 ms old when it was ready')]


def test_a_late_result_is_delivered_when_the_user_wants_it():
    with Rig(CameraPolicy(publish_late=True)) as rig:
        rig.send_each(Message(infer=lambda: rig.clock.advance_ms(80)), age_ms=30, budget_ms=100)
    assert rig.channel.age_ms.percentiles().maximum == 110
    assert rig.accounts.counts().published_late == 1
    assert rig.dropped() == {}


def test_without_a_budget_any_age_will_do():
    with Rig() as rig:
        rig.send_each(age_ms=10**9)
    assert len(rig.delivered) == 1


def test_a_worker_delivers_nothing_before_it_is_told_to():
    rig = Rig()
    rig.send()
    rig.finish()
    assert rig.dropped() == {'inactive': 1}


def test_a_pause_drops_what_is_worked_on_and_what_waits():
    with Rig() as rig:
        gate = rig.send_gated()
        rig.send()
        rig.worker.pause()
        assert rig.dropped() == {'inactive': 1}
        gate.open()
        rig.until_idle()
        rig.send()
    assert rig.delivered == []
    assert rig.dropped() == {'inactive': 3}


@pytest.mark.parametrize('stage', ['convert', 'infer', 'decode'])
def test_a_frame_of_before_the_pause_is_not_delivered_after_it(stage):
    with Rig() as rig:
        gate = rig.send_gated(stage=stage)
        rig.worker.pause()
        rig.worker.resume()
        new = rig.send(Message('new'))
        gate.open()
        rig.until_idle()
    assert rig.delivered == [new]
    assert rig.dropped() == {'inactive': 1}


def test_a_late_frame_of_before_the_pause_counts_as_inactive():
    with Rig() as rig:
        gate = rig.send_gated(budget_ms=100)
        rig.worker.pause()
        rig.clock.advance_ms(200)
        gate.open()
        rig.until_idle()
    assert rig.dropped() == {'inactive': 1}
    assert rig.reports == []


def test_stopping_a_busy_worker_does_not_wait_and_its_own_thread_frees_the_engine():
    rig = Rig()
    threads = []
    rig.engine._deactivate = lambda: threads.append(threading.current_thread().name)
    rig.worker.resume()
    gate = rig.send_gated()
    rig.send()
    rig.worker.stop()
    assert not rig.worker.join(0)
    assert rig.engine.active
    assert rig.dropped() == {'inactive': 1}
    gate.open()
    rig.finish()
    assert not rig.engine.active
    assert threads == ['perception']
    assert rig.delivered == []
    assert rig.dropped() == {'inactive': 2}


def test_stopping_an_idle_worker_frees_the_engine():
    with Rig() as rig:
        rig.send_each()
    assert not rig.engine.active


def test_a_stopped_worker_takes_no_frames():
    with Rig() as rig:
        rig.worker.stop()
        rig.worker.resume()
        rig.send()
    assert rig.dropped() == {'inactive': 1}
    rig.worker.stop()  # once more does no harm


def test_a_wish_for_other_objects_holds_from_the_next_frame_on():
    with Rig() as rig:
        rig.send_each()
        rig.channel.selection = Selection(score_threshold=0.9)
        rig.send_each()
    assert [each.score_threshold for each in rig.selections] == [0.3, 0.9]


def test_frames_that_come_faster_than_the_wanted_rate_are_superseded():
    # Longer than any wait can be.
    with Rig(CameraPolicy(min_period_ns=10**30)) as rig:
        first = rig.send()
        rig.until_idle()
        rig.send()
        rig.send()
        assert rig.dropped() == {'superseded': 1}
    # Stopping does not wait for its end.
    assert rig.delivered == [first]
    assert rig.dropped() == {'superseded': 1, 'inactive': 1}


def test_between_two_frames_and_only_then_there_is_time_for_other_things():
    gate, notes = Gate(), []
    with Rig(idle=lambda: notes.append('rest')) as rig:
        rig.until(lambda: notes == ['rest'])
        rig.send(Message(infer=gate, deliver=lambda: notes.append('frame')))
        gate.wait_until_entered()
        rig.send(Message(deliver=lambda: notes.append('frame')))
        gate.open()
        rig.until(lambda: notes == ['rest', 'frame', 'frame', 'rest'])


def test_a_stale_frame_does_not_use_up_the_turn_of_the_next_one():
    with Rig(CameraPolicy(min_period_ns=10**18)) as rig:
        rig.send_each(age_ms=99, budget_ms=98)
        rig.send_each()
    assert rig.dropped() == {'stale': 1}
    assert len(rig.delivered) == 1


def test_for_how_long_a_frame_has_been_worked_on():
    with Rig() as rig:
        assert rig.worker.busy_ns() == 0
        gate = rig.send_gated()
        rig.clock.advance_ms(7000)
        assert rig.worker.busy_ns() == 7_000_000_000
        gate.open()
        rig.until_idle()


def test_the_health_of_the_device_is_sampled_once_a_second_and_its_failure_stops_nothing():
    read = iter([{'temperature_c': 61}, {'temperature_c': 'hot'}, {'throttled': True}])
    seen = []
    with Rig() as rig:
        rig.engine._health = lambda: next(read)
        for _ in range(3):
            rig.send_each(Message(), Message())
            seen.append((rig.worker.health, 'hot' in rig.worker.health_problem))
            rig.clock.advance_ms(1000)
    assert seen == [({'temperature_c': 61.0}, False), ({}, True), ({'throttled': 1.0}, False)]
    assert len(rig.delivered) == 6
