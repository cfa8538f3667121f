# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The image with everything that was perceived in it, for people; only while somebody looks."""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from edge_perception.contract import Frame
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.ros.output.image_messages import compressed_image_message
from edge_perception.ros.output.image_messages import image_message
from edge_perception.ros.parameters.declaration import parameter
from edge_perception.ros.system import qos
from edge_perception.runtime.drawing import draw
from edge_perception.runtime.drawing import Tails

TOPIC = '~/debug_image'
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class DebugOptions(Options):
    """Parameters ``debug.<name>``."""

    max_rate: float = parameter(
        10.0,
        'maximum rate of drawn debug images, Hz',
        special={0.0: 'every one'},
        minimum=0.0,
        live=True,
    )
    jpeg_quality: int = parameter(
        80, 'quality of the compressed debug image', minimum=1, maximum=100, live=True
    )


class DebugImage:
    """
    Publishes drawn images, raw and as JPEG. ``publish`` is called by the worker.

    While nobody subscribes it asks its two publishers for their number of subscribers, and that
    is all. Somebody who looks pays with processor time of the node, so the rate is limited.

    :param topic: of the raw images; JPEG goes to ``<topic>/compressed``.
    :param engine: shown in the picture.
    """

    def __init__(self, node: Node, *, topic: str, manifest: ModelManifest, engine: str) -> None:
        self._node = node
        self._manifest = manifest
        self._engine = engine
        self._raw = node.create_publisher(Image, topic, qos.PICTURE)
        self._jpeg = node.create_publisher(CompressedImage, f'{topic}/compressed', qos.PICTURE)
        self._drawn_ns = -math.inf
        self._tails = Tails()
        # May be replaced while running.
        self.options = DebugOptions()

    def wanted(self, now_ns: int) -> bool:
        """Tell whether somebody looks, and enough time has passed since the last picture."""
        # From the rate of now: a slow one that is given up must not delay the next picture.
        rate = self.options.max_rate
        if rate and now_ns - self._drawn_ns < NS_PER_S / rate:
            return False
        return bool(self._raw.get_subscription_count() or self._jpeg.get_subscription_count())

    def publish(
        self,
        frame: Frame,
        perception: Perception,
        *,
        header: Header,
        age_ms: float,
        now_ns: int,
    ) -> None:
        """
        Draw one frame and publish it.

        :param now_ns: monotonic.
        """
        self._drawn_ns = now_ns
        picture = draw(
            frame,
            perception,
            labels=self._manifest.labels,
            skeleton=self._manifest.skeleton,
            axes=[pose.axes for pose in perception.poses if pose.axes is not None],
            caption=f'{self._engine} {age_ms:.0f} ms',
            tails=self._tails,
        )
        if self._raw.get_subscription_count():
            self._raw.publish(image_message(picture, encoding='bgr8', header=header))
        if self._jpeg.get_subscription_count():
            settings = [cv2.IMWRITE_JPEG_QUALITY, self.options.jpeg_quality]
            _, data = cv2.imencode('.jpg', picture, settings)
            format_ = 'bgr8; jpeg compressed bgr8'
            self._jpeg.publish(compressed_image_message(data, format_=format_, header=header))

    def close(self) -> None:
        """Take the topics back."""
        self._node.destroy_publisher(self._raw)
        self._node.destroy_publisher(self._jpeg)
