# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a user of the node sees over DDS: lifecycle, topics, drops with reasons, the log."""

from __future__ import annotations

from dataclasses import replace
import queue
import threading

from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from vision_msgs.msg import LabelInfo
from vision_msgs.msg import VisionInfo

from edge_perception.contract import Perception
from edge_perception.ros.system import qos
from edge_perception.testing import FakeDecoder
from edge_perception.testing import FakeEngineType
from test.support.fake_node import picture
from test.support.graph import PATIENCE_S


def test_result_has_the_header_of_the_image_and_the_label(world):
    here = world()
    camera = here.start()
    message = picture(here.now())
    camera.publish(message)
    result = here.result()
    assert result.header == message.header
    assert result.detections[0].header == message.header
    assert result.detections[0].results[0].hypothesis.class_id == 'thing'


class Halves(FakeDecoder):
    """Gives its box the left half of the image, and an angle."""

    tasks = frozenset({'detections', 'instances'})

    def _decode(self, tensors, transform, selection):
        found = super()._decode(tensors, transform, selection).detections
        instances = np.zeros((transform.source_height, transform.source_width), np.uint16)
        instances[:, : transform.source_width // 2] = 1
        rotated = np.array([[32, 24, 20, 10, 0.25]], np.float32)
        return Perception(replace(found, rotated=rotated), instances=instances)


def test_instances_and_angles_come_with_their_detections(world):
    here = world(decoder=Halves)
    numbers = here.tester.collect(Image, '/perception/instances')
    camera = here.start()
    numbers.wait(here.node)
    camera.publish(picture(here.now(), width=64, height=48))
    result, image = here.result(), numbers.get(timeout=PATIENCE_S)
    assert result.detections[0].bbox.center.theta == 0.25
    assert (image.header, image.encoding, image.step) == (result.header, 'mono16', 128)
    pixels = np.frombuffer(image.data, np.uint16).reshape(48, 64)
    assert (pixels == (np.arange(64) < 32)).all()


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


def test_diagnostics_account_for_every_frame(world):
    here = world()
    camera = here.start()
    camera.publish(picture(here.now()))
    here.result()
    camera.publish(picture(here.now(), encoding='rgb9'))
    here.counted(lambda counts: counts.dropped['bad_image'] == 1)
    values = {value.key: value.value for value in here.status('camera').values}
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
    camera.publish(picture(here.now(), encoding='rgb9'))
    warning = here.status('camera', 'dropped since the last report: 1 bad_image')
    assert warning.level == DiagnosticStatus.WARN
    camera.destroy(here.node)
    assert here.status('camera', 'no node publishes /image_raw').level == DiagnosticStatus.WARN
    assert here.tester.transition('deactivate')
    assert here.status('camera', 'not active').level == DiagnosticStatus.OK


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
