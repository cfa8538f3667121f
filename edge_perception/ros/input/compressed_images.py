# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Compressed ROS images, JPEG and PNG, to frames.

What a picture is, its own first bytes say; drivers fill the field ``format`` in many ways. Of that
field only the encoding of the source is used: distances are refused, mosaics are converted.

The size is read from the header of the picture before anything is decoded, so that a small message
cannot claim gigabytes. A picture without its end is refused, because OpenCV 4.6 makes a whole
picture of half a JPEG. A JPEG that was damaged in the middle cannot be told from a good one.
"""

from __future__ import annotations

from dataclasses import dataclass
import reprlib
import struct
from typing import Any
from typing import cast

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage

from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.ros.input.raw_images import check_size
from edge_perception.ros.input.raw_images import DEPTH_ENCODINGS
from edge_perception.ros.input.raw_images import ENCODINGS
from edge_perception.ros.input.raw_images import Pixels
from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.input.raw_images import to_pixels

# ITU-T T.81, table B.1.
_JPEG_START = b'\xff\xd8\xff'
_JPEG_END = b'\xff\xd9'
_JPEG_FRAME_MARKERS = frozenset(range(0xFFC0, 0xFFD0)) - {0xFFC4, 0xFFC8, 0xFFCC}
# Far above the 255 segments that one color profile may take.
_MAX_JPEG_SEGMENTS = 1000

# W3C Portable Network Graphics, sections 5.2 and 11.2.
_PNG_START = b'\x89PNG\r\n\x1a\n'
_PNG_END = b'IEND\xaeB`\x82'
_PNG_GRAY_TYPES = (0, 4)


@dataclass(frozen=True, slots=True)
class _Picture:
    """What the header of a compressed picture says."""

    kind: str
    width: int
    height: int
    gray: bool
    complete: bool


def compressed_to_frame(message: CompressedImage, *, max_pixels: int) -> Frame:
    """
    Turn a JPEG or PNG into a frame: bgr8, or mono8 when the picture is gray.

    The orientation that EXIF may claim is ignored, because boxes are in pixels of the sensor. Of
    16-bit PNG the upper byte is used, as in raw images.

    :param max_pixels: a picture with more, as width times height, is not decoded.
    :raises ImageError: neither JPEG nor PNG, too large, damaged, not complete, or a depth image.
    """
    source = message.format.split(';')[0].strip()
    if source in DEPTH_ENCODINGS or 'compresseddepth' in message.format.lower():
        raise ImageError(
            f'format: got {reprlib.repr(message.format)}, which holds distances, expected a '
            'color or gray picture; subscribe to the color topic of the camera'
        )
    data = bytes(message.data)
    picture = _read_header(data, message.format)
    _check(picture, size=len(data), max_pixels=max_pixels)
    image = _decode(data, picture)
    if picture.gray and source.startswith('bayer_') and source in ENCODINGS:
        check_size(source, width=picture.width, height=picture.height)
        image = to_pixels(image, ENCODINGS[source])
    return Frame(
        image=image,
        encoding='mono8' if image.ndim == 2 else 'bgr8',
        stamp_ns=stamp_ns(message.header),
        frame_id=message.header.frame_id,
    )


def _read_header(data: bytes, described_as: str) -> _Picture:
    try:
        if data.startswith(_JPEG_START):
            return _read_jpeg_header(data)
        if data.startswith(_PNG_START):
            return _read_png_header(data)
    except struct.error:
        raise ImageError(
            f'picture: got {len(data)} bytes that end or break within the header; '
            'check the camera driver and the network'
        ) from None
    raise ImageError(
        f'picture: got {len(data)} bytes that are neither jpeg nor png, format '
        f'{reprlib.repr(described_as)}, expected jpeg or png; '
        'set the camera driver to one of them'
    )


def _read_jpeg_header(data: bytes) -> _Picture:
    position = 2
    for _ in range(_MAX_JPEG_SEGMENTS):
        (marker,) = struct.unpack_from('>H', data, position)
        if marker == 0xFFFF:  # any number of fill bytes may stand before a marker
            position += 1
            continue
        length, _, height, width, components = struct.unpack_from('>HBHHB', data, position + 2)
        if marker in _JPEG_FRAME_MARKERS:
            # Searched behind the frame header, because a thumbnail in EXIF has an end as well.
            complete = data.rfind(_JPEG_END, position) >= 0
            return _Picture('jpeg', width, height, gray=components == 1, complete=complete)
        if marker < 0xFF00 or length < 2:
            break
        position += 2 + length
    raise struct.error


def _read_png_header(data: bytes) -> _Picture:
    name, width, height, _, color_type = struct.unpack_from('>4sIIBB', data, len(_PNG_START) + 4)
    if name != b'IHDR':
        raise struct.error
    return _Picture(
        'png', width, height, gray=color_type in _PNG_GRAY_TYPES, complete=_PNG_END in data
    )


def _check(picture: _Picture, *, size: int, max_pixels: int) -> None:
    what = f'{picture.kind} picture: got {picture.width}x{picture.height} pixels'
    if not picture.width or not picture.height:
        raise ImageError(f'{what}, expected at least 1x1; check the camera driver')
    if picture.width * picture.height > max_pixels:
        raise ImageError(
            f'{what}, expected at most {max_pixels} in all; '
            'lower the resolution of the camera or raise max_image_megapixels'
        )
    if not picture.complete:
        raise ImageError(
            f'{what} in {size} bytes without an end, expected a complete picture; '
            'check the camera driver and the network'
        )


def _decode(data: bytes, picture: _Picture) -> Pixels:
    color = cv2.IMREAD_GRAYSCALE if picture.gray else cv2.IMREAD_COLOR
    flags = color | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    image: Any
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None or image.shape[:2] != (picture.height, picture.width):
        raise ImageError(
            f'{picture.kind} picture: got {len(data)} bytes that cannot be decoded, expected '
            f'{picture.width}x{picture.height} pixels; check the camera driver and the network'
        )
    return cast(Pixels, image if image.dtype == np.uint8 else (image >> 8).astype(np.uint8))
