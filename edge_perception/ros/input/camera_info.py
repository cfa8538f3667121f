# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Follows the CameraInfo of a camera, for the stages that read its calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo
from sensor_msgs.msg import CameraInfo

from edge_perception.contract import Calibration
from edge_perception.contract import Frame
from edge_perception.contract import IntrinsicsError
from edge_perception.pose.intrinsics import check_center
from edge_perception.ros.input.pose_doubts import why_no_camera_info
from edge_perception.ros.system import qos
from edge_perception.ros.system.endpoints import is_latched
from edge_perception.ros.system.endpoints import owner

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
    ``at`` and ``doubt`` are called by the worker.

    :param topic: of the CameraInfo.
    :param rectified: the images are rectified: P counts, and there is no distortion.
    :param center_limit: how far the principal point may be from the middle of the image, as a
        share of width and height; 0: any distance.
    """

    def __init__(self, node: Node, *, topic: str, rectified: bool, center_limit: float) -> None:
        self._node = node
        self.topic = node.resolve_topic_name(topic)
        self._rectified = rectified
        self._center_limit = center_limit
        self._subscriptions: list[Subscription] = []
        # The latest one, and the same where it can be used; the worker reads the latter.
        self._latest: Calibration | None = None
        self._supplied: Calibration | None = None
        self._binning = (1, 1)
        # Why none came, or why those that come are not used.
        self._why_missing = f'no CameraInfo has come on {self.topic} so far'
        self._conflict = self._implausible = ''

    @property
    def received(self) -> bool:
        """Whether any CameraInfo has come, good or bad."""
        return self._latest is not None

    @property
    def problem(self) -> str:
        """Why it supplies nothing, in words; what else is wrong say the stages."""
        return self._conflict or self._implausible or ('' if self.received else self._why_missing)

    def at(self, frame: Frame) -> Calibration | None:
        """Return the calibration for a frame; None until one has come."""
        return None if self._conflict else self._supplied

    def doubt(self, frame: Frame) -> str:
        """Return what makes the calibration doubtful for a frame of this size; empty: nothing."""
        used = self._supplied
        size = (used.width, used.height) if used is not None else (0, 0)
        if used is None or any(used.roi) or not all(size):
            return ''
        if abs(size[1] * frame.width / size[0] - frame.height) >= 1:
            return ''  # of another shape, which the stages refuse
        by_x, by_y = self._binning
        whole = (frame.width, frame.height) == size
        # Binning rounds an odd size.
        if whole or max(abs(size[0] / by_x - frame.width), abs(size[1] / by_y - frame.height)) < 1:
            return ''
        return (
            f'{self.topic}: camera_info is for {size[0]}x{size[1]} pixels, the image has '
            f'{frame.width}x{frame.height} and neither binning nor roi is set, so the image is '
            'taken for a scaled one; a cropped one gets wrong poses: publish the camera_info of '
            'this image'
        )

    def open(self) -> None:
        """Subscribe."""
        self._subscribe(qos.CAMERA)
        self.check()

    def close(self) -> None:
        """Unsubscribe; the calibration stays."""
        for each in self._subscriptions:
            self._node.destroy_subscription(each)
        self._subscriptions.clear()

    def check(self) -> None:
        """Look who publishes it. Called about once a second while it is open."""
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        if self._conflict and len(publishers) < 2:
            # Whose was the latest is not known: the one that is left says it again.
            self.close()
            self._latest = self._supplied = None
            self._conflict = ''
            self._subscribe(qos.CAMERA)
        # One that was sent before comes only to those who ask for it, and only from those who
        # keep it.
        if len(self._subscriptions) == 1 and any(map(is_latched, publishers)):
            self._subscribe(qos.LATCHED)
        if not self.received:
            self._why_missing = why_no_camera_info(self._node, self.topic)

    def _subscribe(self, profile: QoSProfile) -> None:
        self._subscriptions.append(
            self._node.create_subscription(CameraInfo, self.topic, self._receive, profile)
        )

    def _receive(self, message: CameraInfo) -> None:
        calibration = self._calibration(message)
        if self._latest not in (None, calibration):
            self._look_for_another(self._node.get_publishers_info_by_topic(self.topic))
        self._binning = max(message.binning_x, 1), max(message.binning_y, 1)
        self._implausible = self._why_implausible(calibration)
        self._supplied = None if self._implausible else calibration
        self._latest = calibration

    def _why_implausible(self, calibration: Calibration) -> str:
        """Return why the numbers are for another image, in words; empty when they are not."""
        if any(calibration.roi):
            return ''  # a part of the sensor may lie anywhere
        name, numbers = ('p', calibration.p) if self._rectified else ('k', calibration.k)
        matrix = np.reshape(numbers, (3, -1))
        if not matrix[0, 0] > 0:
            return ''  # not calibrated, as the stages say
        try:
            size = calibration.width, calibration.height
            check_center(name, matrix, size, self._center_limit)
        except IntrinsicsError as error:
            return f'{self.topic}: {error}'
        return ''

    def _look_for_another(self, publishers: Sequence[TopicEndpointInfo]) -> None:
        if len(publishers) > 1:
            names = ', '.join(sorted(map(owner, publishers)))
            self._conflict = (
                f'{self.topic}: {len(publishers)} publishers ({names}) send different CameraInfo; '
                'remap all but one of them, or set camera_info_topic'
            )

    def _calibration(self, message: CameraInfo) -> Calibration:
        roi = message.roi
        part = (roi.x_offset, roi.y_offset, roi.width, roi.height)
        size = message.width, message.height
        if part in ((0, 0, 0, 0), (0, 0, *size)):
            part = (0, 0, 0, 0)
        return Calibration(
            *_full_size(message),
            k=tuple(message.k.tolist()),
            d=tuple(message.d),
            p=tuple(message.p.tolist()),
            model=message.distortion_model,
            roi=part,
            rectified=self._rectified,
        )


def _full_size(message: CameraInfo) -> tuple[int, int]:
    """Return the size that the numbers are for: with binning some drivers give the binned one."""
    width, height = message.width, message.height
    by_x, by_y = max(message.binning_x, 1), max(message.binning_y, 1)
    # The principal point of the full sensor is beyond the middle of the lower right quarter.
    beyond = message.k[2] > 0.75 * width and message.k[5] > 0.75 * height
    return (width * by_x, height * by_y) if beyond else (width, height)
