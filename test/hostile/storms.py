# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Attack a node: ``python -m test.hostile.storms ORDER``, the order being arguments in JSON.

A storm draws what it sends before it begins, and then sends as fast as one core allows.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import cycle
import json
import os
from pathlib import Path
import random
import sys
import threading
import time
from typing import Any

import cv2
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from lifecycle_msgs.srv import GetState
import numpy as np
from rcl_interfaces.srv import DescribeParameters
from rcl_interfaces.srv import GetParameters
from rcl_interfaces.srv import ListParameters
from rcl_interfaces.srv import SetParameters
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool
from std_srvs.srv import Trigger

from edge_perception.ros.output.image_messages import compressed_image_message
from edge_perception.ros.output.image_messages import image_message
from edge_perception.ros.parameters.camera_parameters import camera_specs
from edge_perception.ros.parameters.reading import node_specs
from edge_perception.ros.system.spinning import Spinner
from edge_perception.simulation.nodes.playback_camera import noise
from edge_perception.simulation.nodes.playback_camera import say
from test.hostile import malformed
from test.hostile.broken_models import broken_models
from tools.reference_tables import own_host

PUBLISHERS = 8
# A fifth of the images keeps the stamp that was drawn.
STAMPED_NOW = (True, True, True, True, False)
DRAWN = 300
# Requests that may wait for an answer at the same time, and for how long.
OPEN_REQUESTS, ANSWER_S = 32, 20.0
# Images of a camera before the storm: until five were seen, one of 50 megapixels is decoded.
ORDINARY = 30
FULL_HD = (1080, 1920, 3)
Shot = Callable[[], object]


class Target:
    """
    A node under attack, as one attacker sees it.

    :param name: fully qualified name of the node.
    :param folder: where the attacker may write.
    """

    def __init__(self, node: Node, name: str, *, model: Path, folder: Path, seed: int) -> None:
        self.node, self.name, self.model = node, name, model
        self.folder, self.seed = folder, seed
        self.largest_bytes = self.unanswered = 0
        self.slowest_s = 0.0
        self._open = threading.Semaphore(OPEN_REQUESTS)
        self._clients: dict[str, Any] = {}

    def drawn(self, strategy: Any) -> list[Any]:
        return malformed.drawn(strategy, seed=self.seed, count=DRAWN)

    def publishers(self, kind: type, topic: str, count: int) -> Iterator[Any]:
        """Give publishers of a topic beside the node in turn."""
        path = f'{self.name.rpartition("/")[0]}/{topic}'
        qos = qos_profile_sensor_data
        made: list[Any] = [self.node.create_publisher(kind, path, qos) for _ in range(count)]
        return cycle(made)

    def publish(
        self, publisher: Any, message: Any, *, now: bool = True, pause_s: float = 0.0
    ) -> None:
        """Publish a message, stamped with this moment where it has a header."""
        if now and hasattr(message, 'header'):
            message.header.stamp = self.node.get_clock().now().to_msg()
        self.largest_bytes = max(self.largest_bytes, len(getattr(message, 'data', ())))
        publisher.publish(message)
        time.sleep(pause_s)

    def ask(self, kind: type, service: str, request: Any, *, wait: bool = False) -> Any:
        """Send a request, and wait for its answer or until not too many are open."""
        client = self._clients.get(service)
        if client is None:
            client = self.node.create_client(kind, f'{self.name}/{service}')
            self._clients[service] = client
            client.wait_for_service(ANSWER_S)
        self._open.acquire(timeout=ANSWER_S)
        started, answered = time.monotonic(), threading.Event()

        def done(_: Any) -> None:
            self.unanswered -= 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - started)
            self._open.release()
            answered.set()

        self.unanswered += 1
        future = client.call_async(request)
        future.add_done_callback(done)
        return future.result() if wait and answered.wait(ANSWER_S) else None


def raw(target: Target) -> Iterator[Shot]:
    """Malformed images and CameraInfo."""
    publishers = target.publishers(Image, 'raw/image_raw', PUBLISHERS)
    info_publishers = target.publishers(CameraInfo, 'raw/camera_info', 1)
    infos = cycle(target.drawn(malformed.infos))
    for image, now in zip(cycle(target.drawn(malformed.images)), cycle(STAMPED_NOW)):
        yield partial(target.publish, next(publishers), image, now=now)
        yield partial(target.publish, next(info_publishers), next(infos))


def compressed(target: Target) -> Iterator[Shot]:
    """Damaged JPEG and PNG, and bombs, at a camera of which ordinary images were seen."""
    publishers = target.publishers(CompressedImage, 'jpeg/image_raw/compressed', PUBLISHERS)
    ordinary = compressed_image_message(cv2.imencode('.jpg', noise(640, 480))[1])
    for _ in range(ORDINARY):
        yield partial(target.publish, next(publishers), ordinary, pause_s=0.1)
    images = target.drawn(malformed.compressed_images())
    for image, now in zip(cycle(images), cycle(STAMPED_NOW)):
        yield partial(target.publish, next(publishers), image, now=now)


