# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A stage of somebody else, with a second image topic and an output topic of its own, over DDS."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
import pytest
from rcl_interfaces.msg import Log
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from edge_perception.contract import option
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import Reads
from edge_perception.contract import Stage
from edge_perception.contract import StageInputs
from edge_perception.ros.node import PerceptionNode
from test.support.fake_node import fake_node
from test.support.fake_node import picture
from test.support.graph import graph
from test.support.graph import PATIENCE_S
from test.support.graph import Spinner
from test.support.graph import Tester
from test.support.graph import until
from test.support.world import ROSOUT

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class NearOptions(Options):
    topic: str = option('', 'topic of the distances; empty: the stage is off')
    limit_m: float = option(2.0, 'what is nearer is shown, m', minimum=0.0)


class Near(Stage):
    """Publishes which pixels of a depth image are near, and leaves out boxes without any."""

    name = 'near'
    needs = frozenset({'detections'})
    options_type = NearOptions
    publishes = {'near': 'image mono16'}
    frames = 0

    @classmethod
    def applies(cls, manifest, options) -> bool:
        return bool(options.topic)

    def _bind(self) -> None:
        self.reads = Reads(images={'depth': self.options.topic})

    def reset(self) -> None:
        self.frames = 0

    def _run(self, inputs: StageInputs) -> Perception:
        self.frames += 1
        depth = inputs.images.get('depth')
        if depth is None:
            return inputs.perception
        self.problem = '' if depth.encoding == '32FC1' else f'got {depth.encoding}'
        near = (depth.pixels < self.options.limit_m).astype(np.uint16) * self.frames
        return replace(inputs.perception, extras={'near': near})


class World:
    """A node with the stage, its camera and the source of distances."""

    def __init__(self, node: PerceptionNode, tester: Tester, spinner: Spinner, depth: str) -> None:
        self.node, self.tester, self.spinner = node, tester, spinner
        self.near = tester.collect(Image, '/perception/near')
        self.detections = tester.collect(Detection2DArray, '/perception/detections')
        assert tester.transition('configure')
        self.camera = tester.publisher(Image, '/image_raw')
        self.depth = tester.publisher(Image, depth)
        assert tester.transition('activate')
        for each in (self.camera, self.depth, self.near, self.detections):
            each.wait(node)

    @property
    def stage(self) -> Stage:
        (stage,) = self.node.session.cameras[0].stages
        return stage

    def measure(self, *meters: float, at_s: float, **changes: Any) -> None:
        """Publish a row of distances, and wait until the node has it."""
        fields = {'encoding': '32FC1', 'step': 4 * len(meters), **changes}
        message = Image(width=len(meters), height=1, **fields)
        message.data = np.array([meters], '>f4' if message.is_bigendian else '<f4').tobytes()
        message.header.stamp.sec = int(at_s)
        topics = self.node.session.cameras[0].stage_topics
        before = len(topics._images['depth']._kept)
        self.depth.publish(message)
        until(lambda: len(topics._images['depth']._kept), lambda count: count > before)

    def look(self, at_s: float, **size: int) -> None:
        message = picture(None, **size)
        message.header.stamp.sec = int(at_s)
        message.header.stamp.nanosec = int(at_s % 1 * NS_PER_S)
        self.camera.publish(message)

    def seen(self) -> list[list[int]]:
        """Return the pixels of the next message of the stage."""
        message = self.near.get(timeout=PATIENCE_S)
        assert message.encoding == 'mono16' and message.step == 2 * message.width
        pixels = np.frombuffer(message.data, np.uint16).reshape(message.height, message.width)
        return pixels.tolist()

    def status(self) -> Any:
        """Return the diagnostics of the stage, and those of the camera."""
        array = self.tester.collect(DiagnosticArray, '/diagnostics').get(timeout=PATIENCE_S)
        found = {each.name.rpartition(' ')[2]: each for each in array.status}
        values = {each.key: each.value for each in found['camera'].values}
        return found['near'], values


@pytest.fixture
def world(tmp_path) -> Iterator[Callable[..., World]]:
    contexts = []

    def make(topic: str = 'depth', **parameters: Any) -> World:
        parameters = {'stage_options.near.topic': topic, **parameters}
        contexts.append(graph(fake_node(tmp_path, stages=[Near], **parameters)))
        return World(*contexts[-1].__enter__(), f'/{topic}')

    yield make
    for context in contexts:
        context.__exit__(None, None, None)


