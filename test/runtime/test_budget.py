# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from edge_perception.runtime.budget import Deadline
from edge_perception.runtime.budget import LatencyBudget
from edge_perception.runtime.budget import NS_PER_MS
from edge_perception.testing import FakeClock

# The clock of ROS is far from the monotonic one, as on a real machine.
ROS_NOW = 1_700_000_000_000 * NS_PER_MS


class Camera:
    """Stamps of one camera, judged one after the other; times in milliseconds."""

    def __init__(self, **changes: object) -> None:
        self.clock = FakeClock()
        rules = {'budget_ms': 100, 'on_bad_stamp': 'drop', 'stamp_tolerance_ms': 20}
        self._budget = LatencyBudget(**{**rules, **changes}, clock=self.clock)

    def arrive(self, age_ms: float, *, ros_now_ns: int = ROS_NOW):
        stamp_ns = ros_now_ns - int(age_ms * NS_PER_MS)
        return self._budget.arrive(stamp_ns, now_ns=ros_now_ns)

    def arrive_with_zero_stamp(self):
        return self._budget.arrive(0, now_ns=ROS_NOW)

    def wait(self, milliseconds: float) -> None:
        self.clock.advance_ms(milliseconds)


def age_ms(deadline: Deadline, camera: Camera) -> float:
    return deadline.age_ns(camera.clock()) / NS_PER_MS


def test_age_counts_from_the_stamp_and_grows_with_the_monotonic_clock():
    camera = Camera()
    arrival = camera.arrive(30)
    assert arrival.stamp_problem == ''
    assert age_ms(arrival.deadline, camera) == 30
    camera.wait(50)
    assert age_ms(arrival.deadline, camera) == 80


def test_a_deadline_has_passed_when_the_age_is_above_the_budget():
    camera = Camera(budget_ms=100)
    deadline = camera.arrive(30).deadline
    camera.wait(70)
    assert not deadline.passed(camera.clock())
    assert deadline.passed(camera.clock() + 1)


def test_without_a_budget_no_deadline_passes():
    camera = Camera(budget_ms=0)
    deadline = camera.arrive(10**9).deadline
    assert not deadline.passed(camera.clock() + 10**18)


def test_a_budget_may_be_a_part_of_a_millisecond():
    camera = Camera(budget_ms=0.5)
    deadline = camera.arrive(0).deadline
    assert not deadline.passed(camera.clock() + 500_000)
    assert deadline.passed(camera.clock() + 500_001)


def test_a_step_of_the_clock_of_ros_changes_no_frame_that_has_arrived():
    camera = Camera()
    before = camera.arrive(10).deadline
    camera.wait(5)
    # The clock of ROS and the stamps jump forward by an hour; the monotonic clock does not.
    after = camera.arrive(10, ros_now_ns=ROS_NOW + 3600 * 1000 * NS_PER_MS).deadline
    assert age_ms(before, camera) == 15
    assert age_ms(after, camera) == 10


def test_when_only_the_clock_of_ros_steps_back_frames_look_as_if_from_the_future():
    camera = Camera()
    camera.arrive(10)
    arrival = camera.arrive(-3_600_000 + 10)
    assert arrival.deadline is None
    assert arrival.stamp_problem == 'is 60.0 minutes in the future'


@pytest.mark.parametrize(('stamp_ms', 'tells'), [(4_000_000, True), (1_690_000_000_000, False)])
def test_only_a_stamp_that_is_no_date_tells_when_its_clock_began(stamp_ms, tells):
    arrival = Camera().arrive(ROS_NOW / NS_PER_MS - stamp_ms)
    assert arrival.cause == 'start'
    assert ('since its clock began' in arrival.stamp_problem) == tells


@pytest.mark.parametrize('policy', ['drop', 'arrival'])
@pytest.mark.parametrize(
    ('camera_does', 'problem'),
    [
        (lambda camera: camera.arrive_with_zero_stamp(), 'is zero'),
        (lambda camera: camera.arrive(-20.5), 'is 20.5 ms in the future'),
        (
            lambda camera: (camera.arrive(10), camera.arrive(30))[1],
            'is 20.0 ms older than the one before',
        ),
    ],
)
def test_a_bad_stamp_is_named_and_treated_as_the_user_wants(policy, camera_does, problem):
    camera = Camera(on_bad_stamp=policy)
    arrival = camera_does(camera)
    assert arrival.stamp_problem == problem
    if policy == 'drop':
        assert arrival.deadline is None
    else:
        assert age_ms(arrival.deadline, camera) == 0
        assert arrival.deadline.budget_ns == 100 * NS_PER_MS
        assert arrival.deadline.passed(camera.clock() + 101 * NS_PER_MS)


