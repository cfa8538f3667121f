# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the node says when no image comes, or when images are not what they were; over DDS."""

from __future__ import annotations

from contextlib import suppress
import importlib.util
import queue
import re

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from std_msgs.msg import String
from vision_msgs.msg import Detection2DArray
from vision_msgs.msg import LabelInfo

from edge_perception.ros.input.camera_input import CameraInput
from edge_perception.ros.input.camera_watch import PATIENCE_NS
from edge_perception.ros.input.silence import why_silent
from edge_perception.ros.output.image_messages import image_message
from edge_perception.ros.system.endpoints import owner
from edge_perception.testing import FakeClock
from test.support.fake_node import picture
from test.support.graph import until
from test.support.world import installed_node
from test.support.world import worlds


@pytest.fixture
def clock():
    return FakeClock()


def activate(here):
    assert here.tester.transition('configure')
    assert here.tester.transition('activate')


def pass_patience(clock):
    clock.now_ns += PATIENCE_NS + 1


def test_nobody_publishes_the_topic(world, clock):
    here = world(clock=clock, image_topic='/camera/image_rw')
    camera = here.tester.publisher(Image, '/camera/image_raw')
    activate(here)
    until(lambda: here.node.count_publishers('/camera/image_raw'), bool)
    pass_patience(clock)
    here.logged(
        "/camera/image_rw: no node publishes it, did you mean '/camera/image_raw'?; set "
        'image_topic'
    )
    assert camera is not None


def silence(node, topic='/cam/image_raw'):
    """Return what is said of a camera from which nothing comes."""
    camera = CameraInput(
        node, topic=topic, transport='auto', reliability='auto', receive=lambda _: None
    )
    return why_silent(node, camera, silent_s=3, came=False, environ={})


def seen(here, *topics):
    """Wait until the node knows publishers of topics, and their names."""
    for topic in topics:
        until(
            lambda topic=topic: list(map(owner, here.node.get_publishers_info_by_topic(topic))),
            lambda names: '/tester' in names,
        )


def test_a_camera_that_publishes_zstd_only_is_told_what_to_publish(world):
    here = world()
    here.tester.publisher(CompressedImage, '/cam/image_raw/zstd')
    seen(here, '/cam/image_raw/zstd')
    words = silence(here.node)
    assert words.startswith('/cam/image_raw: /tester publishes it as zstd only')
    assert 'set image_topic' not in words
    assert silence(here.node, '/cam/image_raw/zstd').endswith('set image_topic to /cam/image_raw')
    assert 'zstd' not in silence(here.node, '/other/image')


def test_results_and_debug_images_are_no_cameras(world, tmp_path):
    here = world()
    topics = ['/yolo/dbg_debug', '/other/segmentation', '/other/view']
    for topic in topics:
        here.tester.publisher(Image, topic)
    here.tester.publisher(LabelInfo, '/other/label_info')
    seen(here, *topics, '/other/label_info')
    assert silence(here.node).endswith('there is no other topic with images; start the camera')
    here.tester.publisher(Image, '/front/image')
    seen(here, '/front/image')
    assert silence(here.node).endswith('/front/image; set image_topic')


def test_nobody_publishes_anything(world, clock):
    here = world(clock=clock)
    activate(here)
    pass_patience(clock)
    here.logged(
        '/image_raw: no node publishes it, and there is no other topic with images; '
        'start the camera'
    )


def test_before_three_seconds_nothing_is_said(world, clock):
    here = world(clock=clock)
    diagnostics = here.tester.collect(DiagnosticArray, '/diagnostics')
    activate(here)
    clock.now_ns += PATIENCE_NS - 1
    for _ in range(2):
        diagnostics.get(timeout=30)
    assert here.node.session.cameras[0].input_problem == ''


def test_a_topic_of_another_type(world, clock):
    here = world(clock=clock, image_transport='raw')
    here.tester.publisher(String, '/image_raw')
    activate(here)
    until(lambda: here.node.count_publishers('/image_raw'), bool)
    pass_patience(clock)
    here.logged(
        '/image_raw: is published by /tester as std_msgs/msg/String, expected '
        'sensor_msgs/msg/Image; set image_topic to the topic of a camera'
    )


@pytest.mark.parametrize('transport', ['auto', 'compressed'])
def test_compressed_images_on_the_topic_of_raw_ones(world, clock, transport):
    here = world(clock=clock, image_topic='/cam/jpeg', image_transport=transport)
    here.tester.publisher(CompressedImage, '/cam/jpeg')
    activate(here)
    until(lambda: here.node.count_publishers('/cam/jpeg'), bool)
    pass_patience(clock)
    here.logged(
        '/cam/jpeg: /tester publishes compressed images here, which are looked for at '
        '/cam/jpeg/compressed; remap its topic to that name'
    )


def test_a_publisher_without_images(world, clock):
    here = world(clock=clock)
    here.camera()
    activate(here)
    until(lambda: here.node.count_publishers('/image_raw'), bool)
    here.status('camera')  # it was looked at
    pass_patience(clock)
    here.logged(
        '/image_raw: /tester publishes it and no image arrives (3 s); images that are too large '
        'for the transport are lost: set FASTDDS_DEFAULT_PROFILES_FILE to '
        'config/fastdds_large_images.xml of edge_perception in the process of the camera driver'
    )


