# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How fast the camera turns, from an IMU that is fixed to it, for the stages that want it."""

from __future__ import annotations

from collections import deque
import threading

import numpy as np
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import Imu

from edge_perception.contract import Tensor
from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.input.transform_buffer import SET_BACK_NS
from edge_perception.ros.input.transform_input import TransformInput
from edge_perception.ros.log_once import LogOnce
from edge_perception.ros.system import qos

# Four seconds of an IMU of 1 kHz: longer than any usual time between two frames.
MOST_SAMPLES = 4096


class AngularRateInput:
    """
    The subscription to the IMU of one camera.

    Runs in the thread of the executor; ``at`` is called by the worker, once for each frame.

    :param transforms: say how the IMU is fixed to the camera.
    :param dropped: samples without an angular rate, or not finite.
    """

    def __init__(self, node: Node, *, topic: str, transforms: TransformInput) -> None:
        self._node = node
        self.topic = topic
        self._transforms = transforms
        self._subscription: Subscription | None = None
        self._warnings = LogOnce(node.get_logger().warning, variants={})
        self._lock = threading.Lock()
        # Stamps and rates in the frame of the IMU.
        self._samples: deque[tuple[int, tuple[float, float, float]]] = deque(maxlen=MOST_SAMPLES)
        self._imu_frame = ''
        self._previous_ns: int | None = None
        self.received = False
        self.dropped = 0

    @property
    def problem(self) -> str:
        """Why it supplies nothing, in words; empty when it does."""
        return '' if self.received else f'no angular rate has come on {self.topic} so far'

    def open(self) -> None:
        """Subscribe."""
        self._warnings.forget()
        self._subscription = self._node.create_subscription(
            Imu, self.topic, self._receive, qos.EVERY
        )

    def close(self) -> None:
        """Unsubscribe, and forget what has come."""
        self.forget()
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def forget(self) -> None:
        """Use none of the samples that have come so far."""
        with self._lock:
            self._samples.clear()
            self._previous_ns = None

    def at(self, now_ns: int, *, frame_id: str) -> Tensor:
        """
        Return the mean since the frame before: float64 (3,), rad/s in the frame of the camera.

        :param now_ns: stamp of the frame.
        :raises LookupError: there is none, with the reason in words.
        """
        with self._lock:
            begin_ns, self._previous_ns = self._previous_ns, now_ns
            imu_frame = self._imu_frame
            samples = tuple(self._samples)
        if not self.received:
            raise LookupError(self.problem)
        if begin_ns is None or begin_ns >= now_ns:
            raise LookupError('there is no frame before this one')
        rates = [rate for stamp, rate in samples if begin_ns < stamp <= now_ns]
        if not rates:
            raise LookupError(f'{self.topic}: no sample between this frame and the one before')
        try:
            fixed = self._transforms.buffer.look_up(frame_id, imu_frame, None)
        except LookupError as error:
            raise LookupError(f'{self.topic}: {error}') from error
        return np.asarray(fixed.rotation @ np.mean(rates, axis=0))

    def _receive(self, message: Imu) -> None:
        self.received = True
        rate = message.angular_velocity
        values = (rate.x, rate.y, rate.z)
        # So sensor_msgs/Imu marks what the sensor does not give.
        if message.angular_velocity_covariance[0] == -1 or not np.isfinite(values).all():
            self.dropped += 1
            words = f'{self.topic}: the angular rate is not finite, or marked as not given'
            self._warnings.say('angular_rate_dropped', words)
            return
        stamp, frame = stamp_ns(message.header), message.header.frame_id
        with self._lock:
            newest = self._samples[-1][0] if self._samples else stamp
            if frame != self._imu_frame or stamp < newest - SET_BACK_NS:
                self._samples.clear()
            self._imu_frame = frame
            self._samples.append((stamp, values))
