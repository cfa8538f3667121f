# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Keypoints and CameraInfo go in, the pose of the object comes out over DDS, or words why not."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
import queue
from typing import Any

import cv2
from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseWithCovarianceStamped
import numpy as np
import pytest
from rcl_interfaces.msg import Log
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image
from sensor_msgs.msg import RegionOfInterest
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection2DArray
from vision_msgs.msg import Detection3DArray

from edge_perception.contract import Decoder
from edge_perception.contract import Keypoints
from edge_perception.contract import Perception
from edge_perception.ros.node import PerceptionNode
from edge_perception.ros.system import qos
from test.support.fake_node import fake_node
from test.support.fake_node import picture
from test.support.graph import graph
from test.support.graph import PATIENCE_S
from test.support.graph import Spinner
from test.support.graph import Tester
from test.support.graph import until
from test.support.world import ROSOUT

# Two squares, one inside of the other, of an object with a side of half a meter.
POINTS = np.array(
    [(x * s, y * s, 0) for s in (0.25, 0.1) for x, y in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
)
MANIFEST = f"""
manifest_version: 1
name: target
source: {{file: network.onnx}}
input: {{width: 64, height: 64}}
decoder: {{name: fake}}
labels: [target]
keypoints: [a, b, c, d, e, f, g, h]
object_points: {POINTS.tolist()}
"""
WIDTH, HEIGHT = 640, 480
K = np.array([[500.0, 0, 319.5], [0, 510.0, 239.5], [0, 0, 1]])
# The object faces the camera, two meters away.
ROTATION = cv2.Rodrigues(np.array([0.2, -0.3, 0.1]))[0] @ np.diag([1.0, -1.0, -1.0])
POSITION = np.array([0.3, -0.2, 2.0])


def project(matrix: Any = K, distortion: Any = (0.0, 0.0, 0.0, 0.0)) -> np.ndarray:
    """Return the keypoints where a camera sees them, the first pixel's center at 0.5."""
    rotation = cv2.Rodrigues(ROTATION)[0]
    pixels, _ = cv2.projectPoints(POINTS, rotation, POSITION, matrix, np.array(distortion))
    return pixels.reshape(-1, 2) + 0.5


class SeeingDecoder(Decoder):
    """Reports the keypoints that the test puts here."""

    name = 'fake'
    tasks = frozenset({'keypoints'})
    pixels = np.zeros((8, 2))

    def _decode(self, tensors, transform, selection):
        xy = self.pixels[None].astype(np.float32)
        return Perception(keypoints=Keypoints(xy=xy, score=np.ones(xy.shape[:2], np.float32)))


class World:
    """A node that sees the object, and a camera that calibrates it."""

    def __init__(self, node: PerceptionNode, tester: Tester, _: Spinner, image_topic: str) -> None:
        self.node = node
        self.tester = tester
        self.detections = tester.collect(Detection2DArray, '/perception/detections')
        self.poses = tester.collect(PoseWithCovarianceStamped, '/perception/pose')
        self.detections_3d = tester.collect(Detection3DArray, '/perception/detections_3d')
        self.transforms = tester.collect(TFMessage, '/tf', 100)
        assert tester.transition('configure')
        self.camera = tester.publisher(Image, image_topic)
        self.info = tester.publisher(CameraInfo, '/camera/camera_info')
        assert tester.transition('activate')
        for publisher in (self.camera, self.info):
            publisher.wait(node)
        for results in (self.detections, self.poses, self.detections_3d):
            results.wait(node)

    def status(self, words: str = '') -> DiagnosticStatus:
        """Return the next diagnostic of the pose with some words in its message."""
        statuses = self.tester.collect(DiagnosticArray, '/diagnostics')
        heard = []
        while len(heard) < PATIENCE_S:
            for status in statuses.get(timeout=PATIENCE_S).status:
                if status.name == '/perception: pose':
                    heard.append(status.message)
                    if words in status.message:
                        return status
        raise AssertionError(f'{words!r} was not said, but {heard}')

    def calibrate(self, message: CameraInfo) -> None:
        """Publish a CameraInfo and wait until the node has it."""
        self.info.publish(message)
        camera = self.node.session.cameras[0]
        until(lambda: camera.stage_topics.complete(camera.stages[0]), bool)

    def look(self, *, frame_id: str = 'camera_optical_frame', **size: int) -> Image:
        """Publish an image; the results come on the topics."""
        stamp = self.tester.node.get_clock().now().to_msg()
        message = picture(stamp, **{'width': WIDTH, 'height': HEIGHT, **size})
        message.header.frame_id = frame_id
        self.camera.publish(message)
        return message

    def pose(self) -> PoseWithCovarianceStamped:
        return self.poses.get(timeout=PATIENCE_S)

    def problem(self) -> str:
        """Return why there is no pose, once two results without one have come."""
        for _ in range(2):
            assert len(self.detections.get(timeout=PATIENCE_S).detections) == 1
            assert not self.detections_3d.get(timeout=PATIENCE_S).detections
            # A pose of the first image would be published before the results of the second.
            with pytest.raises(queue.Empty):
                self.poses.get_nowait()
            self.look()
        camera = self.node.session.cameras[0]
        return camera.stage_topics.problem(camera.stages[0])


@pytest.fixture
def world(tmp_path: Path, monkeypatch) -> Iterator[Callable[..., World]]:
    contexts = []

    def make(*, pixels: Any, image_topic: str = '/camera/image_raw', **parameters: Any) -> World:
        monkeypatch.setattr(SeeingDecoder, 'pixels', pixels)
        make_node = fake_node(
            tmp_path,
            decoder=SeeingDecoder,
            manifest=MANIFEST,
            image_topic=image_topic,
            **parameters,
        )
        contexts.append(graph(make_node))
        return World(*contexts[-1].__enter__(), image_topic)

    yield make
    for context in contexts:
        context.__exit__(None, None, None)


def camera_info(**changes: Any) -> CameraInfo:
    values = {
        'width': WIDTH,
        'height': HEIGHT,
        'k': K.ravel().tolist(),
        'd': [0.0] * 5,
        'distortion_model': 'plumb_bob',
        'p': np.hstack([K, np.zeros((3, 1))]).ravel().tolist(),
        **changes,
    }
    # Its stamp stays zero: recordings seldom have the stamp of the image in it.
    return CameraInfo(**values)


def assert_true(pose: PoseWithCovarianceStamped) -> None:
    at, turned = pose.pose.pose.position, pose.pose.pose.orientation
    np.testing.assert_allclose([at.x, at.y, at.z], POSITION, atol=2e-3)
    vector = cv2.Rodrigues(ROTATION)[0].ravel()
    angle = np.linalg.norm(vector)
    expected = [*(vector / angle * np.sin(angle / 2)), np.cos(angle / 2)]
    found = np.array([turned.x, turned.y, turned.z, turned.w])
    assert abs(np.dot(found, expected)) == pytest.approx(1, abs=1e-4)
    covariance = pose.pose.covariance.reshape(6, 6)
    assert np.linalg.eigvalsh(covariance).min() > 0


def test_pose_box_and_header(world):
    here = world(pixels=project())
    here.calibrate(camera_info())
    image = here.look()
    pose = here.pose()
    assert_true(pose)
    assert pose.header == image.header
    (detection,) = here.detections.get(timeout=PATIENCE_S).detections
    assert detection.results[0].hypothesis.class_id == 'target'
    low, high = project().min(axis=0), project().max(axis=0)
    assert detection.bbox.center.position.x == pytest.approx((low + high)[0] / 2, abs=0.5)
    assert detection.bbox.size_y == pytest.approx((high - low)[1], abs=1)
    (solid,) = here.detections_3d.get(timeout=PATIENCE_S).detections
    assert solid.bbox.size.x == 0.5 and solid.bbox.size.z == 0.0
    assert solid.results[0].pose.covariance.tolist() == pose.pose.covariance.tolist()


def test_keypoints_that_do_not_lie_as_on_the_object_are_no_object(world):
    rng = np.random.default_rng(1)
    here = world(pixels=rng.uniform(0, 400, (8, 2)))
    here.calibrate(camera_info())
    here.look()
    assert here.detections.get(timeout=PATIENCE_S).detections == []
    assert here.detections_3d.get(timeout=PATIENCE_S).detections == []
    assert here.poses.empty()


def test_distorted_lens(world):
    distortion = (-0.25, 0.05, 0.001, -0.002, 0.0)
    here = world(pixels=project(distortion=distortion))
    here.calibrate(camera_info(d=list(distortion)))
    here.look()
    assert_true(here.pose())


def test_rectified_images_take_p_and_no_distortion(world):
    other = K * [[1.1], [1.1], [1.0]]
    here = world(pixels=project(other), image_topic='/camera/image_rect')
    p = np.hstack([other, np.zeros((3, 1))]).ravel().tolist()
    here.calibrate(camera_info(p=p, d=[-0.25, 0.05, 0.0, 0.0, 0.0]))
    here.look()
    assert_true(here.pose())


def test_binned_image_of_a_full_size_calibration(world):
    double = K.copy()
    double[:2] *= 2
    double[:2, 2] += 0.5
    here = world(pixels=project())
    here.calibrate(camera_info(width=2 * WIDTH, height=2 * HEIGHT, k=double.ravel().tolist()))
    here.look()
    assert_true(here.pose())


def test_object_as_a_frame_on_request(world):
    here = world(pixels=project(), publish_tf=True, tf_child_frame_id='pad')
    here.transforms.wait(here.node)
    here.calibrate(camera_info())
    image = here.look()
    (transform,) = here.transforms.get(timeout=PATIENCE_S).transforms
    assert transform.header == image.header
    assert transform.child_frame_id == 'pad'
    assert transform.transform.translation.z == pytest.approx(2.0, abs=2e-3)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'k': [0.0] * 9}, 'calibrate the camera'),
        ({'distortion_model': 'kannala'}, "distortion_model: got 'kannala'"),
        ({'height': 400}, 'got 640x400 for an image of 640x480'),
        ({'width': 0, 'height': 0}, 'got a size of 0x0'),
    ],
)
def test_unusable_calibration_leaves_detections_and_says_why(world, changes, words):
    here = world(pixels=project())
    here.calibrate(camera_info(**changes))
    here.look()
    assert words in here.problem()
    assert not here.node.session.cameras[0].pose_doubt


