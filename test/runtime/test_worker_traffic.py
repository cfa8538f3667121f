# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The latency contract without threads: every event of it on a clock that obeys."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from statistics import median

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import pytest

from edge_perception.runtime.camera_channel import CameraPolicy
from test.runtime.traffic import NO_BATCHES
from test.runtime.traffic import Shot
from test.runtime.traffic import Traffic
from test.runtime.traffic import View

LATE = CameraPolicy(publish_late=True)


def film(camera: str, *, hz: float, seconds: float, service: float, age: float = 0.0):
    """Return the images of a camera with a steady rate."""
    count = int(hz * seconds)
    return [
        Shot(camera, at=number * 1000 / hz, age=age, service=service) for number in range(count)
    ]


def rates(traffic: Traffic, *, seconds: float) -> dict[str, float]:
    counts = Counter(shot.camera for shot, _ in traffic.published)
    return {name: counts[name] / seconds for name in traffic.channels}


def longest_pause_ms(traffic: Traffic, camera: str) -> float:
    starts = [start.at_ms for start in traffic.starts if start.shot.camera == camera]
    return max(after - before for before, after in zip(starts, starts[1:]))


def test_a_camera_faster_than_the_engine_is_served_as_fast_as_the_engine_can():
    traffic = Traffic(camera=View(budget_ms=300))
    traffic.run(film('camera', hz=30, seconds=20, service=125))
    assert rates(traffic, seconds=20)['camera'] == pytest.approx(8, abs=0.2)
    assert max(age for _, age in traffic.published) <= 300
    assert set(traffic.dropped('camera')) == {'superseded'}


@pytest.mark.parametrize(
    ('service', 'around', 'serial_hz', 'overlapped_hz'), [(20, 10, 25, 50), (10, 20, 20, 25)]
)
def test_frames_that_overlap_come_as_fast_as_the_slower_half(
    service, around, serial_hz, overlapped_hz
):
    ages = {}
    for overlap, hz in (('off', serial_hz), ('on', overlapped_hz), ('auto', overlapped_hz)):
        traffic = Traffic(overlap, camera=View(budget_ms=100))
        shots = film('camera', hz=500, seconds=20, service=service)
        traffic.run([replace(shot, around=around) for shot in shots])
        assert rates(traffic, seconds=20)['camera'] == pytest.approx(hz, rel=0.04)
        ages[overlap] = median(age for _, age in traffic.published)
    # It is taken when the engine is nearly ready, not when it begins: newer ones come meanwhile.
    assert ages['on'] <= ages['off'] + 12


def test_cameras_that_wait_share_a_call_of_the_engine_where_all_stay_in_their_budgets():
    views = {name: View(budget_ms=budget) for name, budget in zip('abcd', (300, 300, 300, 60))}
    shots = [shot for name in views for shot in film(name, hz=30, seconds=10, service=40)]
    served = {}
    for name, batches in (('alone', NO_BATCHES), ('together', BATCHES)):
        traffic = Traffic('off', batches, **views).run(shots)
        served[name] = rates(traffic, seconds=10)
        for shot, age_ms in traffic.published:
            assert age_ms <= views[shot.camera].budget_ms
    assert sum(served['together'].values()) >= 1.5 * sum(served['alone'].values())
    # A batch of all would take 72 ms: the one with the short budget is not put into it.
    assert served['together']['d'] >= 1


def test_a_batch_of_which_one_frame_breaks_the_engine_costs_that_frame_alone():
    traffic = Traffic('off', BATCHES, **{name: View(budget_ms=0) for name in 'abcd'})
    first = [Shot('a', at=0, service=50)]
    traffic.run([*first, *(Shot(name, at=10, fails=name == 'c') for name in 'abcd')])
    assert [shot.camera for shot, _ in traffic.published] == ['a', 'a', 'b', 'd']
    assert traffic.dropped('c') == {'engine_failed': 1}


def test_what_overlaps_without_being_faster_stops_overlapping():
    traffic = Traffic('auto', camera=View(budget_ms=0))
    traffic.run(film('camera', hz=90, seconds=20, service=20))
    assert not traffic.worker._pacing.overlaps


def test_four_cameras_with_different_budgets_all_have_their_turns():
    budgets = {'a': 50, 'b': 100, 'c': 200, 'd': 400}
    traffic = Traffic(**{name: View(budget_ms=budget) for name, budget in budgets.items()})
    # Not in step, as real cameras.
    shots = [
        Shot(name, at=number * 1000 / hz, age=2, service=25)
        for name, hz in zip(budgets, (15.0, 15.1, 14.9, 15.2))
        for number in range(20 * 15)
    ]
    traffic.run(shots)
    for shot, age_ms in traffic.published:
        assert age_ms <= budgets[shot.camera]
    for name, budget in budgets.items():
        assert longest_pause_ms(traffic, name) <= 1000 / 14.9 + budget + 4 * 25
    # No turn is lost: the engine can do 40 frames in a second.
    assert sum(rates(traffic, seconds=20).values()) >= 0.95 * 40


