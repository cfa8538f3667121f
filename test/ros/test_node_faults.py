# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the node does about mistakes, failures and time: counted and said, never an empty list."""

from __future__ import annotations

from dataclasses import replace
import threading
from types import SimpleNamespace

from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.time import Time

from edge_perception.contract import Perception
from edge_perception.ros import announcements
from edge_perception.runtime.accounts import DOUBT_AFTER
from edge_perception.testing import FakeDecoder
from edge_perception.testing import FakeEngineType
from test.support.fake_node import MANIFEST
from test.support.fake_node import picture
from test.support.fake_node import PointingDecoder
from test.support.graph import PATIENCE_S
from test.support.graph import until


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


class Scores(FakeDecoder):
    """Takes what the engine gives for scores of 10 cells, the box stays."""

    def _decode(self, tensors, transform, selection):
        self.usable(tensors['scores'])
        return super()._decode(tensors, transform, selection)


def scores(*, broken: int) -> np.ndarray:
    values = np.full(10, 0.5, np.float32)
    values[:broken] = np.nan
    return values


def test_scores_that_are_not_finite_are_said_once_with_their_share(world):
    here = world(engine_type=FakeEngineType(outputs={'scores': scores(broken=4)}), decoder=Scores)
    camera = here.start()
    for _ in range(3):
        camera.publish(picture(here.now()))
        assert here.result().detections
    assert '/image_raw: 40%' in here.logged('not finite')
    status = here.status('camera', 'no image')
    assert {each.key: each.value for each in status.values}['not_finite'] == '0.40'
    assert not [line for line in here.heard() if 'not finite' in line]


class FromZeroToOne(FakeDecoder):
    """Reads boxes from 0 to 1 as pixels."""

    def _decode(self, tensors, transform, selection):
        found = super()._decode(tensors, transform, selection).detections
        return Perception(replace(found, xyxy=found.xyxy / np.abs(found.xyxy).max()))


def test_boxes_that_cannot_be_right_are_published_and_doubted_once(world):
    here = world(decoder=FromZeroToOne)
    camera = here.start()
    for _ in range(DOUBT_AFTER + 2):
        camera.publish(picture(here.now()))
        assert here.result().detections
    assert '/image_raw: the boxes of 20 results' in here.logged('box_units')
    assert here.status('camera', 'box_units').level == DiagnosticStatus.WARN
    assert not [line for line in here.heard() if 'box_units' in line]


def test_ten_frames_in_a_row_without_finite_scores_end_the_node(world):
    here = world(engine_type=FakeEngineType(outputs={'scores': scores(broken=6)}), decoder=Scores)
    camera = here.start()
    for number in range(1, 11):
        camera.publish(picture(here.now()))
        if number < 10:
            here.counted(lambda counts, number=number: counts.dropped['decode_failed'] == number)
    status = here.status('engine', 'no finite numbers 10 times in a row')
    assert status.level == DiagnosticStatus.ERROR
    until(here.node.finished.done, bool)
    assert here.node.finished.result() == 1
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


@pytest.mark.parametrize(
    ('parameter', 'topic'),
    [
        ('image_topic', '/diagnostics'),
        ('image_topic', '/perception/debug_image'),
        ('image_topic', '/camera_info'),
        ('camera_info_topic', '/image_raw'),
        ('camera_info_topic', '/perception/detections'),
    ],
)
def test_a_topic_of_the_node_itself_is_refused(world, parameter, topic):
    square = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.5, 0]]
    posed = f'{MANIFEST}keypoints: [a, b, c, d, e]\nobject_points: {square}\n'
    here = world(decoder=PointingDecoder, manifest=posed, **{parameter: topic})
    assert not here.tester.transition('configure')
    sentence = here.logged('[configuration_invalid]')
    assert topic in sentence and parameter in sentence


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
        'latency_budget_ms: got -1.0, expected a float from 0 to 86400000',
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
    assert 'score_threshold: got 7.0, expected -1 or a float' in answer.results[0].reason


