# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Several cameras on one node and one engine, over DDS."""

from __future__ import annotations

import threading

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
import pytest
from rcl_interfaces.srv import GetParameters
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.time import Time
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray
from vision_msgs.msg import LabelInfo

from edge_perception.ros.system import qos
from edge_perception.testing import FakeEngine
from edge_perception.testing import FakeEngineType
from test.support.fake_node import MANIFEST
from test.support.fake_node import picture
from test.support.fake_node import PointingDecoder
from test.support.graph import PATIENCE_S
from test.support.graph import until

TWO = {'cameras': ['front', 'down']}


class Eye:
    """One camera of the tester, and the results for it."""

    def __init__(self, here, name: str, topic: str = '') -> None:
        self._here = here
        self._name = name
        self.images = here.tester.publisher(Image, topic or f'/{name}/image_raw')
        self.results = here.tester.collect(Detection2DArray, f'/perception/{name}/detections')

    def wait(self) -> None:
        self.images.wait(self._here.node)
        self.results.wait(self._here.node)

    def show(self, **changes) -> Image:
        message = picture(self._here.now(), **changes)
        message.header.frame_id = self._name
        self.images.publish(message)
        return message

    def result(self) -> Detection2DArray:
        return self.results.get(timeout=PATIENCE_S)

    def counts(self):
        cameras = {camera.name: camera for camera in self._here.node.session.cameras}
        return cameras[self._name].channel.accounts.counts()


def start(here, *names: str) -> list[Eye]:
    assert here.tester.transition('configure')
    eyes = [Eye(here, name) for name in names]
    assert here.tester.transition('activate')
    for eye in eyes:
        eye.wait()
    return eyes


def statuses(here) -> dict[str, DiagnosticStatus]:
    message = here.tester.collect(DiagnosticArray, '/diagnostics').get(timeout=PATIENCE_S)
    return {status.name: status for status in message.status}


def test_cameras_share_no_call_of_an_engine_that_takes_one_frame(world):
    here = world(**TWO, max_batch=2)
    front, _ = start(here, 'front', 'down')
    assert 'max_batch has no effect: fake takes one frame' in here.logged('max_batch')
    message = front.show()
    assert front.result().header == message.header


def test_each_camera_has_its_results_on_its_own_topics(world):
    here = world(**TWO)
    front, down = start(here, 'front', 'down')
    for eye in (front, down):
        message = eye.show()
        assert eye.result().header == message.header
    assert front.results.empty() and down.results.empty()
    topics = [
        name for name, _ in here.node.get_publisher_names_and_types_by_node('perception', '/')
    ]
    assert '/perception/detections' not in topics
    labels = here.tester.collect(LabelInfo, '/perception/down/label_info', qos.LATCHED)
    assert labels.get(timeout=PATIENCE_S).class_map[0].class_name == 'thing'


def test_what_is_set_for_a_camera_counts_for_it_alone(world):
    here = world(
        **TWO, **{'down.rotate': 90, 'down.frame_id': 'belly', 'frame_id': 'nose', 'rotate': 0}
    )
    front, down = start(here, 'front', 'down')
    front.show(width=64, height=48)
    down.show(width=64, height=48)
    straight, turned = front.result(), down.result()
    assert (straight.header.frame_id, turned.header.frame_id) == ('nose', 'belly')
    # Turned and letterboxed, 64 rows of the square input hold the image.
    assert straight.detections[0].bbox.center.position.x == 32.0
    assert turned.detections[0].bbox.size_x == 64.0


def test_a_device_that_is_throttled_is_a_warning_with_its_numbers(world, monkeypatch):
    monkeypatch.setattr(FakeEngine, '_health', lambda self: {'throttled': 1, 'temperature_c': 91})
    here = world(**TWO)
    (front, _) = start(here, 'front', 'down')
    front.show()
    front.result()
    found = here.tester.collect(DiagnosticArray, '/diagnostics')
    while 'health.throttled' not in (values := engine_values(found)):
        continue
    assert (values['health.temperature_c'], values['message']) == (
        '91.00',
        'the device is throttled by heat or lack of power',
    )


def engine_values(found) -> dict[str, str]:
    message = found.get(timeout=PATIENCE_S)
    (status,) = (each for each in message.status if each.name == '/perception: engine')
    return {'message': status.message, **{each.key: each.value for each in status.values}}


def test_each_camera_has_its_own_accounts_and_its_own_status(world):
    here = world(**TWO, **{'front.latency_budget_ms': 0.0, 'down.latency_budget_ms': 100.0})
    front, down = start(here, 'front', 'down')
    front.show()
    front.result()
    down.show(encoding='rgb9')
    until(down.counts, lambda counts: counts.dropped['bad_image'] == 1)
    found = statuses(here)
    assert set(found) == {
        '/perception: engine',
        '/perception: front camera',
        '/perception: down camera',
    }
    values = {
        name: {value.key: value.value for value in found[f'/perception: {name} camera'].values}
        for name in ('front', 'down')
    }
    assert [values[name]['published'] for name in values] == ['1', '0']
    assert [values[name]['dropped.bad_image'] for name in values] == ['0', '1']
    assert [values[name]['budget_ms'] for name in values] == ['0', '100']
    assert values['front']['lost_before_node'] == '0'
    assert len({status.hardware_id for status in found.values()}) == 1