def test_why_there_is_no_pose_is_said_once_and_counted_nowhere(world):
    here = world(pixels=project())
    log = here.tester.collect(Log, '/rosout', ROSOUT)
    here.calibrate(camera_info(k=[0.0] * 9))
    here.look()
    said = until(lambda: log.get(timeout=PATIENCE_S).msg, lambda words: 'pose: ' in words)
    assert said.endswith(' (said once)')


DOUBLE = K * [[2], [2], [1]]


@pytest.mark.parametrize('info', [{}, {'binning_x': 1, 'binning_y': 1}])
def test_a_principal_point_of_the_full_sensor_gives_no_pose(world, info):
    here = world(pixels=project())
    here.calibrate(camera_info(k=DOUBLE.ravel().tolist(), **info))
    here.look()
    assert 'camera_info_center_limit' in here.problem()
    assert here.status('principal point').level == DiagnosticStatus.WARN


def test_the_limit_of_the_principal_point_is_a_parameter_and_can_be_switched_off(world):
    aside = K + [[0, 0, 170], [0, 0, 0], [0, 0, 0]]
    here = world(pixels=project(aside), camera_info_center_limit=0.0)
    here.calibrate(camera_info(k=aside.ravel().tolist()))
    here.look()
    assert_true(here.pose())


