# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Depth images of compressed_depth_image_transport, written here as it writes them."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from edge_perception.contract import ImageError
from edge_perception.ros.input.compressed_depth import decode_depth

# From depth_quantization 100 and depth_max 10, as the publisher computes them.
SCALE, OFFSET = 100 * 101.0, 1 - 100 * 101.0 / 10


def rvl(image: np.ndarray) -> bytes:
    """Encode number by number, after the description of the method."""
    numbers, flat, at, previous = [], image.ravel().astype(int).tolist(), 0, 0
    while at < len(flat):
        begin = at
        while at < len(flat) and not flat[at]:
            at += 1
        numbers.append(at - begin)
        begin = at
        while at < len(flat) and flat[at]:
            at += 1
        numbers.append(at - begin)
        for value in flat[begin:at]:
            delta, previous = value - previous, value
            numbers.append(2 * delta if delta >= 0 else -2 * delta - 1)
    nibbles = []
    for number in numbers:
        while True:
            number, low = number >> 3, number & 7
            nibbles.append(low | (8 if number else 0))
            if not number:
                break
    nibbles += [0] * (-len(nibbles) % 8)
    words = [
        int(''.join(f'{n:x}' for n in nibbles[i : i + 8]), 16) for i in range(0, len(nibbles), 8)
    ]
    return struct.pack(f'<II{len(words)}I', image.shape[1], image.shape[0], *words)


def png(image: np.ndarray) -> bytes:
    return cv2.imencode('.png', image)[1].tobytes()


def message(image: np.ndarray, method: str) -> bytes:
    return struct.pack('<iff', 0, SCALE, OFFSET) + {'png': png, 'rvl': rvl}[method](image)


def depth(seed: int, holes: float) -> np.ndarray:
    random = np.random.default_rng(seed)
    image = random.integers(1, 65536, (37, 53)).astype(np.uint16)
    image[random.random(image.shape) < holes] = 0
    return image


@pytest.mark.parametrize('holes', [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    ('method', 'description'),
    [
        ('png', '16UC1; compressedDepth'),
        ('png', '16UC1; compressedDepth png'),
        ('rvl', '16UC1; compressedDepth rvl'),
        ('rvl', 'mono16; compressedDepth rvl'),
    ],
)
def test_distances_of_16_bits_come_back(method, description, holes):
    image = depth(1, holes)
    got, encoding = decode_depth(description, message(image, method))
    np.testing.assert_array_equal(got, image)
    assert got.dtype == np.uint16 and encoding == description.split(';')[0]


def test_a_smooth_image_comes_back():
    image = np.fromfunction(lambda y, x: 1000 + x + 2 * y, (480, 640)).astype(np.uint16)
    np.testing.assert_array_equal(
        decode_depth('16UC1; compressedDepth rvl', message(image, 'rvl'))[0], image
    )


@pytest.mark.parametrize('method', ['png', 'rvl'])
def test_inverse_distances_become_meters(method):
    meters = np.array([[0.5, 1.0, 3.0, 9.0, np.nan, np.inf]])
    steps = np.where(meters < 10, SCALE / meters + OFFSET, 0).astype(np.uint16)
    got, encoding = decode_depth(f'32FC1; compressedDepth {method}', message(steps, method))
    assert encoding == '32FC1' and got.dtype == np.float32
    np.testing.assert_allclose(got[0, :4], meters[0, :4], rtol=0.01)
    assert np.isnan(got[0, 4:]).all()


@pytest.mark.parametrize(
    ('description', 'data'),
    [
        ('16UC1; compressedDepth jpeg', message(depth(1, 0), 'png')),
        ('bgr8; jpeg compressed bgr8', message(depth(1, 0), 'png')),
        ('16UC1; compressedDepth', b''),
        ('16UC1; compressedDepth', message(depth(1, 0), 'png')[:-20]),
        ('16UC1; compressedDepth', message(depth(1, 0), 'rvl')),
        ('16UC1; compressedDepth', bytes(12) + png(np.zeros((9, 9, 3), np.uint8))),
        ('16UC1; compressedDepth rvl', message(depth(1, 0), 'png')),
        ('16UC1; compressedDepth rvl', message(depth(1, 0), 'rvl')[:-8]),
        (
            '16UC1; compressedDepth rvl',
            bytes(12) + b'\xff' * 64,
        ),
        ('16UC1; compressedDepth rvl', bytes(12) + struct.pack('<II', 0, 0) + bytes(64)),
        ('16UC1; compressedDepth rvl', bytes(12) + struct.pack('<II', 64, 64) + b'\xff' * 64),
        ('16UC1; compressedDepth rvl', bytes(12) + struct.pack('<II', 64, 64) + bytes(64)),
    ],
)
def test_what_is_damaged_is_refused(description, data):
    with pytest.raises(ImageError):
        decode_depth(description, data)


def test_no_byte_makes_it_fail_otherwise():
    good = message(depth(1, 0.3), 'rvl')
    random = np.random.default_rng(3)
    for _ in range(200):
        damaged = bytearray(good)
        for at in random.integers(0, len(good), 4):
            damaged[at] = random.integers(0, 256)
        try:
            got, _ = decode_depth('16UC1; compressedDepth rvl', bytes(damaged))
        except ImageError:
            continue
        assert got.ndim == 2
