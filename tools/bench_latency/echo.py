# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
A node that answers the images of several cameras without looking at them, as a process.

As short a way as rclpy has: subscriptions, a thread, a message. It is what ROS costs anybody.
"""

from __future__ import annotations

import argparse
import queue
import sys
import threading
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image
from vision_msgs.msg import Classification
from vision_msgs.msg import ObjectHypothesis

from edge_perception.ros.system import qos
from edge_perception.tooling.benchmark.synthetic_network import CLASSES


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', nargs='+', required=True)
    parser.add_argument('--results', nargs='+', required=True)
    wanted = parser.parse_args()
    rclpy.init()
    node = Node('echo')
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for images, results in zip(wanted.images, wanted.results):
        publisher = node.create_publisher(Classification, results, qos.RESULT)

        def receive(image: Image, publisher: Any = publisher) -> None:
            waiting.put((image, publisher))

        node.create_subscription(Image, images, receive, qos.CAMERA)
    answerer = threading.Thread(target=answer, args=(waiting,), daemon=True)
    answerer.start()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    print('active, answering', flush=True)
    try:
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        waiting.put((None, None))
        answerer.join()
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


def answer(waiting: queue.SimpleQueue[Any]) -> None:
    """Answer each image until None comes."""
    while True:
        image, publisher = waiting.get()
        if image is None:
            return
        message = Classification(header=image.header)
        message.results = [ObjectHypothesis(class_id='class', score=0.1) for _ in range(CLASSES)]
        publisher.publish(message)


if __name__ == '__main__':
    sys.exit(main())