def test_a_quality_of_service_that_does_not_fit(world, clock):
    here = world(clock=clock, qos='reliable', image_transport='raw')
    here.tester.node.create_publisher(Image, '/image_raw', qos_profile_sensor_data)
    activate(here)
    until(lambda: here.node.count_publishers('/image_raw'), bool)
    pass_patience(clock)
    here.logged(
        '/image_raw: /tester publishes best effort, this node asks for reliable, so they do not '
        'connect; set qos to auto or best_effort'
    )


@pytest.mark.parametrize('reliable', [True, False])
def test_auto_does_as_the_publisher_does(world, reliable):
    here = world(qos='auto')
    profile = 10 if reliable else qos_profile_sensor_data
    camera = here.tester.publisher(Image, '/image_raw', profile)
    until(lambda: here.node.count_publishers('/image_raw'), bool)
    activate(here)
    camera.wait(here.node)
    assert here.node.session.cameras[0].input.reliable == reliable
    here.detections.wait(here.node)
    camera.publish(picture(here.now()))
    assert here.detections.get(timeout=30) is not None


@pytest.mark.parametrize('transport', ['raw', 'auto'])
@pytest.mark.parametrize('reliable', [True, False])
def test_auto_follows_a_camera_that_comes_back_with_the_other_reliability(
    world, reliable, transport
):
    here = world(qos='auto', image_transport=transport)
    profiles = (10, qos_profile_sensor_data) if reliable else (qos_profile_sensor_data, 10)
    first = here.tester.publisher(Image, '/image_raw', profiles[0])
    until(lambda: here.node.count_publishers('/image_raw'), bool)
    activate(here)
    first.wait(here.node)
    first.destroy(here.node)
    second = here.tester.publisher(Image, '/image_raw', profiles[1])
    camera = here.node.session.cameras[0]
    until(lambda: camera.input.reliable, lambda asked: asked == (not reliable))
    here.detections.wait(here.node)

    def answer() -> Detection2DArray | None:
        # Some of the first may go to the subscription that is just being replaced.
        second.publish(picture(here.now()))
        with suppress(queue.Empty):
            return here.detections.get(timeout=0.5)
        return None

    assert until(answer, lambda message: message is not None)


def test_a_camera_that_stops_and_comes_back(world, clock):
    here = world(clock=clock)
    camera = here.start()
    camera.publish(picture(here.now()))
    here.detections.get(timeout=30)
    pass_patience(clock)
    here.logged('/image_raw: the camera has stopped (no image for 3 s)')
    clock.now_ns += 4_000_000_000
    camera.publish(picture(here.now()))
    here.detections.get(timeout=30)
    here.logged('/image_raw: images come again after 7.0 s')


def test_a_camera_that_changes_what_it_sends(world):
    here = world()
    camera = here.start()
    for width, encoding, channels in ((64, 'bgr8', 3), (96, 'mono8', 1), (96, 'mono8', 1)):
        camera.publish(picture(here.now(), width=width, encoding=encoding, channels=channels))
        here.detections.get(timeout=30)
    here.logged(
        '/image_raw: images are 96x48 mono8 in camera_optical_frame from now on, they were 64x48 '
        'bgr8 in camera_optical_frame'
    )


@pytest.mark.parametrize(
    ('variable', 'value'),
    [('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST'), ('ROS_LOCALHOST_ONLY', '1')],
)
def test_limited_discovery_is_named_where_no_camera_is_found(world, variable, value):
    here = world()
    camera = CameraInput(
        here.node, topic='/nix', transport='raw', reliability='auto', receive=lambda _: None
    )
    words = why_silent(here.node, camera, silent_s=3, came=False, environ={variable: value})
    assert variable in words and 'unset' in words and 'discovery:=subnet' in words
    assert 'discovery' not in why_silent(
        here.node, camera, silent_s=3, came=False, environ={variable: '0'}
    )


def test_a_second_publisher_is_told(world):
    here = world()
    camera = here.start()
    here.tester.publisher(Image, '/image_raw')
    until(lambda: here.node.count_publishers('/image_raw'), lambda number: number == 2)
    camera.publish(picture(here.now()))
    here.result()
    status = here.status('camera', '2 publishers (/tester, /tester)')
    assert status.level == DiagnosticStatus.WARN


def test_the_same_node_twice_is_told(world, tmp_path):
    here = world()
    assert here.tester.transition('configure')
    twin = here.tester.node.context
    other = Node('perception', context=twin, start_parameter_services=False)
    try:
        assert '2 nodes are called /perception' in here.logged('2 nodes are called')
        assert here.status('name').level == DiagnosticStatus.WARN
    finally:
        other.destroy_node()


def test_all_images_that_wait_are_taken_and_the_newest_is_answered(world):
    here = world()
    camera = here.start()
    here.spinner.call(lambda: [camera.publish(picture(here.now(), width=64 + n)) for n in (0, 8)])
    counts = here.settled(2)
    assert counts.published + counts.dropped['superseded'] == 2
    assert counts.published


