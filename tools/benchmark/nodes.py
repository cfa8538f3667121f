# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Run processes beside the node: an echo that replaces it, and one that asks it questions.

Each is ``python -m tools.benchmark.nodes NAME ORDER``, the order being arguments in JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from contextlib import suppress
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
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification
from vision_msgs.msg import Detection2DArray
from vision_msgs.msg import ObjectHypothesis

from edge_perception.contract import Detections
from edge_perception.contract import LabelMap
from edge_perception.ros.output.result_messages import detections_message
from edge_perception.ros.system import qos
from edge_perception.ros.system.spinning import Spinner

TIMEOUT_S = 10.0
PAUSE_S = 0.3
POLL_S = 0.005


def boxes(header: Header, count: int) -> Detection2DArray:
    """Return an answer with boxes."""
    corners = np.tile(np.array([[10, 20, 110, 220]], np.float32), (count, 1))
    scores, ids = np.full(count, 0.5, np.float32), np.zeros(count, np.int32)
    detections = Detections(xyxy=corners, score=scores, class_id=ids)
    return detections_message(detections, header=header, labels=LabelMap(('box',)))


def classes(header: Header, count: int) -> Classification:
    """Return an answer with classes."""
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

    As short a way as rclpy has: subscriptions, a thread, a message. It is what ROS alone costs.

    :param topics: of images, with those of their answers.
    :param count: boxes or classes in an answer.
    """
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with closing(Spinner()) as spinner, suppress(KeyboardInterrupt):
        node = spinner.add(lambda context: Node('echo', context=context))
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
    print('ready', flush=True)
    while not Path(begin).exists():
        time.sleep(POLL_S)
    found: dict[str, list[float]] = {'service': [], 'parameter': [], 'transition': []}
    for _ in range(times):
        found['service'].append(asks.service())
        found['parameter'].append(asks.parameter())
        found['transition'] += [asks.transition('deactivate'), asks.transition('activate')]
    Path(output).write_text(json.dumps(found))
    node.destroy_node()
    rclpy.try_shutdown()


NODES: dict[str, Any] = {'echo': echo, 'asker': asker}

if __name__ == '__main__':
    NODES[sys.argv[1]](**json.loads(sys.argv[2]))
