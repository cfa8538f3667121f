# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Subscribe to /tf and /tf_static, for stages that want the camera's pose in another frame."""

from __future__ import annotations

from functools import partial

from rclpy.node import Node
from rclpy.subscription import Subscription
from tf2_msgs.msg import TFMessage

from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.input.transform_buffer import TransformBuffer
from edge_perception.ros.log_once import LogOnce
from edge_perception.ros.system import qos

# Different malformed transforms that are logged.
LOG_VARIANTS = {'tf_dropped': 5}


class TransformInput:
    """
    The subscriptions to /tf and /tf_static, shared by the cameras.

    Runs in the thread of the executor; the worker reads ``buffer``. It never waits for a
    transform: what has not come when the stages run is missing for that frame.

    :param dropped: transforms that could not be right.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.topic = node.resolve_topic_name('/tf')
        self.buffer = TransformBuffer()
        self._subscriptions: list[Subscription] = []
        self._warnings = LogOnce(node.get_logger().warning, variants=LOG_VARIANTS)
        self.received = False
        self.dropped = 0

    @property
    def problem(self) -> str:
        """Why it supplies nothing, in words; empty when it does."""
        return '' if self.received else 'no transform has come on /tf or /tf_static so far'

    def open(self) -> None:
        """Subscribe; nothing where another camera has done it."""
        if self._subscriptions:
            return
        self._warnings.forget()
        for topic, profile in (('/tf', qos.TF), ('/tf_static', qos.TF_STATIC)):
            receive = partial(self._receive, static=topic == '/tf_static')
            self._subscriptions.append(
                self._node.create_subscription(TFMessage, topic, receive, profile)
            )

    def close(self) -> None:
        """Unsubscribe, and forget what has come."""
        for each in self._subscriptions:
            self._node.destroy_subscription(each)
        self._subscriptions.clear()
        self.buffer.clear(static=True)
        self.received = False

    def forget(self) -> None:
        """Forget what moves: the clock was set back."""
        self.buffer.clear(static=False)

    def _receive(self, message: TFMessage, *, static: bool) -> None:
        for each in message.transforms:
            moved, turned = each.transform.translation, each.transform.rotation
            pose = (moved.x, moved.y, moved.z, turned.x, turned.y, turned.z, turned.w)
            parent, child = each.header.frame_id, each.child_frame_id
            self.received = True
            try:
                self.buffer.add(parent, child, stamp_ns(each.header), pose, static=static)
            except ValueError as error:
                self.dropped += 1
                self._warnings.say('tf_dropped', f'/tf{"_static" * static}: {error}')
