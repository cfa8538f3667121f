# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Raw ROS images to frames.

Nothing in a message is believed: an image whose size, step and data disagree is an ``ImageError``,
and no byte outside of the data is read. Two liberties are given to camera drivers:

* the last row may lack its padding;
* up to ``MAX_SURPLUS_ROWS`` rows may follow the image, because capture hardware rounds its buffers
  up to whole blocks of rows. Not for nv12 and nv21, where the colors would lie somewhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
import reprlib
from typing import Any
from typing import cast

from builtin_interfaces.msg import Time
import cv2
import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.contract.fields import did_you_mean
from edge_perception.contract.fields import MAX_NAME_BYTES
from edge_perception.runtime.sample_range import SampleRange

# More data than this behind an image means that its height is wrong.
MAX_SURPLUS_ROWS = 64

# What REP 118 uses for distances: no picture, though the numbers could be read as one.
DEPTH_ENCODINGS = ('16UC1', '32FC1')

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Encoding:
    """
    How the pixels of one encoding lie in memory, and what they become.

    :param channels: samples of one pixel within a row.
    :param result: encoding of the frame.
    :param conversion: code for ``cv2.cvtColor``; None where samples are pixels already.
    :param sample_bytes: 1 or 2; 16-bit samples become 8 bits as a ``SampleRange`` says.
    :param block: width and height must be multiples of these.
    :param smallest: least width and height.
    :param half_planes: half as many rows of color follow the rows of brightness.
    """

    channels: int
    result: str = 'bgr8'
    conversion: int | None = None
    sample_bytes: int = 1
    block: tuple[int, int] = (1, 1)
    smallest: int = 1
    half_planes: bool = False


def _mosaic(conversion: int, sample_bytes: int = 1) -> Encoding:
    # Below 3x3 OpenCV gives a black picture.
    return Encoding(1, conversion=conversion, sample_bytes=sample_bytes, smallest=3)


# YUV is read as BT.601 in video range, which is what OpenCV offers.
_UYVY = Encoding(2, conversion=cv2.COLOR_YUV2BGR_UYVY, block=(2, 1))
_YUYV = Encoding(2, conversion=cv2.COLOR_YUV2BGR_YUY2, block=(2, 1))
_NV12 = Encoding(1, conversion=cv2.COLOR_YUV2BGR_NV12, block=(2, 2), half_planes=True)
_NV21 = Encoding(1, conversion=cv2.COLOR_YUV2BGR_NV21, block=(2, 2), half_planes=True)
_BGR8 = Encoding(3)
_BGRA8 = Encoding(4, conversion=cv2.COLOR_BGRA2BGR)
_MONO8 = Encoding(1, 'mono8')

# Names are those of sensor_msgs/image_encodings.hpp, and yuy2, which some drivers write for yuyv.
# The 8UC names say nothing of color; they are OpenCV's, so they are read in OpenCV's order.
# Mosaics: ROS names two pixels of the first row and two of the second, OpenCV the second and third
# pixel of the second row, hence the crosswise codes.
ENCODINGS = {
    'bgr8': _BGR8,
    'rgb8': Encoding(3, 'rgb8'),
    'mono8': _MONO8,
    'bgra8': _BGRA8,
    'rgba8': Encoding(4, conversion=cv2.COLOR_RGBA2BGR),
    'mono16': Encoding(1, 'mono8', sample_bytes=2),
    'bgr16': Encoding(3, sample_bytes=2),
    'rgb16': Encoding(3, 'rgb8', sample_bytes=2),
    '8UC1': _MONO8,
    '8UC3': _BGR8,
    '8UC4': _BGRA8,
    'uyvy': _UYVY,
    'yuv422': _UYVY,
    'yuyv': _YUYV,
    'yuy2': _YUYV,
    'yuv422_yuy2': _YUYV,
    'nv12': _NV12,
    'nv21': _NV21,
    'bayer_rggb8': _mosaic(cv2.COLOR_BayerBG2BGR),
    'bayer_bggr8': _mosaic(cv2.COLOR_BayerRG2BGR),
    'bayer_gbrg8': _mosaic(cv2.COLOR_BayerGR2BGR),
    'bayer_grbg8': _mosaic(cv2.COLOR_BayerGB2BGR),
    'bayer_rggb16': _mosaic(cv2.COLOR_BayerBG2BGR, 2),
    'bayer_bggr16': _mosaic(cv2.COLOR_BayerRG2BGR, 2),
    'bayer_gbrg16': _mosaic(cv2.COLOR_BayerGR2BGR, 2),
    'bayer_grbg16': _mosaic(cv2.COLOR_BayerGB2BGR, 2),
}