def thermal(stamp):
    """Return an image of 14 bits in 16, as thermal cameras send it."""
    values = np.linspace(7500, 8199, 64 * 48).reshape(48, 64).astype(np.uint16)
    message = image_message(values, encoding='mono16')
    message.header.stamp = stamp
    return message


@pytest.mark.parametrize('mono16_range', ['full', 'percentile'])
def test_an_image_of_which_few_gray_levels_are_left_is_told(world, mono16_range):
    here = world(mono16_range=mono16_range)
    camera = here.start()
    camera.publish(thermal(here.now()))
    here.result()
    if mono16_range == 'full':
        assert 'set mono16_range to percentile' in here.logged('gray levels are left')
    here.spinner.call(lambda: camera.publish(thermal(here.now())))
    here.result()
    assert bool(here.node.session.cameras[0].image_problem) == (mono16_range == 'full')


def test_plugins_that_the_user_does_not_want_are_no_warning(tmp_path, monkeypatch):
    monkeypatch.setenv('EDGE_PERCEPTION_LOAD_PLUGINS', 'onnxruntime')
    with worlds() as make:
        here = make(installed_node({'model': '/nix'}))
        assert any(each.blocked for each in here.node._host.plugins)
        assert not here.tester.transition('configure')
        log = []
        until(lambda: log.append(here._log.get(timeout=30).msg) or log[-1], lambda m: 'nix' in m)
        assert not [each for each in log if 'allow list' in each]


def test_diagnostics_have_the_same_sentence(world, clock):
    here = world(clock=clock)
    diagnostics = here.tester.collect(DiagnosticArray, '/diagnostics')
    activate(here)
    pass_patience(clock)

    def said():
        statuses = diagnostics.get(timeout=30).status
        return [each.message for each in statuses if each.name == '/perception: camera']

    until(said, lambda messages: any('no node publishes it' in each for each in messages))


def test_a_camera_slower_than_the_reports_is_no_warning_before_it_is_missed(world, clock):
    here = world(clock=clock)
    here.start()
    waiting = here.status('camera', 'no image since the last report')
    assert waiting.level == DiagnosticStatus.OK
    pass_patience(clock)
    missed = here.status('camera', 'no image arrives')
    assert missed.level == DiagnosticStatus.WARN


@pytest.mark.parametrize(
    ('policy', 'words'),
    [
        ('drop', 'on_bad_stamp is drop: such frames are dropped; correct the driver'),
        ('arrival', 'on_bad_stamp is arrival: the age of such frames is counted from'),
    ],
)
def test_clocks_that_are_apart_are_told_with_the_offset_and_the_policy(world, policy, words):
    here = world(on_bad_stamp=policy)
    camera = here.start()
    ahead = here.tester.node.get_clock().now().nanoseconds + 5 * 10**9
    camera.publish(picture(Time(nanoseconds=ahead).to_msg()))
    sentence = here.logged('ms in the future; ' + words)
    assert re.search(r'the stamp of an image is \d+\.\d ms in the future', sentence)
    # Such frames are used with the policy arrival, and then nobody counts them.
    assert ('counted as bad_stamp' in sentence) == (policy == 'drop')


def refusal(parameters, *, about):
    """Return what a node with the real plugins says of a thing when it is configured in vain."""
    with worlds() as make:
        here = make(installed_node(parameters))
        assert not here.tester.transition('configure')
        return here.logged(about)


def test_an_artifact_that_is_missing_comes_with_the_command_that_makes_it():
    pytest.importorskip('ai_edge_litert', reason='LiteRT is not installed')
    sentence = refusal({'model': 'landing_pad', 'engine': 'litert'}, about='has nothing that')
    assert sentence.startswith('configure [artifact_unusable]: ')
    assert 'has nothing that the engine litert reads (.tflite)' in sentence
    command = r'edge-perception build \S*landing_pad --target tflite --images FOLDER$'
    assert re.search(f'build it: {command}', sentence)


def test_an_artifact_that_was_not_proven_comes_with_the_command_that_proves_it(tmp_path):
    pytest.importorskip('ai_edge_litert', reason='LiteRT is not installed')
    artifact = tmp_path / 'pad.tflite'
    artifact.write_bytes(b'anything')
    wishes = {'model': 'landing_pad', 'engine': 'litert', 'artifact': str(artifact)}
    sentence = refusal(wishes, about='not verified against the reference')
    assert f'verify it: edge-perception verify {artifact} --reference ' in sentence
    assert sentence.endswith('--engine litert, or set allow_unverified')


def test_a_library_that_is_missing_comes_with_the_engines_that_would_work():
    if importlib.util.find_spec('tensorrt'):
        pytest.skip('TensorRT is installed')
    sentence = refusal({'model': 'landing_pad', 'engine': 'tensorrt'}, about="'tensorrt' is not")
    assert sentence.startswith(
        "configure [engine_unavailable]: engine 'tensorrt' is not available"
    )
    assert 'install it' in sentence
    assert re.search(r', or set engine to .*onnxruntime.*, which would work here$', sentence)
