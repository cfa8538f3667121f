# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import queue
import re
import signal
import subprocess
import sys
import threading

import cv2
from geometry_msgs.msg import PoseStamped
import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from edge_perception.contract import option_specs
from edge_perception.pose import Intrinsics
from edge_perception.ros.input.raw_images import image_to_frame
from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.system import qos
from edge_perception.ros.system.rclpy_versions import ClockType
from edge_perception.simulation import landing_pad as pad
from edge_perception.simulation.nodes import camera_sources
from edge_perception.simulation.nodes.rendered_camera import CameraConfig
from edge_perception.simulation.nodes.rendered_camera import RenderedCamera
from test.docs.markdown import rows
from test.docs.markdown import section
from test.support.graph import PATIENCE_S
from test.support.graph import Spinner
from test.support.graph import Tester
from test.support.graph import until
from test.support.process import handles

MODULE = 'edge_perception.simulation.nodes.rendered_camera'


@contextmanager
def camera(**parameters) -> Iterator[tuple[RenderedCamera, dict[str, queue.Queue], Tester]]:
    """Run a camera; yields it, what arrives from it by topic, and at which tester."""
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    theirs, ours = Spinner(), Spinner()
    try:
        tester = Tester(ours, target='/rendered_camera')
        arriving = {
            'image': tester.collect(Image, '/camera/image_raw', qos.CAMERA),
            'info': tester.collect(CameraInfo, '/camera/camera_info', qos.RESULT),
            'truth': tester.collect(PoseStamped, '/ground_truth/pose', qos.RESULT),
        }
        node = theirs.add(
            lambda context: RenderedCamera(context=context, parameter_overrides=overrides)
        )
        yield node, arriving, tester
    finally:
        theirs.close()
        ours.close()


def next_of_each(arriving) -> dict:
    """Return messages of all topics with one stamp."""
    found: dict = {name: {} for name in arriving}
    while True:
        for name, messages in arriving.items():
            message = messages.get(timeout=PATIENCE_S)
            found[name][stamp_ns(message.header)] = message
        common = set.intersection(*(set(each) for each in found.values()))
        if common:
            return {name: each[min(common)] for name, each in found.items()}


def matrix(orientation) -> np.ndarray:
    """Return the rotation of a quaternion message."""
    vector = np.array([orientation.x, orientation.y, orientation.z])
    length = np.linalg.norm(vector)
    angle = 2 * np.arctan2(length, orientation.w)
    return cv2.Rodrigues(vector / length * angle)[0]


def test_image_intrinsics_and_truth_belong_together():
    """Cells of the pad have their color where intrinsics and truth put them in the image."""
    with camera(seconds=60.0, seed=1, hold=True) as (_, arriving, _):
        messages = next_of_each(arriving)
    frame = image_to_frame(messages['image'])
    info, truth = messages['info'], messages['truth'].pose
    assert (frame.width, frame.height, frame.encoding) == (640, 480, 'bgr8')
    assert {each.header.frame_id for each in messages.values()} == {'camera_optical_frame'}
    intrinsics = Intrinsics.from_camera_info(
        width=info.width, height=info.height, k=info.k, d=info.d, model=info.distortion_model
    ).fitted(frame.width, frame.height)
    rectified = Intrinsics.from_camera_info(
        width=info.width, height=info.height, k=info.k, p=info.p, rectified=True
    )
    assert np.array_equal(rectified.matrix, intrinsics.matrix)
    gray = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
    position = np.array([truth.position.x, truth.position.y, truth.position.z])
    assert 8.5 < np.linalg.norm(position) < 9.5
    for place in np.ndindex(6, 6):
        mark = pad.COARSE[place[0]][place[1]]
        if mark != 'o':
            middle = (*(0.5 - (np.array(place) + 0.5) * pad.COARSE_CELL), 0.0)
            point = np.array([matrix(truth.orientation) @ middle + position])
            x, y = np.floor(intrinsics.pixels(point)[0]).astype(int)
            assert (gray[y, x] < 128) == (mark == '#'), place


def test_the_way_begins_with_the_service_and_ends_the_node():
    with camera(seconds=1.0, hold=True) as (node, arriving, tester):
        for _ in range(5):
            assert arriving['truth'].get(timeout=PATIENCE_S).pose.position.z > 8
        assert not node.finished.done()
        start = tester.node.create_client(Trigger, '/rendered_camera/start')
        assert tester.call(start, Trigger.Request()).success
        until(node.finished.done, bool)
        assert node.finished.result() == 0
        distances = [arriving['truth'].get().pose.position.z]
        while not arriving['truth'].empty():
            distances.append(arriving['truth'].get().pose.position.z)
    assert min(distances) < 1.5
    assert distances == sorted(distances, reverse=True)


def test_a_picture_is_shown_as_it_is(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (50, 71, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'picture.png'), picture)
    with camera(source=str(tmp_path / 'picture.png')) as (_, arriving, _):
        for _ in range(2):
            frame = image_to_frame(arriving['image'].get(timeout=PATIENCE_S))
            assert np.array_equal(frame.image, picture)
        assert arriving['truth'].empty() and arriving['info'].empty()


