# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images and depth images go in, boxes in space come out over DDS, or words why not."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import struct
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection2DArray
from vision_msgs.msg import Detection3DArray

from edge_perception.depth import DepthStage
from edge_perception.ros.output.image_messages import image_message
from edge_perception.ros.system import qos
from test.ros.test_compressed_depth import rvl
from test.support.fake_node import fake_node
from test.support.fake_node import picture
from test.support.graph import graph
from test.support.graph import PATIENCE_S
from test.support.graph import until

FRAME_ID = 'camera_optical_frame'
NS = 1_000_000_000
WIDTH, HEIGHT = 64, 48


class World:
    """A node that sees one object, which fills the image, and its calibrated depth camera."""

    def __init__(self, node: Any, tester: Any, _: Any, topic: str) -> None:
        self.node, self.tester = node, tester
        self.detections = tester.collect(Detection2DArray, '/perception/detections')
        self.boxes = tester.collect(Detection3DArray, '/perception/detections_3d')
        assert tester.transition('configure')
        self.camera = tester.publisher(Image, '/image_raw')
        self.info = tester.publisher(CameraInfo, '/camera_info')
        kind = CompressedImage if topic.endswith('compressedDepth') else Image
        self.depth = tester.publisher(kind, topic)
        assert tester.transition('activate')
        for each in (self.camera, self.info, self.depth, self.detections, self.boxes):
            each.wait(node)
        self.topics = node.session.cameras[0].stage_topics
        info = CameraInfo(width=WIDTH, height=HEIGHT, distortion_model='plumb_bob')
        info.k = [60.0, 0.0, 31.5, 0.0, 60.0, 23.5, 0.0, 0.0, 1.0]
        self.info.publish(info)
        until(lambda: self.topics._calibration.received, bool)

    def measure(self, stamp_ms: int, millimeters: int, *, shape: Any = (HEIGHT, WIDTH)) -> None:
        """Publish a wall, and wait until the node has it."""
        pixels = np.full(shape, millimeters, np.uint16)
        header = header_at(stamp_ms)
        if self.depth._publisher.msg_type is CompressedImage:
            data = struct.pack('<iff', 0, 0, 0) + rvl(pixels)
            message = CompressedImage(format='16UC1; compressedDepth rvl', data=data)
        else:
            message = image_message(pixels, encoding='mono16')
            message.encoding = '16UC1'
        message.header = header
        before = self.topics._images['depth']._kept
        self.depth.publish(message)
        until(lambda: self.topics._images['depth']._kept is before, lambda same: not same)

    def look(self, stamp_ms: int) -> None:
        """Publish an image, and wait for its detection, which comes in any case."""
        message = picture(None, width=WIDTH, height=HEIGHT)
        message.header = header_at(stamp_ms)
        self.camera.publish(message)
        assert len(self.detections.get(timeout=PATIENCE_S).detections) == 1

    def box(self) -> Any:
        """Return header, and the only box in space."""
        message = self.boxes.get(timeout=PATIENCE_S)
        (found,) = message.detections
        return message.header, found

    def status(self) -> Any:
        array = self.tester.collect(DiagnosticArray, '/diagnostics').get(timeout=PATIENCE_S)
        (found,) = [each for each in array.status if each.name.endswith(' depth')]
        return found.message, {each.key: each.value for each in found.values}


def header_at(stamp_ms: int) -> Header:
    header = Header(frame_id=FRAME_ID)
    header.stamp.sec, header.stamp.nanosec = divmod(stamp_ms * (NS // 1000), NS)
    return header


@pytest.fixture
def world(tmp_path) -> Iterator[Callable[..., World]]:
    contexts = []

    def make(topic: str, **options: Any) -> World:
        options = {f'stage_options.depth.{name}': value for name, value in options.items()}
        parameters = {'stage_options.depth.depth_topic': topic, **options}
        contexts.append(graph(fake_node(tmp_path, stages=[DepthStage], **parameters)))
        return World(*contexts[-1].__enter__(), f'/{topic}')

    yield make
    for context in contexts:
        context.__exit__(None, None, None)


def test_the_depth_image_of_the_stamp_counts_and_what_is_wrong_is_said(world):
    here = world('depth/image_raw', assumed_extent=0.5)
    here.look(900)
    message, counts = here.status()
    assert message == 'no image has come on /depth/image_raw so far'
    assert (counts['no_image'], counts['measured']) == ('1', '0')
    for number in range(5):
        here.measure(1000 + 33 * number, 1000 + 500 * number)
    # Inference is late: newer depth images are there already.
    here.look(1033)
    header, found = here.box()
    assert (header.frame_id, header.stamp.nanosec) == (FRAME_ID, 33_000_000)
    assert found.results[0].pose.pose.position.z == pytest.approx(1.5 + 0.25, abs=0.01)
    assert found.bbox.size.z == 0.5 and found.bbox.size.x == pytest.approx(64 / 60 * 1.5, rel=0.02)
    assert (found.id, found.results[0].hypothesis.class_id) == ('0', 'thing')
    # It falls silent: the last one is too old, and no message comes of the frame.
    here.look(1200)
    assert here.status()[1]['out_of_sync'] == '1'
    # Another size, of the same and of another shape.
    here.measure(1233, 2000, shape=(HEIGHT // 2, WIDTH // 2))
    here.look(1233)
    assert here.box()[1].bbox.center.position.z == pytest.approx(2.25, abs=0.01)
    here.measure(1266, 2000, shape=(HEIGHT, HEIGHT))
    here.look(1266)
    message, counts = here.status()
    assert counts['not_aligned'] == '1' and '48x48' in message
    here.measure(1299, 0)
    here.look(1299)
    # Only here a message without boxes: the object was looked at, and has no distance.
    assert not here.boxes.get(timeout=PATIENCE_S).detections
    assert here.status() == ('ok', counts | {'no_depth': '1'})


def test_compressed_depth_in_a_target_frame_only_with_its_transform(world):
    here = world('depth/image_raw/compressedDepth', target_frame='base_link')
    here.measure(1000, 2000)
    here.look(1000)
    message, counts = here.status()
    assert counts['no_tf'] == '1' and '/tf' in message
    tf = here.tester.publisher(TFMessage, '/tf_static', qos.TF_STATIC)
    tf.wait(here.node)
    mounted = TransformStamped(child_frame_id=FRAME_ID)
    mounted.header.frame_id = 'base_link'
    mounted.transform.translation.x = 0.3
    for name, value in zip('xyzw', (-0.5, 0.5, -0.5, 0.5)):
        setattr(mounted.transform.rotation, name, value)
    tf.publish(TFMessage(transforms=[mounted]))
    until(lambda: here.topics._transforms.received, bool)
    here.look(1000)
    header, found = here.box()
    assert header.frame_id == 'base_link' and here.boxes.empty()
    # The camera looks along x of the base.
    assert found.bbox.center.position.x == pytest.approx(2.3, abs=0.01)
    assert found.header.frame_id == 'base_link'
