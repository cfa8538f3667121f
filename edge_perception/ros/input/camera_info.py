# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Follows the CameraInfo of a camera and hands its intrinsics to the stages that need them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo

from edge_perception.contract import IntrinsicsError
from edge_perception.pose import Intrinsics
from edge_perception.pose import PlanarObjectStage
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
    does not change from one image to the next. Runs in the thread of the executor.

    :param topic: of the CameraInfo.
    :param rectified: the images are rectified: P counts, and there is no distortion.
    :param stages: get the intrinsics.
    """

    def __init__(
        self,
        node: Node,
        *,
        topic: str,
        rectified: bool,
        stages: Sequence[PlanarObjectStage],
    ) -> None:
        self._node = node
        self.topic = node.resolve_topic_name(topic)
        self._rectified = rectified
        self._stages = stages
        self._subscription: Subscription | None = None
        self._last: tuple[Any, ...] = ()
        self._hand_on(None, why=f'no CameraInfo has come on {self.topic} so far')

    @property
    def received(self) -> bool:
        """Whether any CameraInfo has come, good or bad."""
        return bool(self._last)

    def open(self) -> None:
        """Subscribe."""
        self._subscription = self._node.create_subscription(
            CameraInfo, self.topic, self._receive, qos.CAMERA
        )

    def close(self) -> None:
        """Unsubscribe; the intrinsics stay."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _receive(self, message: CameraInfo) -> None:
        roi = message.roi
        fields = (
            message.width,
            message.height,
            message.distortion_model,
            tuple(message.d),
            tuple(message.k),
            tuple(message.p),
            (roi.x_offset, roi.y_offset, roi.width, roi.height),
        )
        if fields == self._last:
            return
        self._last = fields
        try:
            intrinsics = self._read(message)
        except IntrinsicsError as error:
            self._hand_on(None, why=f'{self.topic}: {error}')
        else:
            self._hand_on(intrinsics, roi=fields[-1])

    def _read(self, message: CameraInfo) -> Intrinsics:
        return Intrinsics.from_camera_info(
            width=message.width,
            height=message.height,
            k=message.k.tolist(),
            d=list(message.d),
            p=message.p.tolist(),
            model=message.distortion_model,
            rectified=self._rectified,
        )

    def _hand_on(
        self, intrinsics: Intrinsics | None, *, roi: Sequence[int] = (0, 0, 0, 0), why: str = ''
    ) -> None:
        for stage in self._stages:
            stage.calibrate(intrinsics, roi=roi, why=why)