def test_a_folder_is_shown_picture_by_picture_and_again(tmp_path):
    for number, level in enumerate((40, 120, 200)):
        cv2.imwrite(str(tmp_path / f'{number}.png'), np.full((48, 64, 3), level, np.uint8))
    (tmp_path / 'notes.txt').write_text('no picture')
    with camera(source=str(tmp_path), rate=50.0) as (_, arriving, _):
        levels = [
            int(image_to_frame(arriving['image'].get(timeout=PATIENCE_S)).image.mean())
            for _ in range(9)
        ]
    assert set(levels) == {40, 120, 200}


def test_a_folder_without_pictures_is_a_sentence(tmp_path):
    done = run_camera(f'source:={tmp_path}')
    assert done.returncode == 2
    assert f'{tmp_path}: the folder holds no image that OpenCV can read' in done.stderr


def run_camera(parameter):
    return subprocess.run(
        [sys.executable, '-m', MODULE, '--ros-args', '-p', parameter],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def test_a_video_begins_again_when_it_has_ended(tmp_path):
    path = tmp_path / 'film.avi'
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 50, (64, 48))
    for level in (40, 120, 200):
        film.write(np.full((48, 64, 3), level, np.uint8))
    film.release()
    with camera(source=str(path)) as (_, arriving, _):
        levels = [
            round(float(image_to_frame(arriving['image'].get(timeout=PATIENCE_S)).image.mean()))
            for _ in range(9)
        ]
    assert {round(level / 40) for level in levels} == {1, 3, 5}


class Device:
    """Stands in for a webcam: a picture is as bright as the second in which it is taken."""

    def __init__(self) -> None:
        self.second = 1

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def read(self) -> tuple[bool, np.ndarray]:
        return True, np.full((48, 64, 3), self.second, np.uint8)

    def release(self) -> None:
        pass


def test_an_image_of_a_device_has_the_stamp_of_the_moment_that_it_shows(monkeypatch):
    device = Device()
    monkeypatch.setattr(camera_sources.cv2, 'VideoCapture', lambda number: device)
    values = {'source': 'camera:0', 'use_sim_time': True}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    ours, theirs = Spinner(), Context()
    rclpy.init(context=theirs)
    executor = SingleThreadedExecutor(context=theirs)
    node = RenderedCamera(context=theirs, parameter_overrides=overrides)
    try:
        executor.add_node(node)
        images = Tester(ours).collect(Image, '/camera/image_raw', qos.CAMERA)
        images.wait(node)
        for second in (2, 3, 4):
            device.second = second
            now = Time(seconds=second, clock_type=ClockType.ROS_TIME)
            node.get_clock().set_ros_time_override(now)
            executor.spin_once(timeout_sec=PATIENCE_S)
            image = images.get(timeout=PATIENCE_S)
            assert image_to_frame(image).image.mean() == image.header.stamp.sec == second
    finally:
        node.destroy_node()
        executor.shutdown()
        rclpy.try_shutdown(context=theirs)
        ours.close()


@pytest.mark.parametrize('size', [pad.SMALLEST, pad.LARGEST])
def test_a_pad_of_any_size_that_can_be_printed_is_shown(size):
    with camera(pad_size=size, hold=True) as (_, arriving, _):
        position = arriving['truth'].get(timeout=PATIENCE_S).pose.position
    assert 8.5 < position.z / size < 9.5


@pytest.mark.parametrize(
    ('parameter', 'sentence'),
    [
        ('source:=/nowhere/film.mp4', '[bad_image]: /nowhere/film.mp4: no such file'),
        (
            'sorce:=film.mp4',
            "[configuration_invalid]: parameter: sorce: unknown parameter, did you mean 'source'?",
        ),
        ('rate:=500.0', '[option_invalid]: parameter: rate: got 500.0, expected a float from 1'),
    ],
)
def test_a_mistake_is_a_sentence(parameter, sentence):
    done = run_camera(parameter)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_start_ends_it_with_status_0_and_no_traceback(number):
    """At moments of the imports, of the start of ROS and of the work."""
    for moment in range(4):
        command = [sys.executable, '-m', MODULE]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        until(lambda pid=process.pid: handles(pid, signal.SIGTERM), bool)
        threading.Event().wait(moment * 0.25)
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
        assert (process.returncode, b'Traceback' in output) == (0, False)


def test_the_parameters_are_those_of_the_document(repository):
    text = (repository / 'docs' / 'demo.md').read_text()
    table = rows(section(text, 'In your own tests'))
    specs = {spec.name: spec for spec in option_specs(CameraConfig)}
    assert set(table) == set(specs)
    for name, (default, meaning) in table.items():
        assert default == (f'`{specs[name].default}`' if specs[name].default != '' else 'empty')
        assert re.sub('`', '', meaning).split(';')[0] == specs[name].description.split(';')[0]
