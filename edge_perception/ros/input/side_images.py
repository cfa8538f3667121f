# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images of other topics for stages, such as depth: the nearest in time to each frame."""

from __future__ import annotations

from dataclasses import replace
from statistics import median_low

import numpy as np
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image

from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.contract import SideImage
from edge_perception.ros.input.compressed_depth import decode_depth
from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.system import qos

# Type and number of the samples of a pixel; depth has the names of REP 118.
ENCODINGS = {
    **dict.fromkeys(('mono8', '8UC1'), ('u1', 1)),
    **dict.fromkeys(('bgr8', 'rgb8'), ('u1', 3)),
    **dict.fromkeys(('mono16', '16UC1'), ('u2', 1)),
    '32FC1': ('f4', 1),
}
# The end of topics of compressed_depth_image_transport.
COMPRESSED_DEPTH = '/compressedDepth'


def side_image(message: Image | CompressedImage) -> SideImage:
    """
    Return an image with its numbers as they are; a view of the message where that is possible.

    :raises ImageError: unknown encoding, or size, step and data that disagree.
    """
    if isinstance(message, CompressedImage):
        pixels, encoding = decode_depth(message.format, bytes(message.data))
        pixels.flags.writeable = False
        return SideImage(pixels, encoding, stamp_ns(message.header), message.header.frame_id)
    encoding, width, height, step = message.encoding, message.width, message.height, message.step
    if encoding not in ENCODINGS:
        raise ImageError(f'encoding: got {encoding!r}, expected one of {", ".join(ENCODINGS)}')
    kind, channels = ENCODINGS[encoding]
    item = int(kind[1])
    row, got = width * channels * item, len(message.data)
    if not row or not height or step < row or got < step * (height - 1) + row:
        raise ImageError(
            f'data: got {got} bytes with step {step}, expected {width}x{height} {encoding}; '
            'check the driver'
        )
    pixels = np.ndarray(
        (height, width, channels),
        ('>' if message.is_bigendian else '<') + kind,
        buffer=message.data,
        strides=(step, channels * item, item),
    ).astype(kind, copy=False)
    pixels.flags.writeable = False
    pixels = pixels[..., 0] if channels == 1 else pixels
    return SideImage(pixels, encoding, stamp_ns(message.header), message.header.frame_id)


class SideImageInput:
    """
    The subscription to one image topic; keeps the last few messages.

    Runs in the thread of the executor; ``nearest`` is called by the worker.
    """

    def __init__(self, node: Node, *, topic: str) -> None:
        self._node = node
        self.topic = topic
        self._subscription: Subscription | None = None
        # Replaced as a whole, as the worker reads it at any time.
        self._kept: tuple[Image | CompressedImage, ...] = ()
        self.received = False
        # Why it supplies nothing, in words; empty when it does.
        self.problem = f'no image has come on {topic} so far'

    def open(self) -> None:
        """Subscribe."""
        kind = CompressedImage if self.topic.endswith(COMPRESSED_DEPTH) else Image
        self._subscription = self._node.create_subscription(
            kind, self.topic, self._receive, qos.SIDE_IMAGES
        )

    def close(self) -> None:
        """Unsubscribe, and forget what has come."""
        self.forget()
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def forget(self) -> None:
        """Supply none of the images that have come so far."""
        self._kept = ()

    def nearest(self, frame: Frame) -> SideImage | None:
        """Return the image whose stamp is the nearest; None where none can be used."""
        kept = self._kept
        if not kept:
            return None
        best = min(kept, key=lambda each: abs(stamp_ns(each.header) - frame.stamp_ns))
        try:
            image = side_image(best)
        except ImageError as error:
            self.problem = f'{self.topic}: {error}'
            return None
        self.problem = ''
        stamps = [stamp_ns(each.header) for each in kept]
        periods = [later - before for before, later in zip(stamps, stamps[1:]) if later > before]
        return replace(image, period_ns=median_low(periods or [0]))

    def _receive(self, message: Image | CompressedImage) -> None:
        if not self.received:
            self.received, self.problem = True, ''
        self._kept = (*self._kept[1 - qos.SIDE_IMAGES.depth :], message)
