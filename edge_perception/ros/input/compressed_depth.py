# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Depth images of compressed_depth_image_transport: PNG or RVL behind a header of 12 bytes.

RVL: A. Wilson, Fast Lossless Depth Image Compression, ISS 2017. Numbers of 3 bits a nibble, the
fourth says that more follow: how many zeros, how many others, and the differences of the others.
"""

from __future__ import annotations

import reprlib
import struct

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.contract import ImageError
from edge_perception.contract import Tensor
from edge_perception.ros.input.image_header import check_header
from edge_perception.ros.input.image_header import read_header

Numbers = npt.NDArray[np.int64]

# What compresses so well that a small message claims more is no depth image of a camera.
MAX_PIXELS = 50_000_000
_NIBBLES = np.arange(28, -1, -4, dtype=np.uint32)
_ADVICE = 'check the camera driver and the network'


def decode_depth(description: str, data: bytes) -> tuple[Tensor, str]:
    """
    Return a new array of uint16 or float32, (height, width), and its encoding.

    :param description: the field format of the message: ``16UC1; compressedDepth rvl``.
    :raises ImageError: another format, or data that is damaged or not complete.
    """
    encoding, _, rest = (each.strip() for each in description.partition(';'))
    method = rest.removeprefix('compressedDepth').strip() or 'png'
    if encoding not in ('16UC1', 'mono16', '32FC1') or method not in ('png', 'rvl'):
        raise ImageError(
            f'format: got {reprlib.repr(description)}, expected 16UC1 or 32FC1; compressedDepth '
            'png or rvl; set the publisher to one of them'
        )
    if len(data) < 20:
        raise ImageError(f'data: got {len(data)} bytes, expected a depth image; {_ADVICE}')
    _, scale, offset = struct.unpack_from('<iff', data)
    values = (_png if method == 'png' else _rvl)(data[12:])
    if encoding != '32FC1':
        return values, encoding
    # Inverse depth in 65535 steps; 0 is no distance.
    steps = np.where(values, values.astype(np.float32) - np.float32(offset), np.nan)
    with np.errstate(divide='ignore'):
        return (np.float32(scale) / steps).astype(np.float32), encoding


def _png(data: bytes) -> Tensor:
    header = read_header(data, 'compressedDepth png')
    check_header(header, size=len(data), max_pixels=MAX_PIXELS)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype != np.uint16 or image.shape != (header.height, header.width):
        raise ImageError(f'{header} that are no distances of 16 bits; {_ADVICE}')
    return image


def _rvl(data: bytes) -> Tensor:
    width, height = struct.unpack_from('<II', data)
    numbers = _numbers(np.frombuffer(data, '<u4', offset=8, count=(len(data) - 8) // 4))
    runs, at, left = list[list[int]](), 0, width * height
    while 0 < left <= MAX_PIXELS and at + 1 < len(numbers):
        runs.append(numbers[at : at + 2].tolist())
        at, left = at + 2 + runs[-1][1], left - sum(runs[-1])
    if left or not runs or at > len(numbers):
        raise ImageError(f'rvl: got {len(data)} bytes that are not {width}x{height}; {_ADVICE}')
    lengths = np.array(runs)
    coded = numbers[:at][_alternating(np.insert(lengths[:, 1:], 0, 2, axis=1))]
    image = np.zeros(width * height, np.uint16)
    image[_alternating(lengths)] = np.cumsum((coded >> 1) ^ -(coded & 1)).astype(np.uint16)
    return image.reshape(height, width)


def _alternating(lengths: Numbers) -> npt.NDArray[np.bool_]:
    """Return runs of False and True of lengths (N, 2)."""
    return np.repeat(np.tile([False, True], len(lengths)), lengths.ravel())


def _numbers(words: npt.NDArray[np.uint32]) -> Numbers:
    """Return what words hold: digits of 3 bits, the lowest first; the last is a nibble below 8."""
    nibbles = ((words[:, None] >> _NIBBLES) & 15).ravel().astype(np.int64)
    ends = np.flatnonzero(nibbles < 8)
    lengths = np.diff(ends, prepend=-1)
    if not 0 < lengths.max(initial=0) < 12:
        raise ImageError(f'rvl: got data that is no depth image; {_ADVICE}')
    starts = ends + 1 - lengths
    digits = np.arange(ends[-1] + 1) - np.repeat(starts, lengths)
    return np.add.reduceat((nibbles[: len(digits)] & 7) << (3 * digits), starts)
