# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Read photographs, videos and recordings without a pad from a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_perception.simulation.rendering.textures import Picture
from edge_perception.tooling.frame_sources import is_shown
from edge_perception.tooling.frame_sources import source_of

# Every n-th frame of a video; neighbors are nearly equal.
FRAME_STEP = 3
LARGEST_SIDE = 1280


def photographs(folder: Path) -> Iterator[tuple[str, Picture]]:
    """
    Yield every image below a folder.

    :return: kind of the source, and uint8 (height, width, 3), BGR. Each still image comes in two
        sizes, whole and as its center, turned over.
    :raises ImageError: a file cannot be read.
    """
    for path in filter(is_shown, sorted(folder.rglob('*'))):
        source = source_of(path)
        for _, frame in source.frames(every=FRAME_STEP, limit=None):
            if source.moving:
                yield 'videos', frame.image
                continue
            yield 'photographs', _bounded(frame.image)
            rows, columns = frame.height // 4, frame.width // 4
            center = frame.image[rows:-rows, columns:-columns]
            yield 'photographs', np.ascontiguousarray(center[::-1, ::-1])
    for bag in sorted({path.parent for path in folder.rglob('metadata.yaml')}):
        yield from _bag(bag)


def _bounded(image: Picture) -> Picture:
    scale = LARGEST_SIDE / max(image.shape[:2])
    if scale >= 1:
        return image
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _bag(folder: Path) -> Iterator[tuple[str, Picture]]:
    from rosbags.highlevel import AnyReader
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores

    with AnyReader([folder], default_typestore=get_typestore(Stores.ROS2_HUMBLE)) as reader:
        for connection, _, data in reader.messages():
            if connection.msgtype == 'sensor_msgs/msg/CompressedImage':
                message: Any = reader.deserialize(data, connection.msgtype)
                image = cv2.imdecode(np.asarray(message.data), cv2.IMREAD_COLOR)
                if image is not None:
                    yield 'recordings', _bounded(np.asarray(image, np.uint8))
