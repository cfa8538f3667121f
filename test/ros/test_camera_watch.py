# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a camera that is silent, slow or lossy is told of, by the watch alone."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edge_perception.ros.input.camera_watch import CameraWatch
from edge_perception.ros.input.camera_watch import PATIENCE_NS
from edge_perception.ros.system.endpoints import IMAGE_TYPE
from edge_perception.testing import FakeClock
from test.support.fake_node import picture


@pytest.fixture
def clock():
    return FakeClock()


def watch(clock):
    """Return a watch whose camera never had a problem with the graph, and what it said."""
    said, told = [], []
    topic = '/image_raw'
    camera = SimpleNamespace(
        topic=topic,
        raw_topic=topic,
        topics={topic: IMAGE_TYPE},
        reliable=False,
        lost_lately=(0, 0),
        publishers=lambda: 1,
    )
    publisher = SimpleNamespace(topic_type=IMAGE_TYPE, node_namespace='/', node_name='camera')
    node = SimpleNamespace(get_publishers_info_by_topic=lambda topic: [publisher])
    found = CameraWatch(node, camera, say=said.append, tell=told.append, clock=clock)
    found.begin()
    return found, said, told


def test_names_of_a_megabyte_are_not_logged_whole(clock):
    found, said, _ = watch(clock)
    for name in 'ab':
        image = picture(None)
        image.header.frame_id = name * 1_000_000
        found.image(image)
    (sentence,) = said
    assert len(sentence) < 500


def test_a_camera_that_is_slow_by_nature_is_told_of_once(clock):
    slow, said, told = watch(clock)
    for _ in range(10):
        slow.image(picture(None))
        clock.now_ns += 5_000_000_000
        slow.check()
    assert len(said) == len(told) == 1
    clock.now_ns += 20_000_000_000
    slow.check()
    assert len(said) == 2, 'but that it has stopped is told'


def test_a_camera_that_was_away_for_an_hour_is_missed_again_within_minutes(clock):
    found, said, _ = watch(clock)
    found.image(picture(None))
    clock.now_ns += 3600 * 1_000_000_000
    found.check()
    found.image(picture(None))
    clock.now_ns += 120 * 1_000_000_000
    found.check()
    assert len(said) == 2
    assert found.problem


def test_one_long_stall_does_not_make_the_watch_patient_for_ever(clock):
    found, said, _ = watch(clock)
    for interval_s in [0.03] * 20 + [31.0] + [0.03] * 3:
        found.image(picture(None))
        clock.now_ns += int(interval_s * 1e9)
        found.check()
    assert len(said) == 1
    clock.now_ns += PATIENCE_NS
    found.check()
    assert len(said) == 2


def test_a_driver_may_take_its_time_from_its_start_to_the_first_image(clock):
    found, said, _ = watch(clock)
    found._camera.publishers = lambda: 0
    clock.now_ns += PATIENCE_NS - 1
    found.check()
    found._camera.publishers = lambda: 1
    for _ in range(2):
        found.check()
        clock.now_ns += PATIENCE_NS // 2
    assert not said
    clock.now_ns += PATIENCE_NS
    found.check()
    assert len(said) == 1


def test_lost_images_are_told_with_their_share_and_no_longer_when_they_arrive(clock):
    found, said, _ = watch(clock)
    found.image(picture(None))
    found._camera.lost_lately = (5, 100)
    found.check()
    assert not found.problem
    found._camera.lost_lately = (60, 100)
    found.check()
    found._camera.lost_lately = (61, 100)
    found.check()
    assert len(said) == 1 and '60 of the last 100, 60%' in said[0]
    assert '61 of the last 100' in found.problem
    found._camera.lost_lately = (0, 100)
    found.check()
    assert not found.problem


def test_two_cameras_on_one_topic_do_not_fill_the_log(clock):
    mixed, said, _ = watch(clock)
    for number in range(20):
        mixed.image(picture(None, width=64 + 32 * (number % 2)))
    assert len(said) == 2