def test_a_region_of_interest_explains_a_principal_point_aside(world):
    here = world(pixels=project() - [310, 230])
    roi = RegionOfInterest(x_offset=310, y_offset=230, width=320, height=240)
    here.calibrate(camera_info(roi=roi))
    here.look(width=320, height=240)
    assert_true(here.pose())


def test_binning_explains_numbers_of_the_full_sensor(world):
    full = DOUBLE + [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]
    here = world(pixels=project())
    here.calibrate(camera_info(k=full.ravel().tolist(), binning_x=2, binning_y=2))
    here.look()
    assert_true(here.pose())
    assert here.status().message == 'ok'


@pytest.mark.parametrize('binning', [0, 2])
def test_a_camera_info_of_another_size_is_doubted_unless_binning_says_it(world, binning):
    full = DOUBLE + [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]
    size = {'width': 2 * WIDTH, 'height': 2 * HEIGHT}
    here = world(pixels=project())
    here.calibrate(
        camera_info(k=full.ravel().tolist(), binning_x=binning, binning_y=binning, **size)
    )
    here.look()
    assert_true(here.pose())
    words = 'ok' if binning else f'is for {2 * WIDTH}x{2 * HEIGHT} pixels'
    assert (here.status(words).level == DiagnosticStatus.OK) == bool(binning)