def largest(target: Target) -> Iterator[Shot]:
    """The largest compressed images that ``max_image_megapixels`` allows, and nothing else."""
    publishers = target.publishers(CompressedImage, 'jpeg/image_raw/compressed', 1)
    deep = np.frombuffer(malformed.png_bomb(5000), np.uint8)
    flat = cv2.imencode('.jpg', np.zeros((7000, 7000, 3), np.uint8))[1]
    for image in cycle(map(compressed_image_message, (flat, flat, flat, deep, deep, deep))):
        yield partial(target.publish, next(publishers), image, pause_s=0.5)


def large(target: Target) -> Iterator[Shot]:
    """Two good cameras of 1080p on one topic, 30 images a second each."""
    publishers = target.publishers(Image, 'raw/image_raw', 2)
    image = image_message(np.zeros(FULL_HD, np.uint8), encoding='bgr8')
    while True:
        yield partial(target.publish, next(publishers), image, pause_s=1 / 60)


def clock(target: Target) -> Iterator[Shot]:
    """Times of every kind on ``/clock``."""
    publisher = target.node.create_publisher(Clock, '/clock', qos_profile_sensor_data)
    for each in cycle(target.drawn(malformed.clocks)):
        yield partial(target.publish, publisher, each)


def parameters(target: Target) -> Iterator[Shot]:
    """Values that no parameter has, of types that do not exist, and 10 000 at once."""
    specs = [each for group in node_specs(own_host().engines, {}).values() for each in group]
    names = [each.name for each in specs] + list(camera_specs(['good', 'raw']))
    for each in cycle(target.drawn(malformed.parameters(names))):
        asked = [parameter.name for parameter in each]
        for kind, service, request in (
            (SetParameters, 'set_parameters', {'parameters': each}),
            (SetParametersAtomically, 'set_parameters_atomically', {'parameters': each}),
            (GetParameters, 'get_parameters', {'names': asked}),
            (DescribeParameters, 'describe_parameters', {'names': asked}),
            (ListParameters, 'list_parameters', {'prefixes': asked}),
        ):
            sent: Any = kind
            yield partial(target.ask, kind, service, sent.Request(**request))


def services(target: Target) -> Iterator[Shot]:
    """Transitions that an active node does not have, and its services, over and over."""
    chance = random.Random(target.seed)
    legal = (
        Transition.TRANSITION_DEACTIVATE,
        Transition.TRANSITION_ACTIVE_SHUTDOWN,
    )
    wrong = [each for each in range(256) if each not in legal]
    while True:
        request = ChangeState.Request()
        request.transition.id = chance.choice(wrong)
        request.transition.label = chance.choice(['', '', 'configure', 'x' * 1000, '\x1b[2J'])
        yield partial(target.ask, ChangeState, 'change_state', request)
        yield partial(target.ask, GetState, 'get_state', GetState.Request())
        yield partial(target.ask, SetBool, 'enable', SetBool.Request(data=True))
        if chance.random() < 0.1:
            yield partial(target.ask, Trigger, 'save_frame', Trigger.Request())


def models(target: Target) -> Iterator[Shot]:
    """Configure the node with broken folders, one after the other, and a good one at times."""
    broken = broken_models(target.model, target.folder, seed=target.seed, damaged=12)

    def change(label: str) -> Any:
        request = ChangeState.Request()
        request.transition.label = label
        return target.ask(ChangeState, 'change_state', request, wait=True)

    def configure(folder: Path) -> None:
        value = Parameter('model', value=str(folder)).to_parameter_msg()
        request = SetParameters.Request(parameters=[value])
        target.ask(SetParameters, 'set_parameters', request, wait=True)
        change('configure')

    while True:
        for folder in (*broken, target.model):
            yield partial(change, 'deactivate')
            yield partial(change, 'cleanup')
            yield partial(configure, folder)
            yield partial(change, 'activate')


STORMS = {
    each.__name__: each
    for each in (raw, compressed, largest, large, clock, parameters, services, models)
}


def storm(
    *, kind: str, core: int, seconds: float, begin: str, target: str, **place: Any
) -> dict[str, float]:
    """
    Attack a node for a while, and return what it took.

    :param core: of the processor, which all attackers share.
    :param begin: starts when this file appears.
    :param place: model, folder and seed of the ``Target``.
    """
    place |= {name: Path(place[name]) for name in ('model', 'folder')}
    with closing(Spinner()) as spinner:
        node = spinner.add(lambda context: Node(f'storm_{kind}', context=context))
        aim, sent = Target(node, target, **place), 0
        shots = STORMS[kind](aim)
        shot = next(shots)
        say('ready')
        while not Path(begin).exists():
            time.sleep(0.005)
        for thread in os.listdir('/proc/self/task'):
            os.sched_setaffinity(int(thread), {core})
        begun_s, cpu_s = time.monotonic(), time.process_time()
        while time.monotonic() < begun_s + seconds:
            shot()
            sent, shot = sent + 1, next(shots)
        took_s = time.monotonic() - begun_s
        return {
            'sent': sent,
            'cores': (time.process_time() - cpu_s) / took_s,
            'largest_mb': aim.largest_bytes / 1e6,
            'unanswered': aim.unanswered,
            'slowest_s': aim.slowest_s,
        }


if __name__ == '__main__':
    say(json.dumps(storm(**json.loads(sys.argv[1]))))