def test_the_image_of_the_other_topic_nearest_in_time_comes_with_the_frame(world):
    here = world()
    for second, distances in ((5, (1.0, 9.0)), (6, (9.0, 1.0)), (8, (9.0, 9.0))):
        here.measure(*distances, at_s=second)
    here.look(at_s=6.2)
    assert here.seen() == [[0, 1]]
    here.look(at_s=100)
    assert here.seen() == [[0, 0]]
    status, camera = here.status()
    assert (status.level, status.message) == (b'\0', 'ok')
    assert [(each.key, each.value) for each in status.values] == [('depth_topic', '/depth')]
    assert float(camera['near_ms.p50']) >= 0 and 'later_ms.p50' not in camera


def test_options_are_parameters(world):
    here = world('front/depth', **{'stage_options.near.limit_m': 5.0})
    here.measure(3.0, 6.0, at_s=1)
    here.look(at_s=1)
    assert here.seen() == [[1, 0]]


def test_without_the_other_topic_detections_go_on_and_it_is_said(world):
    here = world()
    here.look(at_s=1)
    assert len(here.detections.get(timeout=PATIENCE_S).detections) == 1
    status, _ = here.status()
    assert status.message == 'no image has come on /depth so far'
    here.measure(1.0, 2.0, at_s=2, is_bigendian=1)
    here.look(at_s=2)
    assert len(here.detections.get(timeout=PATIENCE_S).detections) == 1
    here.seen()
    assert here.status()[0].message == 'ok'


def test_an_image_that_cannot_be_read_costs_only_what_needs_it(world):
    here = world()
    log = here.tester.collect(Log, '/rosout', ROSOUT)
    here.measure(1.0, 2.0, at_s=1, encoding='rvl')
    here.look(at_s=1)
    assert len(here.detections.get(timeout=PATIENCE_S).detections) == 1
    assert "got 'rvl'" in here.status()[0].message
    until(lambda: log.get(timeout=PATIENCE_S).msg, lambda words: 'near: /depth: ' in words)
    assert here.near.empty()


def test_a_new_activation_and_another_camera_begin_anew(world):
    here = world()
    for expected in (1, 2):
        here.measure(1.0, at_s=expected)
        here.look(at_s=expected)
        assert here.seen() == [[expected]]
    here.look(at_s=3, width=32)
    assert here.seen() == [[1]]
    here.look(at_s=4, width=32)
    assert here.seen() == [[2]]
    assert here.tester.transition('deactivate')
    assert here.tester.transition('activate')
    for each in (here.camera, here.depth):
        each.wait(here.node)
    here.measure(1.0, at_s=5)
    here.look(at_s=5, width=32)
    assert here.seen() == [[1]]


def test_a_clock_that_is_set_back_begins_anew(world):
    here = world()
    here.measure(1.0, at_s=5)
    for expected in (1, 2):
        here.look(at_s=5 + expected)
        assert here.seen() == [[expected]]
    here.spinner.call(here.node.session.cameras[0].clock_was_set_back)
    here.measure(1.0, at_s=1)
    here.look(at_s=1)
    assert here.seen() == [[1]]


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'stage_options.near.limit_m': -1.0}, 'stage_options.near.limit_m: got -1.0, expected'),
        ({'stage_options.near.topic': 'no topic'}, "reads from 'no topic', expected"),
        ({'stage_options.near.limit': 1.0}, 'stage_options.near.limit: unknown parameter'),
    ],
)
def test_mistakes_are_said_in_configure(tmp_path, parameters, words):
    parameters = {'stage_options.near.topic': 'depth', **parameters}
    with graph(fake_node(tmp_path, stages=[Near], **parameters)) as (node, tester, _):
        assert not tester.transition('configure')
        assert words in node._trouble


@pytest.mark.parametrize(
    'publishes',
    [{'detections': 'detections'}, {'cloud': 'points'}, {'detections_3d': 'detections'}],
)
def test_an_output_that_nobody_can_publish_is_refused(tmp_path, publishes):
    wrong = type('Wrong', (Near,), {'publishes': publishes})
    parameters = {'stage_options.near.topic': 'depth'}
    with graph(fake_node(tmp_path, stages=[wrong], **parameters)) as (node, tester, _):
        assert not tester.transition('configure')
        assert "stage 'near': publishes" in node._trouble


def test_each_camera_has_its_own_stage_and_topics(tmp_path):
    parameters = {'cameras': ['left', 'right'], 'stage_options.near.topic': 'depth'}
    with graph(fake_node(tmp_path, stages=[Near], **parameters)) as (node, tester, _):
        assert tester.transition('configure')
        left, right = node.session.cameras
        assert left.stages[0] is not right.stages[0]
        topics = [each.stage_topics.topics(each.stages[0]) for each in (left, right)]
        assert topics == [{'depth': '/left/depth'}, {'depth': '/right/depth'}]
        near = [name for name, _ in node.get_topic_names_and_types() if name.endswith('/near')]
        assert near == ['/perception/left/near', '/perception/right/near']