@pytest.mark.parametrize('ahead_ms', [0, 0.001, 20])
def test_a_stamp_a_little_in_the_future_counts_as_now(ahead_ms):
    camera = Camera(stamp_tolerance_ms=20)
    arrival = camera.arrive(-ahead_ms)
    assert arrival.stamp_problem == ''
    assert age_ms(arrival.deadline, camera) == 0


def test_two_frames_may_have_the_same_stamp():
    camera = Camera()
    camera.arrive(10)
    assert camera.arrive(10).stamp_problem == ''


def test_a_stamp_before_the_beginning_of_time_is_bad():
    # Seconds of ROS are signed.
    budget = LatencyBudget(
        budget_ms=0, on_bad_stamp='drop', stamp_tolerance_ms=0, clock=FakeClock()
    )
    assert budget.arrive(-1, now_ns=ROS_NOW).deadline is None


@pytest.mark.parametrize('start', [lambda c: c.arrive(3_600_000), lambda c: c.arrive(0)])
def test_a_recording_that_starts_anew_loses_one_frame(start):
    camera = Camera(budget_ms=0)
    start(camera)
    again = [camera.arrive(3_700_000 - 33 * frame) for frame in range(5)]
    assert [arrival.deadline is None for arrival in again] == [True] + [False] * 4


def test_a_single_frame_from_the_future_costs_no_others():
    camera = Camera()
    ages = [10, -5000, 10, 10, 10]
    assert [bool(camera.arrive(age).stamp_problem) for age in ages] == [
        False,
        True,
        False,
        False,
        False,
    ]


def test_a_camera_that_loses_its_clock_goes_on_when_it_has_it_again():
    camera = Camera()
    camera.arrive(10)
    assert camera.arrive_with_zero_stamp().deadline is None
    assert camera.arrive_with_zero_stamp().deadline is None
    assert camera.arrive(5).deadline is not None


@pytest.mark.parametrize('policy', ['drop', 'arrival'])
def test_before_simulated_time_begins_no_stamp_can_be_judged(policy):
    camera = Camera(on_bad_stamp=policy)
    arrival = camera.arrive(-5000, ros_now_ns=0)
    assert 'no /clock has come' in arrival.stamp_problem
    assert (arrival.deadline is None) == (policy == 'drop')
    # And it is no measure for what comes when time has begun.
    assert camera.arrive(1, ros_now_ns=100 * NS_PER_MS).stamp_problem == ''


def test_a_reset_of_simulated_time_costs_no_frame_that_comes_after_it():
    camera = Camera()
    camera.arrive(10, ros_now_ns=500_000 * NS_PER_MS)
    budget = camera._budget
    budget.begin_anew()
    assert camera.arrive(10, ros_now_ns=1000 * NS_PER_MS).stamp_problem == ''
    # One that was on its way during the reset is from the future, and dropped alone.
    assert camera.arrive(-499_000, ros_now_ns=1010 * NS_PER_MS).deadline is None
    assert camera.arrive(10, ros_now_ns=1020 * NS_PER_MS).stamp_problem == ''


def test_while_simulated_time_stands_still_frames_grow_older_all_the_same():
    camera = Camera(budget_ms=100)
    deadline = camera.arrive(10, ros_now_ns=1000 * NS_PER_MS).deadline
    camera.wait(91)
    assert deadline.passed(camera.clock())
    # The same stamp once more is not a step back.
    assert camera.arrive(10, ros_now_ns=1000 * NS_PER_MS).stamp_problem == ''


def test_the_tolerance_may_follow_the_period_of_a_clock():
    camera = Camera(stamp_tolerance_ms=20)
    assert camera.arrive(-90).stamp_problem
    camera._budget.tolerance_ns = 100 * NS_PER_MS
    assert age_ms(camera.arrive(-90).deadline, camera) == 0


def test_the_turn_of_a_frame_is_due_when_its_budget_ends():
    camera = Camera(budget_ms=100)
    assert camera.arrive(30).deadline.due_ns == camera.clock() + 70 * NS_PER_MS
    assert camera.arrive(30).deadline.left_ns(camera.clock()) == 70 * NS_PER_MS


def test_without_a_budget_the_turn_does_not_depend_on_the_age():
    camera = Camera(budget_ms=0)
    due = [camera.arrive(age).deadline.due_ns for age in (10**9, 10**6, 0)]
    assert len(set(due)) == 1