@pytest.mark.parametrize(
    ('frame_id', 'doubted'),
    [
        ('base_link', True),
        ('drone1/base_link', True),
        ('camera_link', True),
        ('body', True),
        ('base', True),
        ('base_footprint', True),
        ('x500_0/camera_link/imager', True),
        ('base/camera', False),
        ('camera', False),
        ('camera_link_optical', False),
        ('oak_rgb_camera_optical_frame', False),
    ],
)
def test_a_pose_in_a_frame_that_is_not_optical_is_not_ok(world, frame_id, doubted):
    here = world(pixels=project())
    here.calibrate(camera_info())
    here.look(frame_id=frame_id)
    here.pose()
    status = here.status('set frame_id' if doubted else 'ok')
    assert (status.level == DiagnosticStatus.WARN) == doubted


def test_the_parameter_frame_id_puts_a_body_frame_right(world):
    here = world(pixels=project(), frame_id='lens_optical')
    here.calibrate(camera_info())
    here.look(frame_id='base_link')
    assert here.pose().header.frame_id == 'lens_optical'
    assert here.status().message == 'ok'


def test_a_transform_without_its_frame_is_not_published_and_told(world):
    here = world(pixels=project(), publish_tf=True)
    here.transforms.wait(here.node)
    here.calibrate(camera_info())
    here.look(frame_id='')
    here.pose()
    assert 'set frame_id' in here.status('publish_tf: ').message
    assert here.transforms.empty()


def test_a_camera_info_that_was_latched_before_arrives(world):
    here = world(pixels=project())
    here.info.destroy(here.node)
    info = here.tester.publisher(CameraInfo, '/camera/camera_info', qos.LATCHED)
    info.publish(camera_info())
    calibration = here.node.session.cameras[0].stage_topics
    until(lambda: calibration.complete(here.node.session.cameras[0].stages[0]), bool)
    here.look()
    assert_true(here.pose())


def test_two_publishers_of_different_camera_info_are_told_and_give_no_pose(world):
    here = world(pixels=project())
    second = here.tester.publisher(CameraInfo, '/camera/camera_info')
    second.wait(here.node)
    until(lambda: here.node.count_publishers('/camera/camera_info'), lambda count: count == 2)
    here.calibrate(camera_info())
    here.look()
    here.pose()
    for results in (here.detections, here.detections_3d):
        results.get(timeout=PATIENCE_S)
    other = camera_info(k=(K * [[1.5], [1.5], [1]]).ravel().tolist())
    second.publish(other)
    assert here.status('2 publishers (/tester, /tester)').level == DiagnosticStatus.WARN
    here.look()
    assert '2 publishers' in here.problem()
    here.tester.node.destroy_publisher(second._publisher)
    here.status('no CameraInfo')
    here.calibrate(camera_info())
    here.look()
    assert_true(here.pose())


def test_a_camera_info_under_another_name_is_told(world):
    here = world(pixels=project())
    here.info.destroy(here.node)
    here.tester.publisher(CameraInfo, '/camera/color/camera_info')
    status = here.status('/camera/color/camera_info')
    assert status.level == DiagnosticStatus.WARN
    assert 'set camera_info_topic' in status.message


def test_without_camera_info_detections_go_on(world):
    here = world(pixels=project())
    here.look()
    # Who publishes it, if anybody, is said as soon as somebody has looked.
    assert 'no CameraInfo has come' in here.problem()
    assert '/camera/camera_info' in here.problem()
