# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Photographs, frames of videos and images of recordings: everything in a folder without a pad."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_perception.simulation.rendering.textures import Picture

PICTURES = ('.jpg', '.jpeg', '.png', '.bmp')
VIDEOS = ('.mp4',)
# Of a video every so many frames; neighbors are all but equal.
FRAME_STEP = 3
LARGEST_SIDE = 1280


def photographs(folder: Path) -> Iterator[tuple[str, Picture]]:
    """
    Yield every picture below a folder.

    :return: kind of the source, and uint8 (height, width, 3), BGR. Each still picture comes in two
        sizes, whole and as its center, turned over.
    """
    for path in sorted(folder.rglob('*')):
        if path.suffix.lower() in PICTURES:
            picture: Any = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if picture is None:
                raise SystemExit(f'{path}: cannot be read as a picture')
            picture = np.asarray(picture, np.uint8)
            yield 'photographs', _bounded(picture)
            height, width = picture.shape[:2]
            center = picture[height // 4 : -height // 4, width // 4 : -width // 4]
            yield 'photographs', np.ascontiguousarray(center[::-1, ::-1])
        elif path.suffix.lower() in VIDEOS:
            yield from _video(path)
    for bag in sorted({path.parent for path in folder.rglob('metadata.yaml')}):
        yield from _bag(bag)


def _bounded(picture: Picture) -> Picture:
    scale = LARGEST_SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _video(path: Path) -> Iterator[tuple[str, Picture]]:
    capture = cv2.VideoCapture(str(path))
    index = 0
    while True:
        more, frame = capture.read()
        if not more:
            break
        if index % FRAME_STEP == 0:
            yield 'videos', np.asarray(frame, np.uint8)
        index += 1
    if index == 0:
        raise SystemExit(f'{path}: cannot be read as a video')


def _bag(folder: Path) -> Iterator[tuple[str, Picture]]:
    from rosbags.highlevel import AnyReader
    from rosbags.typesys import get_typestore
    from rosbags.typesys import Stores

    with AnyReader([folder], default_typestore=get_typestore(Stores.ROS2_HUMBLE)) as reader:
        for connection, _, data in reader.messages():
            if connection.msgtype == 'sensor_msgs/msg/CompressedImage':
                message: Any = reader.deserialize(data, connection.msgtype)
                picture = cv2.imdecode(np.asarray(message.data), cv2.IMREAD_COLOR)
                if picture is not None:
                    yield 'recordings', _bounded(np.asarray(picture, np.uint8))