def test_the_camera_with_the_longest_budget_does_not_starve():
    views = {'a': View(50), 'b': View(50), 'c': View(50), 'd': View(1000)}
    traffic = Traffic(**views)
    shots = [shot for name in views for shot in film(name, hz=15, seconds=10, service=25)]
    traffic.run(shots)
    assert longest_pause_ms(traffic, 'd') <= 1000 / 15 + 1000 + 4 * 25


def test_a_camera_without_a_budget_neither_starves_nor_starves_others():
    traffic = Traffic(live=View(100), recording=View(0))
    shots = film('live', hz=30, seconds=10, service=30)
    shots += film('recording', hz=30, seconds=10, service=30, age=3_600_000)
    traffic.run(shots)
    found = rates(traffic, seconds=10)
    assert found['live'] >= 10
    assert found['recording'] >= 0.8


def test_a_frame_that_cannot_be_in_time_is_not_started():
    traffic = Traffic(camera=View(budget_ms=100, expected_ms=60))
    shots = [Shot('camera', at=0, service=60), Shot('camera', at=70, age=50, service=60)]
    traffic.run(shots)
    assert [start.shot for start in traffic.starts] == shots[:1]
    assert traffic.dropped('camera') == {'stale': 1}


def test_an_engine_that_is_slow_for_a_while_costs_no_more_than_a_second_after_it():
    traffic = Traffic(camera=View(budget_ms=100))
    slow = (5000, 10_000)
    shots = [
        Shot('camera', at=at, service=150 if slow[0] <= at < slow[1] else 20)
        for at in range(0, 15_000, 33)
    ]
    traffic.run(shots)
    assert max(age for _, age in traffic.published) <= 100
    times = [shot.at for shot, _ in traffic.published]
    assert not [at for at in times if slow[0] <= at < slow[1]]
    back = min(at for at in times if at >= slow[1])
    assert back <= slow[1] + 1000 + 150 + 33
    # And then every frame is published again.
    assert len([at for at in times if at >= back]) == len([s for s in shots if s.at >= back])


def test_probes_do_not_keep_the_engine_from_the_other_cameras():
    # A frame takes longer than the budget of the first.
    traffic = Traffic(hopeless=View(30), other=View(500))
    shots = film('hopeless', hz=30, seconds=20, service=50)
    shots += film('other', hz=30, seconds=20, service=50)
    traffic.run(shots)
    assert rates(traffic, seconds=20)['other'] >= 18
    assert len([start for start in traffic.starts if start.shot.camera == 'hopeless']) <= 25


def test_two_slow_frames_do_not_stop_a_camera_for_long():
    traffic = Traffic(camera=View(budget_ms=50))
    shots = [
        Shot('camera', at=at, service=80 if 1000 <= at < 1100 else 20) for at in range(0, 5000, 33)
    ]
    traffic.run(shots)
    unpublished = len(shots) - len(traffic.published)
    assert unpublished <= 10


def test_a_rate_counts_from_start_to_start():
    policy = CameraPolicy(min_period_ns=100_000_000)
    traffic = Traffic(camera=View(budget_ms=0, policy=policy))
    traffic.run(film('camera', hz=30, seconds=2, service=40))
    starts = [start.at_ms for start in traffic.starts]
    assert starts[:4] == [0, 100, 200, 300]


def test_the_engine_that_fails_is_shared_and_so_is_the_count_of_its_failures():
    traffic = Traffic(a=View(0), b=View(0))
    traffic.run(
        [Shot(name, at=at, fails=True) for at, name in [(0, 'a'), (20, 'b'), (40, 'a'), (60, 'b')]]
    )
    sentence = 'the engine failed 3 times in a row: the stick vanished'
    assert traffic.gave_up == [sentence]
    assert traffic.dropped('a') == {'engine_failed': 2}
    assert traffic.dropped('b') == {'engine_failed': 1, 'inactive': 1}


def test_what_waits_is_dropped_with_a_pause_for_each_camera():
    traffic = Traffic(a=View(0), b=View(0))
    for name, channel in traffic.channels.items():
        traffic.receive(Shot(name, at=0))
        assert channel.accounts.counts().in_flight == 1
    traffic.worker.pause()
    assert traffic.dropped('a') == traffic.dropped('b') == {'inactive': 1}
    assert traffic.worker.take() is None


def test_what_is_done_after_a_result_makes_it_no_older():
    traffic = Traffic(camera=View(budget_ms=100))
    channel = traffic.channels['camera']
    channel._hooks = replace(channel._hooks, afterwards=lambda *_: traffic.pass_ms(300))
    traffic.run(film('camera', hz=2, seconds=3, service=20))
    assert [age for _, age in traffic.published] == [20] * 6
    assert channel.age_ms.percentiles().maximum == 20
    assert channel.admission.p95_ns == 20_000_000
    assert channel.stage_ms['publish'].percentiles().maximum == 0