@pytest.mark.parametrize(
    ('parameters', 'sentence'),
    [
        ({'use_sim_timee': True}, 'use_sim_timee: unknown parameter'),
        ({'latency_budget_ms': 1e302}, 'latency_budget_ms: got 1e+302, expected a float from 0'),
        ({'score_threshold': -0.5}, 'score_threshold: got -0.5, expected -1 or a float from 0'),
        (
            {'max_detections': 0},
            'max_detections: got 0, expected -1 or an integer of',
        ),
        ({'image_topic': '/a//b'}, "image_topic: got '/a//b', expected the name of a topic"),
        ({'image_topic': ''}, "image_topic: got '', expected the name of a topic"),
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


def test_failures_that_are_noticed_only_after_the_next_activation_end_nothing(world, monkeypatch):
    told = threading.Event()

    def fail_once() -> None:
        if not told.is_set():
            raise RuntimeError('the stick vanished')

    here = world(engine_type=FakeEngineType(fail_once), max_engine_failures=1)
    camera = here.start()
    wake_up = here.node._give_up_signal
    # The executor is busy with the transitions and looks at the signal after them.
    monkeypatch.setattr(here.node, '_give_up_signal', SimpleNamespace(trigger=told.set))
    camera.publish(picture(here.now()))
    assert told.wait(PATIENCE_S)
    assert here.tester.transition('deactivate')
    assert here.tester.transition('activate')
    monkeypatch.undo()
    wake_up.trigger()
    camera.wait(here.node)
    camera.publish(picture(here.now()))
    assert here.result().detections
    assert here.tester.state() == 'active'


def test_engine_that_ends_its_thread_after_deactivate_is_not_activated_again(world):
    entered, release = threading.Event(), threading.Event()

    def leave() -> None:
        entered.set()
        assert release.wait(PATIENCE_S)
        raise SystemExit(3)

    here = world(engine_type=FakeEngineType(leave))
    camera = here.start()
    camera.publish(picture(here.now()))
    assert entered.wait(PATIENCE_S)
    assert here.tester.transition('deactivate')
    release.set()
    here.settled(received=1)
    assert here.status('engine', 'a plugin ended').level == DiagnosticStatus.ERROR
    assert not here.tester.transition('activate')
    here.logged('a plugin ended the thread of the worker')
    assert until(here.node.finished.done, bool)
    assert here.node.finished.result() == 1


def test_a_model_without_poses_has_none_to_put_on_tf(world):
    here = world(publish_tf=True)
    assert here.tester.transition('configure')
    here.logged('publish_tf: has no effect, the model fake gives no poses')


def test_an_unverified_artifact_is_a_warning_in_the_diagnostics(world):
    class Coarse(FakeEngineType):
        def precision(self, options):
            return 'bf16'

    here = world(engine_type=Coarse(), allow_unverified=True)
    assert here.tester.transition('configure')
    status = here.status('engine', 'unverified: not verified against the reference in bf16')
    assert status.level == DiagnosticStatus.WARN


def test_a_configure_that_fails_at_its_last_step_frees_the_engine(world, monkeypatch):
    engine_type = FakeEngineType()
    here = world(engine_type=engine_type)

    def fail(*_):
        raise RuntimeError('the log is full')

    monkeypatch.setattr(announcements, 'configured', fail)
    assert not here.tester.transition('configure')
    here.logged('the log is full')
    (engine,) = engine_type.engines
    until(lambda: engine.active, lambda active: not active)
    names = [name for name, _ in here.node.get_topic_names_and_types()]
    assert '/perception/label_info' not in names


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


@pytest.mark.parametrize('failing', ['compose', 'afterwards'])
def test_frame_that_is_at_work_when_ros_ends_is_no_warning(world, failing, capfd):
    entered, release = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        assert release.wait(PATIENCE_S)

    here = world(engine_type=FakeEngineType(wait))
    camera = here.start()
    channel = here.node.session.cameras[0].channel
    if failing == 'afterwards':
        # Published just before the end; the picture for people comes after it.
        channel._hooks = replace(channel._hooks, compose=lambda *_: lambda: None)
    camera.publish(picture(here.now()))
    assert entered.wait(PATIENCE_S)
    capfd.readouterr()
    here.node.context.handle.shutdown()  # as the handler of signals does
    session = here.node.session
    release.set()
    here.settled(received=1)
    session.close()
    assert session.join(PATIENCE_S)
    assert 'WARN' not in ''.join(capfd.readouterr())
