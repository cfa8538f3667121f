# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Strategies of Hypothesis for messages that no camera and no tool should send, by a seed."""

from __future__ import annotations

from array import array
import struct
from typing import Any
import zlib

from builtin_interfaces.msg import Time
import cv2
import hypothesis
from hypothesis import HealthCheck
from hypothesis import Phase
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
from rcl_interfaces.msg import Parameter
from rcl_interfaces.msg import ParameterValue
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from edge_perception.ros.input.raw_images import ENCODINGS
from edge_perception.simulation.nodes.playback_camera import noise

# A valid change of these would rightly silence a camera, or write files elsewhere.
KEPT = ('latency_budget_ms', 'save_folder', 'use_sim_time')
TOO_MANY = 10_000

int32 = st.integers(-(2**31), 2**31 - 1)
uint32 = st.integers(0, 2**32 - 1)
words = st.text(st.characters(codec='utf-8', exclude_characters='\0'), max_size=40)
long_words = st.sampled_from(['', 'camera', '\x1b[2J', 'c' * 257, 'c' * 1_000_000])
headers = st.builds(
    Header,
    stamp=st.builds(Time, sec=int32, nanosec=uint32),
    frame_id=long_words,
)
data = st.sampled_from([0, 1, 9216, 921_600, 6_220_800]).map(lambda size: array('B', bytes(size)))
images = st.builds(
    Image,
    header=headers,
    width=st.sampled_from([0, 1, 64, 640, 1920, 2**31, 2**32 - 1]),
    height=st.sampled_from([0, 1, 48, 480, 1080, 2**32 - 1]),
    step=st.sampled_from([0, 1, 192, 1920, 5760]) | uint32,
    encoding=st.sampled_from([*ENCODINGS, '16UC1', '32FC1']) | words,
    is_bigendian=st.sampled_from([0, 1, 255]),
    data=data,
)
numbers = st.floats(width=64)
infos = st.builds(
    CameraInfo,
    header=headers,
    width=uint32,
    height=uint32,
    distortion_model=words,
    d=st.lists(numbers, max_size=20),
    k=st.lists(numbers, min_size=9, max_size=9),
    r=st.lists(numbers, min_size=9, max_size=9),
    p=st.lists(numbers, min_size=12, max_size=12),
    binning_x=uint32,
)
clocks = st.builds(Clock, clock=st.builds(Time, sec=int32, nanosec=uint32))


def compressed_images() -> st.SearchStrategy[CompressedImage]:
    """Return damaged JPEG and PNG images, bombs among them."""
    picture, flat = noise(640, 480), np.zeros((480, 640, 3), np.uint8)
    jpeg, png = (cv2.imencode(kind, picture)[1].tobytes() for kind in ('.jpg', '.png'))
    scans = cv2.imencode('.jpg', flat, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    scan, size = scans.find(b'\xff\xda'), jpeg.find(b'\xff\xc0') + 5
    huge = struct.pack('>HH', 60_000, 60_000)
    bombs = [
        b'\xff\xd8\xff\xd0' + jpeg[2:size] + huge + jpeg[size + 4 :],
        jpeg[:size] + huge + jpeg[size + 4 :],
        scans[:scan] + scans[scan:-2] * 300 + b'\xff\xd9',
        png_bomb(7000),
    ]
    cut = st.builds(
        lambda image, end: image[: len(image) * end // 1000],
        st.sampled_from([jpeg, png, scans]),
        st.integers(0, 1000),
    )
    flipped = st.builds(
        _flipped,
        st.sampled_from([jpeg, png, scans]),
        st.lists(st.tuples(st.integers(0, 999), st.integers(0, 255)), min_size=1, max_size=20),
    )
    return st.builds(
        CompressedImage,
        header=headers,
        format=st.sampled_from(['jpeg', 'png', 'bayer_rggb8; jpeg', '16UC1; png']) | words,
        data=(st.sampled_from(bombs) | cut | flipped | st.binary()).map(lambda b: array('B', b)),
    )


def png_bomb(side: int) -> bytes:
    """Return a square PNG of four times 16 bits for each pixel, all zero, in a few kB."""
    row = bytes(1 + 8 * side)
    packed = zlib.compressobj(9)
    body = b''.join(packed.compress(row) for _ in range(side)) + packed.flush()
    parts = (
        (b'IHDR', struct.pack('>IIBBBBB', side, side, 16, 6, 0, 0, 0)),
        (b'IDAT', body),
        (b'IEND', b''),
    )
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(part)) + name + part + struct.pack('>I', zlib.crc32(name + part))
        for name, part in parts
    )


def parameters(names: list[str]) -> st.SearchStrategy[list[Parameter]]:
    """Return what the parameters of requests are set to, of any type and none."""
    values = st.builds(
        ParameterValue,
        type=st.integers(0, 255) | st.integers(0, 9),
        bool_value=st.booleans(),
        integer_value=st.integers(-(2**63), 2**63 - 1),
        double_value=numbers,
        string_value=words | long_words,
        integer_array_value=st.lists(st.integers(-9, 9), max_size=9),
        double_array_value=st.lists(numbers, max_size=9),
        string_array_value=st.lists(words, max_size=9),
    )
    changes = st.builds(Parameter, name=st.sampled_from(names) | words, value=values)
    harmless = changes.filter(lambda each: not each.name.endswith(KEPT))
    requests = st.lists(harmless, min_size=1, max_size=5)
    small = harmless.filter(lambda each: len(each.value.string_value) < TOO_MANY)
    return requests | small.map(lambda each: [each] * TOO_MANY)


def drawn(strategy: st.SearchStrategy[Any], *, seed: int, count: int) -> list[Any]:
    """Return examples of a strategy; the same for the same seed."""
    found: list[Any] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(strategy)
    def draw(value: Any) -> None:
        found.append(value)

    draw()
    return found


def _flipped(image: bytes, places: list[tuple[int, int]]) -> bytes:
    changed = bytearray(image)
    for place, value in places:
        changed[place * len(image) // 1000] = value
    return bytes(changed)