def test_a_mistake_after_a_result_takes_nothing_back():
    traffic = Traffic(camera=View(budget_ms=100))
    channel = traffic.channels['camera']
    channel._hooks = replace(channel._hooks, afterwards=lambda *_: 1 / 0)
    traffic.run(film('camera', hz=2, seconds=1, service=20))
    assert channel.accounts.counts().published == 2


BATCHES = {1: 1, 2: 1.2, 3: 1.5, 4: 1.8}
BATCHINGS = st.sampled_from([NO_BATCHES, NO_BATCHES, BATCHES, {1: 1, 2: 1.1}])
OVERLAPS = st.sampled_from(['off', 'on', 'auto'])
shots_of = st.builds(
    Shot,
    camera=st.sampled_from('abcd'),
    at=st.integers(0, 3000),
    age=st.one_of(st.integers(0, 60), st.integers(-200, 2000)),
    service=st.one_of(st.just(25), st.integers(1, 200)),
    around=st.one_of(st.just(0), st.integers(0, 60)),
    zero_stamp=st.sampled_from([False] * 9 + [True]),
    fails=st.sampled_from([False] * 19 + [True]),
)
views_of = st.builds(
    View,
    budget_ms=st.sampled_from([0, 20, 50, 100, 200, 400]),
    policy=st.builds(
        CameraPolicy,
        publish_late=st.sampled_from([False, False, True]),
        min_period_ns=st.sampled_from([0, 0, 100_000_000]),
    ),
    on_bad_stamp=st.sampled_from(['drop', 'arrival']),
    expected_ms=st.sampled_from([0, 25, 150]),
)


@settings(deadline=None, max_examples=200)
@given(st.lists(shots_of, max_size=80), st.tuples(*[views_of] * 4), OVERLAPS, BATCHINGS)
def test_whatever_arrives_every_frame_has_one_end_and_none_is_published_late(
    shots, views, overlap, batches
):
    rules = dict(zip('abcd', views))
    # Every event checks the accounts.
    traffic = Traffic(overlap, batches, **rules).run(shots)
    for channel in traffic.channels.values():
        assert channel.accounts.counts().in_flight == 0
        assert channel.age_ms.percentiles().p50 >= 0 or not channel.accounts.counts().published
    for shot, age_ms in traffic.published:
        view = rules[shot.camera]
        bad = shot.zero_stamp or view.on_bad_stamp == 'arrival'
        if view.budget_ms and not view.policy.publish_late and not bad:
            assert age_ms <= view.budget_ms
    for name in rules:
        order = [shot.at for shot, _ in traffic.published if shot.camera == name]
        assert order == sorted(order)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(shots_of, max_size=120),
    st.tuples(*[st.sampled_from([0, 50, 100, 400])] * 4),
    OVERLAPS,
    BATCHINGS,
)
def test_each_camera_has_its_turn_by_its_budget_and_one_service_time_of_every_camera(
    shots, budgets, overlap, batches
):
    # With ``publish_late`` no turn is refused, so the bound has to hold under any load.
    views = {n: View(b, policy=LATE) for n, b in zip('abcd', budgets)}
    traffic = Traffic(overlap, batches, **views)
    # A batch that fails is computed again, frame by frame.
    traffic.run([replace(shot, fails=shot.fails and len(batches) == 1) for shot in shots])
    longest = max((shot.service + 2 * shot.around for shot in shots), default=0)
    # What is served when a claim has passed may be a batch.
    others = 4 if len(batches) == 1 else 3 + max(batches)
    for start in traffic.starts:
        if not start.refused_before:
            assert start.at_ms <= start.due_ms + others * longest + 1e-6


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(st.floats(5, 30), st.floats(0, 100), st.floats(0, 10)), min_size=4, max_size=4
    ),
    st.integers(5, 40),
    st.integers(0, 20),
    OVERLAPS,
)
def test_with_admission_the_bound_holds_for_every_camera_that_was_not_refused(
    cameras, service, around, overlap
):
    budgets = dict(zip('abcd', (60, 100, 200, 400)))
    traffic = Traffic(overlap, **{name: View(budget) for name, budget in budgets.items()})
    shots = [
        Shot(name, at=phase + number * 1000 / hz, age=age, service=service, around=around)
        for name, (hz, phase, age) in zip('abcd', cameras)
        for number in range(int(3 * hz))
    ]
    traffic.run(shots)
    for start in traffic.starts:
        if not start.refused_before:
            assert start.at_ms <= start.due_ms + 4 * (service + 2 * around) + 1e-6
    for shot, age_ms in traffic.published:
        assert age_ms <= budgets[shot.camera] + 1e-6
