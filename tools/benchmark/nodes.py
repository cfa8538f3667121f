# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The processes around the node: cameras, the echo that takes its place, and who asks it questions.

Each is ``python -m tools.benchmark.nodes NAME ORDER``, the order being arguments in JSON.

Both ends of an image's way are in the camera, and one monotonic clock measures it. It begins with
the call of ``publish``, and ends when the callback of the subscription runs; the stamp in the
header says which image was answered.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import astuple
import json
from pathlib import Path
import queue
import sys
import time
from typing import Any

from lifecycle_msgs.srv import ChangeState
from lifecycle_msgs.srv import GetState
import numpy as np
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification
from vision_msgs.msg import Detection2DArray
from vision_msgs.msg import ObjectHypothesis

from edge_perception.contract import Detections
from edge_perception.contract import LabelMap
from edge_perception.ros.input.camera_info import camera_info_beside
from edge_perception.ros.output.image_messages import image_message
from edge_perception.ros.output.result_messages import detections_message
from edge_perception.ros.system import qos
from edge_perception.ros.system.spinning import Spinner
from edge_perception.simulation.nodes import playback_camera
from edge_perception.simulation.nodes.rendered_camera import camera_info_message
from edge_perception.simulation.pace import paced
from tools.benchmark.subjects import LENS

HEADER = Header(frame_id=playback_camera.FRAME_ID)
TIMEOUT_S = 10.0
PAUSE_S = 0.3
POLL_S = 0.005


@contextmanager
def spun(name: str) -> Iterator[Node]:
    """Give a node that a thread spins."""
    spinner = Spinner()
    try:
        yield spinner.add(lambda context: Node(name, context=context))
    finally:
        spinner.close()


class CalibratedCamera(playback_camera.PlaybackCamera):
    """Publishes a CameraInfo with each image."""

    def __init__(self, node: Node, *, topic: str, **more: Any) -> None:
        super().__init__(node, topic=topic, compressed=False, **more)
        self._info = camera_info_message(LENS, header=HEADER)
        self._infos = node.create_publisher(
            CameraInfo, camera_info_beside(topic), qos_profile_sensor_data
        )

    def publish(self, message: Any) -> None:
        super().publish(message)
        self._info.header.stamp = message.header.stamp
        self._infos.publish(self._info)


def camera(
    *, images: str, rate: float, frames: int, phase: float, begin: str, output: str, **topics: Any
) -> None:
    """
    Show images in step, and write down when they were answered.

    :param images: file of images to show.
    :param phase: seconds until the first image.
    :param begin: starts when this file appears.
    """
    messages = [image_message(each, encoding='bgr8', header=HEADER) for each in np.load(images)]
    with spun('camera') as node:
        eye = CalibratedCamera(node, **topics)
        if not eye.meet():
            sys.exit(f'no one listens to {topics["topic"]} and answers on {topics["results"]}')
        _wait_for(begin)
        time.sleep(phase)
        for number in paced(frames, rate_hz=rate):
            eye.publish(messages[number % len(messages)])
        eye.wait_for_the_last()
        shown = [astuple(each) for each in eye.shown()]
    Path(output).write_text(json.dumps([shown, eye.report]))


def boxes(header: Header, count: int) -> Detection2DArray:
    """Answer with so many boxes."""
    corners = np.tile(np.array([[10, 20, 110, 220]], np.float32), (count, 1))
    scores, ids = np.full(count, 0.5, np.float32), np.zeros(count, np.int32)
    detections = Detections(xyxy=corners, score=scores, class_id=ids)
    return detections_message(detections, header=header, labels=LabelMap(('box',)))


def classes(header: Header, count: int) -> Classification:
    """Answer with so many classes."""
    results = [ObjectHypothesis(class_id='class', score=0.1) for _ in range(count)]
    return Classification(header=header, results=results)


# By the last part of a topic: the type, and what makes a message.
ANSWERS: dict[str, Any] = {
    'detections': (Detection2DArray, boxes),
    'classification': (Classification, classes),
}


def echo(*, topics: dict[str, str], count: int) -> None:
    """
    Answer images without looking at them, until interrupted.

    As short a way as rclpy has: subscriptions, a thread, a message. It is what ROS costs anybody.

    :param topics: of images, with those of their answers.
    :param count: boxes or classes in an answer.
    """
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with spun('echo') as node, suppress(KeyboardInterrupt):
        for images, results in topics.items():
            kind, make = ANSWERS[results.rpartition('/')[2]]
            publisher = node.create_publisher(kind, results, qos.RESULT)

            def receive(image: Image, make: Any = make, publisher: Any = publisher) -> None:
                waiting.put((image, make, publisher))

            node.create_subscription(Image, images, receive, qos.CAMERA)
        print('active, answering', flush=True)
        while True:
            image, make, publisher = waiting.get()
            publisher.publish(make(image.header, count))


class Asker:
    """
    Asks a node, and returns milliseconds; infinite when there was no answer, or a refusal.

    :param target: fully qualified name of the node.
    """

    def __init__(self, node: Node, target: str) -> None:
        self._node = node
        kinds = (('get_state', GetState), ('change_state', ChangeState))
        self._clients: dict[str, Any] = {
            name: node.create_client(kind, f'{target}/{name}')
            for name, kind in (*kinds, ('set_parameters', SetParameters))
        }

    def meet(self) -> bool:
        """Wait for the services; False when they do not come."""
        return all(client.wait_for_service(TIMEOUT_S) for client in self._clients.values())

    def service(self) -> float:
        return self._ask('get_state', GetState.Request(), lambda each: each.current_state.label)

    def parameter(self) -> float:
        value = Parameter('score_threshold', value=0.1).to_parameter_msg()
        request = SetParameters.Request(parameters=[value])
        return self._ask('set_parameters', request, lambda each: each.results[0].successful)

    def transition(self, label: str) -> float:
        request = ChangeState.Request()
        request.transition.label = label
        return self._ask('change_state', request, lambda each: each.success)

    def _ask(self, name: str, request: Any, agreed: Callable[[Any], object]) -> float:
        time.sleep(PAUSE_S)
        started = time.monotonic()
        future = self._clients[name].call_async(request)
        rclpy.spin_until_future_complete(self._node, future, timeout_sec=TIMEOUT_S)
        took_ms = 1000 * (time.monotonic() - started)
        return took_ms if future.done() and agreed(future.result()) else float('inf')


def asker(*, target: str, times: int, begin: str, output: str) -> None:
    """
    Ask a node for a service, a parameter and transitions, and write down milliseconds by kind.

    :param begin: starts when this file appears.
    """
    rclpy.init()
    node = Node('asker')
    asks = Asker(node, target)
    if not asks.meet():
        sys.exit(f'{target} offers no services')
    asks.service()
    _wait_for(begin)
    found: dict[str, list[float]] = {'service': [], 'parameter': [], 'transition': []}
    for _ in range(times):
        found['service'].append(asks.service())
        found['parameter'].append(asks.parameter())
        found['transition'] += [asks.transition('deactivate'), asks.transition('activate')]
    Path(output).write_text(json.dumps(found))
    node.destroy_node()
    rclpy.try_shutdown()


def _wait_for(begin: str) -> None:
    print('ready', flush=True)
    while not Path(begin).exists():
        time.sleep(POLL_S)


NODES: dict[str, Any] = {'camera': camera, 'echo': echo, 'asker': asker}

if __name__ == '__main__':
    NODES[sys.argv[1]](**json.loads(sys.argv[2]))
