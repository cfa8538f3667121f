# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
A node that answers images without looking at them: the floor of ROS, as a process.

As short a way as rclpy has: subscription, a thread, a message with so many boxes.
"""

from __future__ import annotations

import argparse
import queue
import sys
import threading
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from edge_perception.contract import Detections
from edge_perception.contract import LabelMap
from edge_perception.ros.output import result_messages as messages
from edge_perception.ros.system import qos


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', required=True)
    parser.add_argument('--results', required=True)
    parser.add_argument('--boxes', type=int, required=True)
    wanted = parser.parse_args()
    rclpy.init()
    node = Node('echo')
    publisher = node.create_publisher(Detection2DArray, wanted.results, qos.RESULT)
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    node.create_subscription(Image, wanted.images, waiting.put, qos.CAMERA)
    answerer = threading.Thread(
        target=answer, args=(waiting, publisher, boxes(wanted.boxes)), daemon=True
    )
    answerer.start()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        waiting.put(None)
        answerer.join()
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


def answer(waiting: queue.SimpleQueue[Any], publisher: Any, detections: Detections) -> None:
    """Answer each image until None comes."""
    labels = LabelMap(('box',))
    while (image := waiting.get()) is not None:
        publisher.publish(
            messages.detections_message(detections, header=image.header, labels=labels)
        )


def boxes(count: int) -> Detections:
    """Make so many boxes."""
    corners = np.tile(np.array([[10, 20, 110, 220]], np.float32), (count, 1))
    return Detections(
        xyxy=corners,
        score=np.full(count, 0.5, np.float32),
        class_id=np.zeros(count, np.int32),
    )


if __name__ == '__main__':
    sys.exit(main())
