# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from edge_perception.contract import ConfigurationError
from edge_perception.contract import Frame
from edge_perception.ros.output.image_messages import image_message
from edge_perception.ros.system import qos
from edge_perception.simulation.faults import FaultLine
from edge_perception.simulation.faults import parse_faults
from edge_perception.simulation.nodes.fault_injector import FaultInjector
from test.support.graph import PATIENCE_S
from test.support.graph import Spinner
from test.support.graph import Tester

PERIOD_NS = 33_000_000

FAULT_INJECTOR = (sys.executable, '-m', 'edge_perception.simulation.nodes.fault_injector')


def frame(index: int) -> Frame:
    image = np.full((48, 64, 3), 10 * (index + 1), np.uint8)
    return Frame(image=image, encoding='bgr8', stamp_ns=index * PERIOD_NS, frame_id='camera')


def run(*faults: str, count: int = 6) -> list[list]:
    """Return what comes out for each image that goes in."""
    line = FaultLine(parse_faults(faults))
    return [line.push(frame(index)) for index in range(count)]


def brightness(shots: list) -> list[int]:
    return [int(shot.image[0, 0].flat[0]) for each in shots for shot in each]


def test_without_faults_images_pass_as_they_are():
    source = frame(0)
    (shot,) = FaultLine(()).push(source)
    assert shot.image is source.image
    assert (shot.encoding, shot.stamp_ns, shot.delay_ns) == ('bgr8', 0, 0)


def test_a_fault_hits_the_images_of_its_schedule():
    assert brightness(run('black:2:3')) == [10, 20, 0, 0, 0, 60]
    assert [len(shots) for shots in run('drop:1:2')] == [1, 0, 0, 1, 1, 1]


def test_a_frozen_picture_gets_new_stamps_and_thaws():
    shots = run('freeze:1:3')
    assert brightness(shots) == [10, 20, 20, 20, 50, 60]
    assert [each[0].stamp_ns for each in shots] == [index * PERIOD_NS for index in range(6)]


def test_neighbors_change_places_and_none_is_lost():
    assert brightness(run('reorder:1:4')) == [10, 30, 20, 50, 40, 60]
    # An odd one at the end waits for the next image.
    assert brightness(run('reorder:1:3')) == [10, 30, 20, 50, 40, 60]


def test_faults_at_once_add_up():
    shots = run('stamp_jump:1:2:-20', 'delay:2:1:5', 'size:2:1:0.5')
    assert shots[1][0].stamp_ns == PERIOD_NS - 20_000_000
    both = shots[2][0]
    assert (both.stamp_ns, both.delay_ns) == (2 * PERIOD_NS - 20_000_000, 5_000_000)
    assert both.image.shape == (24, 32, 3)


@pytest.mark.parametrize('changes', [('freeze:1:3', 'black:2:1'), ('black:2:1', 'freeze:1:3')])
def test_a_frozen_picture_that_gets_black_is_black(changes):
    assert brightness(run(*changes)) == [10, 20, 0, 20, 50, 60]


def test_a_frozen_picture_has_the_encoding_that_it_says():
    encoded = [each[0] for each in run('freeze:1:4', 'encoding:2:2')]
    assert [shot.encoding for shot in encoded[1:5]] == ['bgr8', 'mono8', 'mono8', 'bgr8']
    assert [shot.image.ndim for shot in encoded[1:5]] == [3, 2, 2, 3]
    assert brightness([encoded]) == [10, 20, 20, 20, 20, 60]


def test_an_image_that_cannot_be_read_is_passed_on_and_the_next_one_is_not_missed():
    """The camera sends distances, then a picture, which the schedule takes for the first."""
    injector, tester = Spinner(), Spinner()
    try:
        camera = Tester(tester)
        node = injector.add(
            lambda context: FaultInjector(
                context=context, parameter_overrides=[Parameter('faults', value=['black:0:1'])]
            )
        )
        source = camera.publisher(Image, '/camera/image_raw', qos.RESULT)
        arriving = camera.collect(Image, '/faulty/image_raw', qos.EVERY)
        source.wait(node)
        arriving.wait(node)
        depth = image_message(np.arange(4, dtype=np.uint16).reshape(2, 2), encoding='16UC1')
        source.publish(depth)
        assert arriving.get(timeout=PATIENCE_S) == depth
        gray = np.arange(4, dtype=np.uint8).reshape(2, 2)
        source.publish(image_message(gray, encoding='mono8'))
        assert arriving.get(timeout=PATIENCE_S).data.tobytes() == bytes(4)
    finally:
        injector.close()
        tester.close()


def test_a_gray_camera_stays_gray():
    image = np.zeros((48, 64), np.uint8)
    gray = Frame(image=image, encoding='mono8', stamp_ns=1, frame_id='camera')
    (shot,) = FaultLine(parse_faults(['encoding:0:1'])).push(gray)
    assert (shot.encoding, shot.image.shape) == ('mono8', (48, 64))


@pytest.mark.parametrize(
    ('text', 'sentence'),
    [
        ('blakc:1:2', "got kind 'blakc', expected one of freeze"),
        ('black:1', 'got 1 numbers, expected black:FIRST:COUNT'),
        ('black:1:2:3', 'got 3 numbers, expected black:FIRST:COUNT'),
        ('delay:1:2:3:4', 'expected delay:FIRST:COUNT:AMOUNT'),
        ('black:one:2', 'FIRST and COUNT'),
        ('black:-1:2', 'expected FIRST of at least 0'),
        ('delay:1:2:nan', 'a finite AMOUNT'),
    ],
)
def test_a_mistake_in_the_schedule_is_a_sentence(text, sentence):
    with pytest.raises(ConfigurationError) as caught:
        parse_faults(['black:1:2', text])
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ('parameter', 'problems', 'words'),
    [
        ('faults:=["sepia:1:2", "black:x:1"]', 2, "'sepia'"),
        ('fault:=["black:1:2"]', 1, "did you mean 'faults'?"),
        *((f'faults:={value}', 1, 'list') for value in ('5', '"black:1:2"', '[1, 2]')),
    ],
)
def test_the_node_says_what_is_wrong_with_its_parameters(parameter, problems, words):
    command = [*FAULT_INJECTOR, '--ros-args', '-p', parameter]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count('error [') == problems and 'Traceback' not in done.stderr
    assert words in done.stderr