def test_a_camera_that_is_late_does_not_touch_the_other(world):
    here = world(**TWO, **{'latency_budget_ms': 2000.0})
    front, down = start(here, 'front', 'down')
    old = Time(nanoseconds=here.tester.node.get_clock().now().nanoseconds - 10**10).to_msg()
    down.images.publish(picture(old))
    until(down.counts, lambda counts: counts.dropped['stale'] == 1)
    front.show()
    assert front.result().detections
    assert '/down/image_raw: the frame was' in here.logged('the frame was')


def test_both_cameras_wait_for_one_engine_and_both_are_served(world):
    entered, release = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        assert release.wait(PATIENCE_S)

    here = world(engine_type=FakeEngineType(wait), **TWO)
    front, down = start(here, 'front', 'down')
    front.show()
    assert entered.wait(PATIENCE_S)
    down.show()
    until(down.counts, lambda counts: counts.in_flight == 1)
    front.show()
    until(front.counts, lambda counts: counts.in_flight == 2)
    release.set()
    assert front.result().detections and down.result().detections and front.result().detections


def test_everything_answers_while_the_engine_is_busy_with_many_cameras(world):
    entered, release = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        assert release.wait(PATIENCE_S)

    here = world(engine_type=FakeEngineType(wait), **TWO)
    front, down = start(here, 'front', 'down')
    front.show()
    assert entered.wait(PATIENCE_S)
    down.show()
    node = here.tester.node
    change = node.create_client(SetParameters, '/perception/set_parameters')
    wish = Parameter('front.latency_budget_ms', value=80.0).to_parameter_msg()
    answer = here.tester.call(change, SetParameters.Request(parameters=[wish]))
    assert answer.results[0].successful
    ask = node.create_client(GetParameters, '/perception/get_parameters')
    names = ['front.latency_budget_ms', 'down.latency_budget_ms']
    values = here.tester.call(ask, GetParameters.Request(names=names)).values
    assert [value.double_value for value in values] == [80.0, -1.0]
    assert here.tester.transition('deactivate')
    assert until(down.counts, lambda counts: counts.in_flight == 0).dropped['inactive'] == 1
    release.set()


def test_one_camera_may_be_named_too(world):
    here = world(cameras=['nose'], **{'nose.image_topic': '/camera/image_raw'})
    assert here.tester.transition('configure')
    eye = Eye(here, 'nose', '/camera/image_raw')
    assert here.tester.transition('activate')
    eye.wait()
    eye.show()
    assert eye.result().detections


def test_what_a_preset_says_of_a_camera_that_is_not_there_is_not_used(world):
    here = world(**TWO, **{'rear.image_topic': '/x', 'rear.max_rate': 10.0})
    assert here.tester.transition('configure')
    here.logged("rear.image_topic: not used, 'rear' is not in cameras")
    here.logged("rear.max_rate: not used, 'rear' is not in cameras")


@pytest.mark.parametrize(
    ('parameters', 'sentences'),
    [
        (
            {'cameras': ['front', 'down', 'front']},
            ['cameras: got front, down, front, expected each name once'],
        ),
        (
            {'cameras': ['front', '2nd', 'engine']},
            ["cameras: got '2nd', expected letters, digits and _", "cameras: got 'engine'"],
        ),
        (
            {'cameras': ['front', 'debug']},
            ["cameras: got 'debug', expected", 'not the name of a parameter'],
        ),
        (
            {**TWO, 'image_topic': '/camera/image_raw'},
            ['image_topic: has no effect with cameras, set <name>.image_topic instead'],
        ),
        (
            {**TWO, 'front.latency_budget': 50.0},
            ["front.latency_budget: unknown parameter, did you mean 'front.latency_budget_ms'?"],
        ),
        (
            {
                **TWO,
                'down.rotate': 45,
                'down.latency_budget_ms': -0.5,
                'down.max_rate': 'fast',
                'front.image_topic': 'image raw',
            },
            [
                "front.image_topic: got 'image raw', expected the name of a topic",
                'down.rotate: got 45, expected one of -1, 0, 90, 180, 270',
                "down.max_rate: got 'fast', expected -1 or a float of at least 0",
                'down.latency_budget_ms: got -0.5, expected -1 or a float from 0 to 86400000',
            ],
        ),
    ],
)
def test_mistakes_are_said_all_at_once(world, parameters, sentences):
    here = world(**parameters)
    assert not here.tester.transition('configure')
    said = here.logged('configure [')
    for sentence in sentences:
        assert sentence in said or here.logged(sentence)
        said = here.node._trouble


def test_each_camera_has_its_own_calibration(world):
    square = [[x, y, 0] for x in (0, 1) for y in (0, 1)] + [[0.5, 0.5, 0]]
    posed = f'{MANIFEST}keypoints: [a, b, c, d, e]\nobject_points: {square}\n'
    there = {'down.camera_info_topic': '/belly/info'}
    here = world(manifest=posed, decoder=PointingDecoder, **TWO, **there)
    assert here.tester.transition('configure')
    found = statuses(here)
    topics = {
        name: status.values[0].value for name, status in found.items() if name.endswith(' pose')
    }
    assert topics == {
        '/perception: front pose': '/front/camera_info',
        '/perception: down pose': '/belly/info',
    }
    front, down = here.node.session.cameras
    assert front.channel.pipeline.stages[0] is not down.channel.pipeline.stages[0]
    assert front.channel.pipeline.engine is down.channel.pipeline.engine
