# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from edge_perception.runtime.scheduler import Scheduler


def scheduler(**periods: int) -> Scheduler[str]:
    return Scheduler(periods)


def test_the_camera_whose_deadline_comes_first_is_first():
    turns = scheduler(front=0, down=0)
    turns.put('front', 'f', due_ns=20)
    turns.put('down', 'd', due_ns=10)
    assert turns.take(0) == ('down', 'd')
    assert turns.take(0) == ('front', 'f')
    assert turns.take(0) is None


def test_a_superseded_frame_keeps_the_place_of_its_camera():
    turns = scheduler(front=0, down=0)
    turns.put('front', 'f1', due_ns=10)
    turns.put('down', 'd', due_ns=15)
    assert turns.put('front', 'f2', due_ns=20) == 'f1'
    assert turns.take(0) == ('front', 'f2')


def test_after_its_turn_a_camera_stands_at_the_back():
    turns = scheduler(front=0, down=0)
    turns.put('front', 'f1', due_ns=10)
    turns.take(0)
    turns.served('front', 0)
    turns.put('front', 'f2', due_ns=20)
    turns.put('down', 'd', due_ns=15)
    assert turns.take(1) == ('down', 'd')


def test_of_two_with_the_same_deadline_the_one_served_longer_ago_is_first():
    turns = scheduler(front=0, down=0)
    turns.served('front', 5)
    turns.served('down', 3)
    turns.put('front', 'f', due_ns=10)
    turns.put('down', 'd', due_ns=10)
    assert turns.take(6) == ('down', 'd')


def test_a_camera_with_a_rate_lets_others_go_first_until_its_time():
    turns = scheduler(slow=100, quick=0)
    turns.served('slow', 50)
    turns.put('slow', 's', due_ns=1)
    assert turns.take(149) is None
    assert turns.wait_ns(60) == 90
    turns.put('quick', 'q', due_ns=1000)
    assert turns.wait_ns(60) == 0
    assert turns.take(60) == ('quick', 'q')
    assert turns.take(150) == ('slow', 's')
    assert turns.wait_ns(150) is None


def test_clearing_tells_whose_frames_are_gone():
    turns = scheduler(front=0, down=0)
    turns.put('down', 'd', due_ns=1)
    assert list(turns.clear()) == ['down']
    assert turns.take(0) is None


def test_a_camera_that_nobody_knows_is_a_mistake():
    with pytest.raises(KeyError):
        scheduler(front=0).put('fornt', 'f', due_ns=0)
