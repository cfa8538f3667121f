# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Make messages of images."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from std_msgs.msg import Header


def image_message(
    pixels: npt.NDArray[Any], *, encoding: str, header: Header | None = None
) -> Image:
    """
    Return an image without padding between its rows.

    :param pixels: (height, width) or (height, width, channels), of the type that the encoding
        names; copied.
    :param header: None for an empty one.
    """
    height, width = pixels.shape[:2]
    message = Image(height=height, width=width, encoding=encoding)
    message.step = pixels[0].nbytes if height else 0
    if header is not None:
        message.header = header
    message.data = octets(pixels)
    return message


def compressed_image_message(
    data: bytes | npt.NDArray[np.uint8], *, format_: str = 'jpeg', header: Header | None = None
) -> CompressedImage:
    """
    Return a compressed image.

    :param data: the file, bytes or uint8 of any shape; copied.
    :param format_: as the field ``format`` has it, e.g. ``bgr8; jpeg compressed bgr8``.
    :param header: None for an empty one.
    """
    message = CompressedImage(format=format_)
    if header is not None:
        message.header = header
    message.data = octets(np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data)
    return message


def octets(values: npt.NDArray[Any]) -> array[int]:
    """
    Return bytes for a field of a message.

    Anything else assigned to it, bytes and an array of NumPy alike, is checked element by element
    where rclpy checks fields, as it always does in Humble: 55 ms for an image.

    :param values: of any shape; copied.
    """
    data = array('B')
    data.frombytes(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    return data
