# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Compressed ROS images, JPEG and PNG, to frames.

What an image is, its own first bytes say; drivers fill the field ``format`` in many ways. Of that
field only the encoding of the source is used: distances are refused, mosaics are converted.

An image without its end is refused, because OpenCV 4.6 makes a whole image of half a JPEG; so is
one whose lower part was never sent. A JPEG that was damaged in the middle cannot be told from a
good one.
"""

from __future__ import annotations

from collections import deque
import reprlib
from statistics import median_low
from typing import Any
from typing import cast

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage

from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.ros.input.image_header import check_header
from edge_perception.ros.input.image_header import ImageHeader
from edge_perception.ros.input.image_header import read_header
from edge_perception.ros.input.raw_images import check_size
from edge_perception.ros.input.raw_images import DEPTH_ENCODINGS
from edge_perception.ros.input.raw_images import ENCODINGS
from edge_perception.ros.input.raw_images import Pixels
from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.input.raw_images import to_pixels
from edge_perception.runtime.sample_range import SampleRange

# libjpeg leaves blocks that were not sent at zero, which is this gray; a row of blocks has at
# least 8 lines.
_NOT_SENT = 128
_BLOCK = 8


class SizeLimit:
    """
    Limit on the pixels of a compressed image, learned from the camera. Thread: the worker's.

    A 381 kB PNG of 7000x7000 pixels takes 14 s to decode; a camera does not send one between
    images of 640x480. Until a few images were seen, ``max_pixels`` alone is the limit. A new
    resolution is accepted when it comes several times in a row.

    :param max_pixels: an image with more is never decoded.
    """

    SEEN_BEFORE = 5
    TIMES_MEDIAN = 4
    IN_A_ROW = 3

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._seen: deque[int] = deque(maxlen=15)
        self._refused = (0, 0)
        self._in_a_row = 0

    def check(self, header: ImageHeader, *, size: int) -> None:
        """
        Refuse an image that should not be decoded.

        :param size: of the message, bytes.
        :raises ImageError: see ``check_header``, or it is far larger than those before it.
        """
        check_header(header, size=size, max_pixels=self._max_pixels)
        pixels = header.width * header.height
        if len(self._seen) >= self.SEEN_BEFORE:
            usual = median_low(self._seen)
            if pixels > self.TIMES_MEDIAN * usual and not self._accepts(
                (header.width, header.height)
            ):
                raise ImageError(
                    f'{header}, expected at most {self.TIMES_MEDIAN} times the {usual} pixels of '
                    f'the images before it; it is accepted after {self.IN_A_ROW} in a row'
                )
        self._seen.append(pixels)

    def _accepts(self, resolution: tuple[int, int]) -> bool:
        self._in_a_row = self._in_a_row + 1 if resolution == self._refused else 1
        self._refused = resolution
        if self._in_a_row < self.IN_A_ROW:
            return False
        self._seen.clear()
        return True


def compressed_to_frame(
    message: CompressedImage, *, limit: SizeLimit, sample_range: SampleRange | None = None
) -> Frame:
    """
    Turn a JPEG or PNG into a frame: bgr8, or mono8 when the image is gray.

    The orientation that EXIF may claim is ignored, because boxes are in pixels of the sensor.

    :param limit: on the size; of this camera.
    :param sample_range: reduces samples of 16 bits; None takes their upper byte.
    :raises ImageError: neither JPEG nor PNG, too large, damaged, not complete, or a depth image.
    """
    source = message.format.split(';')[0].strip()
    if source in DEPTH_ENCODINGS or 'compresseddepth' in message.format.lower():
        raise ImageError(
            f'format: got {reprlib.repr(message.format)}, which holds distances, expected a '
            'color or gray image; subscribe to the color topic of the camera'
        )
    data = bytes(message.data)
    header = read_header(data, message.format)
    limit.check(header, size=len(data))
    image = _decode(data, header, sample_range or SampleRange())
    if header.gray and source.startswith('bayer_') and source in ENCODINGS:
        check_size(source, width=header.width, height=header.height)
        image = to_pixels(image, ENCODINGS[source])
    return Frame(
        image=image,
        encoding='mono8' if image.ndim == 2 else 'bgr8',
        stamp_ns=stamp_ns(message.header),
        frame_id=message.header.frame_id,
    )


def _decode(data: bytes, header: ImageHeader, sample_range: SampleRange) -> Pixels:
    color = cv2.IMREAD_GRAYSCALE if header.gray else cv2.IMREAD_COLOR
    flags = color | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    image: Any
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None or image.shape[:2] != (header.height, header.width):
        raise ImageError(
            f'{header.kind} image: got {len(data)} bytes that cannot be decoded, expected '
            f'{header.width}x{header.height} pixels; check the camera driver and the network'
        )
    if header.kind == 'jpeg':
        _check_all_sent(image, header)
    return cast(Pixels, image if image.dtype == np.uint8 else sample_range.to_8_bits(image))


def _check_all_sent(image: Any, header: ImageHeader) -> None:
    """Refuse a JPEG whose scan stops early: its lower part is exactly gray, the rest is not."""
    if not (image[-_BLOCK:] == _NOT_SENT).all() or (image == _NOT_SENT).all():
        return
    empty = (image == _NOT_SENT).all(axis=tuple(range(1, image.ndim)))
    missing = int(np.argmin(empty[::-1]))
    raise ImageError(
        f'{header} of which the lower {missing} rows were not sent, expected a complete image; '
        'check the camera driver and the network'
    )
