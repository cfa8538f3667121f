# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import pytest

from edge_perception.runtime.budget import Deadline
from edge_perception.runtime.frame_queue import FrameQueue
from edge_perception.runtime.frame_queue import QueuedFrame


def put(queue: FrameQueue[str], camera: str, message: str, *, due_ns: int) -> str | None:
    """Let a message wait; returns the one that it supersedes."""
    deadline = Deadline(arrival_ns=0, age_on_arrival_ns=0, budget_ns=due_ns)
    superseded = queue.put(QueuedFrame(message, deadline, camera))
    return superseded.message if superseded else None


def take(queue: FrameQueue[str], now_ns: int = 0, **rules: Any) -> list[str]:
    return [frame.message for frame in queue.take(now_ns, **rules)]


def refuse(queue: FrameQueue[str], now_ns: int = 0) -> list[str]:
    """Take a frame out and do not start it."""
    return take(queue, now_ns, starts=lambda _: False)


def both() -> FrameQueue[str]:
    return FrameQueue({'front': 0, 'down': 0})


def test_the_newest_frame_takes_the_place_of_the_one_before():
    queue = both()
    assert queue.wait_ns(0) is None
    assert put(queue, 'front', 'f1', due_ns=1) is None
    assert put(queue, 'front', 'f2', due_ns=2) == 'f1'
    assert queue.wait_ns(0) == 0
    assert take(queue) == ['f2']
    assert queue.wait_ns(0) is None
    assert take(queue) == []
    assert put(queue, 'front', 'f3', due_ns=3) is None


def test_the_camera_whose_deadline_comes_first_is_first():
    queue = both()
    put(queue, 'front', 'f', due_ns=20)
    put(queue, 'down', 'd', due_ns=10)
    assert [take(queue), take(queue), take(queue)] == [['d'], ['f'], []]


@pytest.mark.parametrize('dues', [(10, 20), (20, 10)])
def test_a_superseded_frame_leaves_its_claim_to_the_one_that_took_its_place(dues):
    queue = both()
    put(queue, 'front', 'f1', due_ns=dues[0])
    put(queue, 'down', 'd', due_ns=15)
    put(queue, 'front', 'f2', due_ns=dues[1])
    assert take(queue) == ['f2']


def test_a_camera_whose_frame_was_not_worth_starting_keeps_its_claim():
    queue = both()
    put(queue, 'front', 'f1', due_ns=10)
    put(queue, 'down', 'd', due_ns=15)
    assert refuse(queue) == ['f1']
    put(queue, 'front', 'f2', due_ns=20)
    assert take(queue) == ['f2']


def test_after_its_turn_a_camera_stands_at_the_back():
    queue = both()
    put(queue, 'front', 'f1', due_ns=10)
    take(queue)
    put(queue, 'front', 'f2', due_ns=20)
    put(queue, 'down', 'd', due_ns=15)
    assert take(queue, 1) == ['d']


def test_of_two_with_the_same_claim_the_one_served_longer_ago_is_first():
    queue = both()
    for camera, now_ns in (('down', 3), ('front', 5)):
        put(queue, camera, '', due_ns=1)
        take(queue, now_ns)
    put(queue, 'front', 'f', due_ns=10)
    put(queue, 'down', 'd', due_ns=10)
    assert take(queue, 6) == ['d']


def test_a_camera_with_a_rate_lets_others_go_first_until_its_time():
    queue: FrameQueue[str] = FrameQueue({'slow': 100, 'quick': 0})
    put(queue, 'slow', 's1', due_ns=1)
    assert refuse(queue, 49) == ['s1']
    put(queue, 'slow', 's2', due_ns=1)
    assert take(queue, 50) == ['s2']
    put(queue, 'slow', 's3', due_ns=1)
    assert take(queue, 149) == []
    assert queue.wait_ns(60) == 90
    put(queue, 'quick', 'q', due_ns=1000)
    assert queue.wait_ns(60) == 0
    assert take(queue, 60, most=2) == ['q']
    assert take(queue, 150) == ['s3']
    assert queue.wait_ns(150) is None


def test_several_are_taken_in_the_order_of_their_turns_one_of_each_camera():
    queue: FrameQueue[str] = FrameQueue(dict.fromkeys('abc', 0))
    for camera, due_ns in (('a', 30), ('b', 10), ('c', 20)):
        put(queue, camera, camera, due_ns=due_ns)
    assert take(queue, most=2) == ['b', 'c']
    put(queue, 'c', 'c2', due_ns=40)
    assert take(queue, most=9) == ['a', 'c2']
    assert take(queue, most=9) == []


def test_of_several_only_those_that_are_started_use_their_turn_up():
    queue = both()
    put(queue, 'front', 'f1', due_ns=10)
    put(queue, 'down', 'd1', due_ns=20)
    assert take(queue, most=2, starts=lambda frame: frame.camera == 'down') == ['f1', 'd1']
    put(queue, 'down', 'd2', due_ns=25)
    put(queue, 'front', 'f2', due_ns=50)
    assert take(queue, most=2) == ['f2', 'd2']


def test_a_second_one_is_taken_while_the_first_is_out():
    queue: FrameQueue[str] = FrameQueue({'front': 0, 'down': 100})
    put(queue, 'front', 'f1', due_ns=10)
    put(queue, 'down', 'd1', due_ns=20)
    assert take(queue, 0) == ['f1']
    # Of the same camera and of another one; nobody has said that the first is done.
    assert put(queue, 'front', 'f2', due_ns=30) is None
    assert take(queue, 5, most=2) == ['d1', 'f2']
    put(queue, 'front', 'f3', due_ns=40)
    put(queue, 'down', 'd2', due_ns=35)
    assert [take(queue, 6), take(queue, 6), take(queue, 105)] == [['f3'], [], ['d2']]


def test_clearing_tells_whose_frames_are_gone_and_leaves_no_claim():
    queue = both()
    put(queue, 'down', 'd1', due_ns=1)
    assert [frame.camera for frame in queue.clear()] == ['down']
    assert take(queue) == []
    put(queue, 'down', 'd2', due_ns=20)
    put(queue, 'front', 'f', due_ns=10)
    assert take(queue) == ['f']


def test_a_camera_that_nobody_knows_is_a_mistake():
    with pytest.raises(KeyError):
        put(both(), 'fornt', 'f', due_ns=1)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from('abc'), st.integers(1, 50)),
            st.tuples(st.integers(1, 4), st.booleans()),
        )
    )
)
def test_however_many_are_taken_at_once_each_frame_comes_out_once_and_in_the_order_of_claims(
    steps,
):
    queue: FrameQueue[str] = FrameQueue(dict.fromkeys('abc', 0))
    waiting: dict[str, str] = {}
    claims: dict[str, int] = {}
    for number, (first, second) in enumerate(steps):
        if isinstance(first, str):
            assert put(queue, first, str(number), due_ns=second) == waiting.get(first)
            waiting[first] = str(number)
            claims[first] = min(second, claims.get(first, second))
            continue
        frames = queue.take(number, most=first, starts=lambda _, yes=second: yes)
        assert len(frames) == min(first, len(waiting))
        order = [claims[frame.camera] for frame in frames]
        rest = [claims[name] for name in waiting if name not in {each.camera for each in frames}]
        assert order == sorted(order) and all(claim >= order[-1] for claim in rest)
        for frame in frames:
            assert waiting.pop(frame.camera) == frame.message
            if second:
                del claims[frame.camera]
    assert sorted(frame.message for frame in queue.clear()) == sorted(waiting.values())
