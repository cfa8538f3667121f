# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Follows the CameraInfo of a camera, for the stages that read its calibration."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo

from edge_perception.contract import Calibration
from edge_perception.contract import Frame
from edge_perception.ros.system import qos

# Topics of images whose lens distortion was taken out already begin with this.
RECTIFIED = 'image_rect'


def camera_info_beside(image_topic: str) -> str:
    """Return where the convention of image_transport puts the CameraInfo of an image topic."""
    return f'{image_topic.rpartition("/")[0]}/camera_info'


class CalibrationInput:
    """
    The subscription to a CameraInfo; the latest one counts.

    Images and CameraInfo are not matched by stamp: in recordings they are seldom equal, and a lens
    does not change from one image to the next. Runs in the thread of the executor;
    ``at`` is called by the worker.

    :param topic: of the CameraInfo.
    :param rectified: the images are rectified: P counts, and there is no distortion.
    """

    def __init__(self, node: Node, *, topic: str, rectified: bool) -> None:
        self._node = node
        self.topic = node.resolve_topic_name(topic)
        self._rectified = rectified
        self._subscription: Subscription | None = None
        self._latest: Calibration | None = None

    @property
    def received(self) -> bool:
        """Whether any CameraInfo has come, good or bad."""
        return self._latest is not None

    @property
    def problem(self) -> str:
        """Why it supplies nothing, in words; what is wrong with a CameraInfo say the stages."""
        return '' if self.received else f'no CameraInfo has come on {self.topic} so far'

    def at(self, frame: Frame) -> Calibration | None:
        """Return the calibration for a frame; None until one has come."""
        return self._latest

    def open(self) -> None:
        """Subscribe."""
        self._subscription = self._node.create_subscription(
            CameraInfo, self.topic, self._receive, qos.CAMERA
        )

    def close(self) -> None:
        """Unsubscribe; the calibration stays."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _receive(self, message: CameraInfo) -> None:
        roi = message.roi
        self._latest = Calibration(
            width=message.width,
            height=message.height,
            k=tuple(message.k.tolist()),
            d=tuple(message.d),
            p=tuple(message.p.tolist()),
            model=message.distortion_model,
            roi=(roi.x_offset, roi.y_offset, roi.width, roi.height),
            rectified=self._rectified,
        )