def image_to_frame(message: Image, *, sample_range: SampleRange | None = None) -> Frame:
    """
    Turn a raw image into a frame.

    Without padding the pixels of bgr8, rgb8 and mono8 stay where they are: the frame is a
    read-only view that keeps ``message.data`` alive. All else is converted into new memory.

    :param sample_range: reduces samples of 16 bits; None takes their upper byte.
    :raises ImageError: unknown encoding, no pixels, or size, step and data that disagree.
    """
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        raise ImageError(_unknown_encoding(message.encoding))
    check_size(message.encoding, width=message.width, height=message.height)
    _check_layout(message, encoding)
    return Frame(
        image=to_pixels(_samples(message, encoding, sample_range or SampleRange()), encoding),
        encoding=encoding.result,
        stamp_ns=stamp_ns(message.header),
        frame_id=message.header.frame_id,
    )


def check_frame_id(frame_id: str) -> None:
    """
    Refuse a name that every object of a result would carry: 1 MB, 139 times, took 2.7 GB.

    :raises ImageError: it is longer than any name.
    """
    if len(frame_id.encode(errors='replace')) > MAX_NAME_BYTES:
        raise ImageError(
            f'header.frame_id: got {len(frame_id)} characters, expected at most {MAX_NAME_BYTES} '
            'bytes; check the camera driver'
        )


def stamp_ns(header: Header) -> int:
    """Return the stamp of a header in nanoseconds."""
    return nanoseconds(header.stamp)


def nanoseconds(time: Time) -> int:
    """Return a time of a message in nanoseconds."""
    return int(time.sec) * 1_000_000_000 + int(time.nanosec)


def check_size(name: str, *, width: int, height: int) -> None:
    """
    Check that an image of this size can exist in this encoding.

    :param name: a key of ``ENCODINGS``.
    :raises ImageError: when it cannot.
    """
    encoding = ENCODINGS[name]
    if min(width, height) < encoding.smallest:
        expected = f'at least {encoding.smallest}x{encoding.smallest}'
    elif width % encoding.block[0]:
        expected = 'an even width'
    elif height % encoding.block[1]:
        expected = 'an even height'
    else:
        return
    raise ImageError(
        f'size: got {width}x{height} pixels of {name}, expected {expected}; '
        'check the camera driver'
    )


def to_pixels(samples: npt.NDArray[Any], encoding: Encoding) -> Pixels:
    """
    Convert samples to the pixels of a frame.

    :param samples: uint8, (rows, columns, channels) or (rows, columns).
    :return: C-contiguous; ``samples`` itself where nothing has to change.
    :raises ImageError: OpenCV refused.
    """
    if encoding.conversion is None:
        return np.ascontiguousarray(samples)
    try:
        return cast(Pixels, cv2.cvtColor(samples, encoding.conversion))
    except cv2.error as error:
        raise ImageError(f'image: cannot be converted to bgr8: {error.err}') from error


def _unknown_encoding(name: str) -> str:
    shown = reprlib.repr(name)
    if name in DEPTH_ENCODINGS:
        return (
            f'encoding: got {shown}, which holds distances (REP 118), expected a color or gray '
            'picture; subscribe to the color topic of the camera'
        )
    hint = did_you_mean(name.lower(), ENCODINGS) if len(name) < 20 else ''
    return f'encoding: got {shown}, expected one of ' + ', '.join(ENCODINGS) + hint


def _rows(message: Image, encoding: Encoding) -> int:
    return message.height * 3 // 2 if encoding.half_planes else message.height


def _check_layout(message: Image, encoding: Encoding) -> None:
    row_bytes = message.width * encoding.channels * encoding.sample_bytes
    if message.step < row_bytes:
        raise ImageError(
            f'step: got {message.step} bytes, expected at least {row_bytes} for '
            f'{message.width} pixels of {message.encoding}; check the camera driver'
        )
    rows = _rows(message, encoding)
    least = message.step * (rows - 1) + row_bytes
    most = message.step * (rows if encoding.half_planes else rows + MAX_SURPLUS_ROWS)
    if not least <= len(message.data) <= most:
        raise ImageError(
            f'data: got {len(message.data)} bytes, expected {message.step * rows} for '
            f'{message.width}x{message.height} {message.encoding} with step {message.step}; '
            'check the camera driver'
        )


def _samples(message: Image, encoding: Encoding, sample_range: SampleRange) -> npt.NDArray[Any]:
    rows, columns, channels = _rows(message, encoding), message.width, encoding.channels
    kind = {1: 'u1', 2: '>u2' if message.is_bigendian else '<u2'}[encoding.sample_bytes]
    # NumPy checks once more that the view does not leave the data.
    samples: npt.NDArray[Any] = np.ndarray(
        (rows, columns * channels),
        kind,
        buffer=message.data,
        strides=(message.step, encoding.sample_bytes),
    )
    samples.flags.writeable = False
    if encoding.sample_bytes == 2:
        samples = sample_range.to_8_bits(samples)
    return samples.reshape((rows, columns) if channels == 1 else (rows, columns, channels))
