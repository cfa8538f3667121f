# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a user of the node sees over DDS: lifecycle, topics, drops with reasons, the log."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
import queue
import threading
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
import pytest
from rcl_interfaces.msg import Log
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray
from vision_msgs.msg import LabelInfo
from vision_msgs.msg import VisionInfo

from edge_perception.core.accounts import FrameCounts
from edge_perception.ros import qos
from edge_perception.ros.node import PerceptionNode
from edge_perception.testing import FakeEngineType
from test.support.fake_node import fake_node
from test.support.fake_node import picture
from test.support.graph import graph
from test.support.graph import MatchedPublisher
from test.support.graph import PATIENCE_S
from test.support.graph import Spinner
from test.support.graph import Tester
from test.support.graph import until

# As rclpy publishes it, so that a late subscription gets what was said before.
ROSOUT = QoSProfile(
    depth=1000,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


class World:
    """Node and tester, with the verbs of a user."""

    def __init__(self, node: PerceptionNode, tester: Tester, spinner: Spinner) -> None:
        self.node = node
        self.tester = tester
        self.spinner = spinner
        self.detections = tester.collect(Detection2DArray, '/perception/detections')
        self._log = tester.collect(Log, '/rosout', ROSOUT)

    def now(self) -> Any:
        return self.tester.node.get_clock().now().to_msg()

    def start(self) -> MatchedPublisher:
        """Configure and activate, and return the camera that the node listens to."""
        assert self.tester.transition('configure')
        camera = self.camera()
        assert self.tester.transition('activate')
        camera.wait(self.node)
        self.detections.wait(self.node)
        return camera

    def camera(self) -> MatchedPublisher:
        return self.tester.publisher(Image, '/image_raw')

    def result(self) -> Detection2DArray:
        """Return the next published result, waiting for it."""
        try:
            return self.detections.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise AssertionError(f'no result came; {self.counts()}') from None

    def counts(self) -> FrameCounts:
        assert self.node.session is not None
        return self.node.session.accounts.counts()

    def counted(self, ready: Callable[[FrameCounts], bool]) -> FrameCounts:
        """Wait until the accounts of the node are as expected."""
        return until(self.counts, ready)

    def settled(self, received: int) -> FrameCounts:
        """Wait until so many frames have arrived and none is in flight."""
        return self.counted(lambda now: now.received == received and now.in_flight == 0)

    def logged(self, text: str) -> str:
        """Return the first line of the log that contains a text, waiting for it."""
        heard = []
        while True:
            try:
                heard.append(self._log.get(timeout=PATIENCE_S).msg)
            except queue.Empty:
                raise AssertionError(f'{text!r} was not said, but {heard}') from None
            if text in heard[-1]:
                return str(heard[-1])

    def camera_status(self, words: str = '') -> DiagnosticStatus:
        """Return the next diagnostic of the camera whose message has some words in it."""
        statuses = self.tester.collect(DiagnosticArray, '/diagnostics')
        while True:
            for status in statuses.get(timeout=PATIENCE_S).status:
                if status.name == '/perception: camera' and words in status.message:
                    return status


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Make a node with parameters; everything ends with the test."""
    contexts = []

    def make(**arguments: Any) -> World:
        context = graph(fake_node(tmp_path, **arguments))
        contexts.append(context)
        return World(*context.__enter__())

    yield make
    for context in contexts:
        context.__exit__(None, None, None)


def test_result_has_the_header_of_the_image_and_the_label(world):
    here = world()
    camera = here.start()
    message = picture(here.now())
    camera.publish(message)
    result = here.result()
    assert result.header == message.header
    assert result.detections[0].header == message.header
    assert result.detections[0].results[0].hypothesis.class_id == 'thing'


def test_index_format_and_frame_id_override(world):
    here = world(class_id_format='index', frame_id='nose_camera')
    here.start().publish(picture(here.now()))
    result = here.result()
    assert result.header.frame_id == 'nose_camera'
    assert result.detections[0].results[0].hypothesis.class_id == '0'


def test_upside_down_camera_gives_boxes_in_the_pixels_of_its_image(world):
    here = world(rotate=90)
    here.start().publish(picture(here.now(), width=64, height=48))
    box = here.result().detections[0].bbox
    # The fake box covers the square input; turned and letterboxed, 64 rows of it hold the image.
    assert (box.center.position.x, box.center.position.y) == (32.0, 24.0)
    assert (box.size_x, box.size_y) == (64.0, 64.0)


def test_labels_are_latched_for_a_late_subscriber(world):
    here = world()
    here.start()
    labels = here.tester.collect(LabelInfo, '/perception/label_info', qos.LATCHED)
    assert labels.get(timeout=PATIENCE_S).class_map[0].class_name == 'thing'
    models = here.tester.collect(VisionInfo, '/perception/vision_info', qos.LATCHED)
    info = models.get(timeout=PATIENCE_S)
    assert (info.method, info.database_location) == ('fake', '/perception/label_info')


def test_nothing_is_subscribed_before_activate_and_after_deactivate(world):
    here = world()
    camera = here.start()
    assert here.tester.transition('deactivate')
    camera.wait_for_nobody()
    assert here.tester.transition('activate')
    camera.wait(here.node)
    camera.publish(picture(here.now()))
    assert here.result().detections


def test_lifecycle_answers_while_the_engine_hangs(world):
    entered, release = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        assert release.wait(PATIENCE_S)

    here = world(engine_type=FakeEngineType(hang))
    camera = here.start()
    camera.publish(picture(here.now()))
    assert entered.wait(PATIENCE_S)
    assert here.tester.transition('deactivate')
    assert here.tester.state() == 'inactive'
    release.set()
    assert here.settled(received=1).dropped['inactive'] == 1
    assert here.detections.empty()


def test_newest_frame_wins_while_the_engine_is_busy(world):
    entered, release = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        assert release.wait(PATIENCE_S)

    here = world(engine_type=FakeEngineType(wait), latency_budget_ms=0.0)
    camera = here.start()
    stamps = [here.now() for _ in range(4)]
    camera.publish(picture(stamps[0]))
    assert entered.wait(PATIENCE_S)
    for number, stamp in enumerate(stamps[1:], start=2):
        camera.publish(picture(stamp))
        # One at a time: a best-effort queue of one may lose what comes in a burst.
        here.counted(lambda counts, number=number: counts.received == number)
    release.set()
    assert [here.result().header.stamp for _ in range(2)] == [stamps[0], stamps[3]]
    counts = here.settled(received=4)
    assert (counts.published, counts.dropped['superseded']) == (2, 2)


def test_failed_engine_is_never_an_empty_result(world):
    def fail() -> None:
        raise RuntimeError('the stick vanished')

    here = world(engine_type=FakeEngineType(fail), max_engine_failures=3)
    camera = here.start()
    for number in range(1, 4):
        camera.publish(picture(here.now()))
        if number < 3:
            here.counted(lambda counts, number=number: counts.dropped['engine_failed'] == number)
    assert 'the stick vanished' in here.logged('failed 3 times in a row')
    until(here.node.finished.done, bool)
    assert here.node.finished.result() == 1
    assert here.tester.state() == 'finalized'
    assert here.detections.empty()


def test_old_frame_is_stale_and_the_log_says_what_to_do(world):
    here = world(latency_budget_ms=100.0)
    camera = here.start()
    old = Time(nanoseconds=here.tester.node.get_clock().now().nanoseconds - 10**9).to_msg()
    camera.publish(picture(old))
    assert here.settled(received=1).dropped['stale'] == 1
    assert 'latency_budget_ms' in here.logged('/image_raw: the frame was')


def test_overrun_is_not_published(world):
    here = world(
        engine_type=FakeEngineType(lambda: threading.Event().wait(1.0)), latency_budget_ms=800.0
    )
    here.start().publish(picture(here.now()))
    counts = here.settled(received=1)
    # A slow machine may use the budget up before the frame is started.
    assert counts.dropped['overrun'] + counts.dropped['stale'] == 1
    assert counts.published == 0


@pytest.mark.parametrize('policy', ['drop', 'arrival'])
def test_zero_stamp(world, policy):
    here = world(on_bad_stamp=policy)
    here.start().publish(picture(Time().to_msg()))
    assert 'on_bad_stamp' in here.logged('the stamp of an image is zero')
    counts = here.settled(received=1)
    assert counts.dropped['bad_stamp'] == (policy == 'drop')
    assert counts.published == (policy == 'arrival')


def test_bad_image_is_counted_and_said_once(world):
    here = world()
    camera = here.start()
    for number in range(1, 4):
        bad = picture(here.now(), encoding='rgb9')
        camera.publish(bad)
        here.counted(lambda counts, number=number: counts.dropped['bad_image'] == number)
    sentence = here.logged('rgb9')
    assert '/image_raw' in sentence and 'bgr8' in sentence
    camera.publish(picture(here.now()))
    assert here.result().detections


def test_camera_starts_late_stops_and_comes_back_different(world):
    here = world()
    assert here.tester.transition('configure')
    assert here.tester.transition('activate')
    first = here.camera()
    first.wait(here.node)
    here.detections.wait(here.node)
    first.publish(picture(here.now()))
    assert here.result().detections[0].bbox.size_x == 64.0
    first.destroy(here.node)
    second = here.camera()
    second.wait(here.node)
    second.publish(picture(here.now(), width=128, height=128, encoding='mono8', channels=1))
    assert here.result().detections[0].bbox.size_x == 128.0


def test_compressed_topic_is_found_beside_the_raw_name(world):
    here = world(image_topic='/camera/image_raw')
    assert here.tester.transition('configure')
    assert here.tester.transition('activate')
    camera = here.tester.publisher(CompressedImage, '/camera/image_raw/compressed')
    camera.wait(here.node)
    message = CompressedImage(format='jpeg', data=b'not a picture')
    message.header.stamp = here.now()
    camera.publish(message)
    here.counted(lambda counts: counts.dropped['bad_image'] == 1)


def test_max_rate_leaves_the_newest_frame_waiting_for_its_turn(world):
    here = world(max_rate=0.001)
    camera = here.start()
    for number in range(1, 6):
        camera.publish(picture(here.now()))
        here.counted(lambda counts, number=number: counts.received == number)
        if number == 1:
            here.result()
    counts = here.counts()
    assert (counts.published, counts.dropped['superseded'], counts.in_flight) == (1, 3, 1)
    assert here.tester.transition('deactivate')
    assert here.counts().dropped['inactive'] == 1


def test_all_mistakes_are_said_at_once_and_the_node_stays(world, tmp_path):
    here = world(
        engine='fakee',
        model='/nowhere',
        rotate=45,
        latency_budget_ms=-1.0,
        latency_budget=3.0,
        image_topic='image raw',
    )
    assert not here.tester.transition('configure')
    assert here.tester.state() == 'unconfigured'
    expected = (
        "latency_budget: unknown parameter, did you mean 'latency_budget_ms'?",
        "image_topic: got 'image raw', expected the name of a topic",
        'rotate: got 45, expected one of 0, 90, 180, 270',
        'latency_budget_ms: got -1.0, expected a number of at least 0',
        "model '/nowhere': no such file or folder",
        "did you mean 'fake'?",
    )
    for sentence in expected:
        here.logged(sentence)
    mend = [
        Parameter(name, value=value).to_parameter_msg()
        for name, value in (
            ('model', str(tmp_path)),
            ('engine', 'fake'),
            ('rotate', 0),
            ('latency_budget_ms', 100.0),
        )
    ]
    client = here.tester.node.create_client(SetParameters, '/perception/set_parameters')
    answer = here.tester.call(client, SetParameters.Request(parameters=mend))
    assert all(result.successful for result in answer.results)


def test_wrong_value_is_refused_while_running(world):
    here = world()
    here.start()
    client = here.tester.node.create_client(SetParameters, '/perception/set_parameters')
    wrong = Parameter('score_threshold', value=7.0).to_parameter_msg()
    answer = here.tester.call(client, SetParameters.Request(parameters=[wrong]))
    assert not answer.results[0].successful
    assert 'score_threshold: got 7.0, expected a number' in answer.results[0].reason


def test_diagnostics_account_for_every_frame(world):
    here = world()
    camera = here.start()
    camera.publish(picture(here.now()))
    here.result()
    camera.publish(picture(here.now(), encoding='rgb9'))
    here.counted(lambda counts: counts.dropped['bad_image'] == 1)
    values = {value.key: value.value for value in here.camera_status().values}
    assert (values['received'], values['published']) == ('2', '1')
    assert values['dropped.bad_image'] == '1'
    assert float(values['age_ms.p50']) > 0


def test_queue_of_results_is_not_touched_by_a_cleanup(world):
    here = world()
    camera = here.start()
    camera.publish(picture(here.now()))
    here.result()
    for transition in ('deactivate', 'cleanup', 'configure', 'activate'):
        assert here.tester.transition(transition)
    camera.wait(here.node)
    here.detections.wait(here.node)
    camera.publish(picture(here.now()))
    assert here.result().detections
    with pytest.raises(queue.Empty):
        here.detections.get_nowait()


def test_diagnostics_judge_what_has_come_since_the_last_report(world):
    here = world()
    camera = here.start()
    assert here.camera_status('no image since the last report').level == DiagnosticStatus.WARN
    camera.publish(picture(here.now(), encoding='rgb9'))
    warning = here.camera_status('dropped since the last report: 1 bad_image')
    assert warning.level == DiagnosticStatus.WARN
    camera.destroy(here.node)
    assert here.camera_status('nobody publishes /image_raw').level == DiagnosticStatus.WARN
    assert here.tester.transition('deactivate')
    assert here.camera_status('not active').level == DiagnosticStatus.OK


def test_auto_follows_a_camera_that_comes_back_with_the_other_transport(world):
    here = world()
    first = here.start()
    first.destroy(here.node)
    second = here.tester.publisher(CompressedImage, '/image_raw/compressed')
    second.wait(here.node)
    message = CompressedImage(format='jpeg', data=b'not a picture')
    message.header.stamp = here.now()
    second.publish(message)
    here.counted(lambda counts: counts.dropped['bad_image'] == 1)
    second.destroy(here.node)
    third = here.camera()
    third.wait(here.node)
    third.publish(picture(here.now()))
    assert here.result().detections


def test_topic_of_compressed_images_may_be_named_itself(world):
    here = world(image_topic='/camera/image_raw/compressed')
    assert here.tester.transition('configure')
    assert here.tester.transition('activate')
    camera = here.tester.publisher(CompressedImage, '/camera/image_raw/compressed')
    camera.wait(here.node)


@pytest.mark.parametrize(
    ('parameters', 'sentence'),
    [
        ({'use_sim_timee': True}, 'use_sim_timee: unknown parameter'),
        ({'score_threshold': -0.5}, 'score_threshold: got -0.5, expected -1 or a number from 0'),
        (
            {'max_detections': 0},
            'max_detections: got 0, expected -1 or a whole number of',
        ),
        ({'image_topic': '/a//b'}, "image_topic: got '/a//b', expected the name of a topic"),
    ],
)
def test_value_that_would_be_misunderstood_is_said(world, parameters, sentence):
    here = world(**parameters)
    succeeded = here.tester.transition('configure')
    here.logged(sentence)
    # A parameter that resembles none of ours may belong to another node.
    assert succeeded == ('use_sim_timee' in parameters)
    names = [name for name, _ in here.node.get_topic_names_and_types()]
    assert ('/perception/label_info' in names) == succeeded


def test_engine_that_fails_after_deactivate_does_not_end_the_next_activation(world):
    entered, release = threading.Event(), threading.Event()

    def fail_once() -> None:
        if not entered.is_set():
            entered.set()
            assert release.wait(PATIENCE_S)
            raise RuntimeError('the stick vanished')

    here = world(engine_type=FakeEngineType(fail_once), max_engine_failures=1)
    camera = here.start()
    camera.publish(picture(here.now()))
    assert entered.wait(PATIENCE_S)
    assert here.tester.transition('deactivate')
    release.set()
    here.settled(received=1)
    assert here.tester.transition('activate')
    camera.wait(here.node)
    camera.publish(picture(here.now()))
    assert here.result().detections
    assert here.tester.transition('deactivate')
    assert here.tester.state() == 'inactive'


def test_mistake_in_a_transition_is_logged_and_not_swallowed(world, monkeypatch):
    here = world()
    here.start()
    session = here.node.session

    def fall_over() -> None:
        raise ZeroDivisionError('oh')

    monkeypatch.setattr(session, 'deactivate', fall_over)
    here.tester.transition('deactivate')
    assert 'ZeroDivisionError' in here.logged('on_deactivate failed')
    monkeypatch.undo()
