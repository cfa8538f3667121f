# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of the demonstration: a video of what was perceived, and the best moment of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import ExitStack
import math
from pathlib import Path
from typing import Any
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge_perception.cli.output.drawn_images import CODEC
from edge_perception.contract import ConfigurationError
from edge_perception.contract import Frame
from edge_perception.contract import IntrinsicsError
from edge_perception.contract import LabelMap
from edge_perception.contract import ModelManifest
from edge_perception.contract.types import UInt8Array
from edge_perception.models.atomic_files import replacing
from edge_perception.pose import Intrinsics
from edge_perception.pose import rotation_matrix
from edge_perception.runtime.drawing import draw
from edge_perception.simulation.trial import Placement

if TYPE_CHECKING:
    from edge_perception.simulation.nodes.demo_watch import Seen

RATE = 15.0  # frames per second of the video
# Meters; from here a pad fills a good part of the picture, with something around it.
BEST_DISTANCE = 2.5
AXIS_COLORS = ((0, 0, 255), (0, 200, 0), (255, 80, 0))  # x red, y green, z blue; BGR
JPEG_QUALITY = 92


class DemoPictures:
    """
    Draws images with their results into a video and remembers the best of them.

    :param video: written while ``recording``.
    """

    def __init__(self, video: Path, manifest: ModelManifest) -> None:
        self._path = video
        self._manifest = manifest
        # A model of one kind of object may have no labels; then it is called as the model.
        self._labels = manifest.labels if len(manifest.labels) else LabelMap((manifest.name,))
        self._video: Any = None
        self._size = (0, 0)
        self._files = ExitStack()
        self._best: tuple[float, UInt8Array] | None = None

    @contextmanager
    def recording(self) -> Iterator[DemoPictures]:
        """Finish the video in the end; when the block fails, leave none behind."""
        with self._files:
            try:
                yield self
            finally:
                if self._video is not None:
                    self._video.release()

    @property
    def video(self) -> Path | None:
        """The file that was written; None when there was no image."""
        return None if self._video is None else self._path

    @property
    def best(self) -> bytes | None:
        """The best picture as JPEG; None when no image had a result."""
        if self._best is None:
            return None
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        return cv2.imencode('.jpg', self._best[1], quality)[1].tobytes()

    def add(self, frame: Frame, seen: Seen, camera_info: Any) -> None:
        """
        Draw an image.

        :param camera_info: message with the intrinsics, None where there is none.
        :raises ConfigurationError: the video cannot be written.
        """
        from edge_perception.simulation.nodes.readback import perception

        perceived = perception(seen.messages, labels=self._labels)
        picture = draw(frame, perceived, labels=self._labels, skeleton=self._manifest.skeleton)
        intrinsics = _intrinsics(camera_info)
        if seen.pose is not None and intrinsics is not None:
            draw_axes(picture, seen.pose, intrinsics, length=_length(self._manifest))
        self._write(picture)
        value = _value(seen)
        if value is not None and (self._best is None or value > self._best[0]):
            self._best = (value, picture)

    def _write(self, picture: UInt8Array) -> None:
        if self._video is None:
            height, width = picture.shape[:2]
            self._size = (width, height)
            temporary = self._files.enter_context(replacing(self._path))
            codec = cv2.VideoWriter.fourcc(*CODEC)
            self._video = cv2.VideoWriter(str(temporary), codec, RATE, self._size)
            if not self._video.isOpened():
                raise ConfigurationError(
                    str(self._path), [f'OpenCV cannot write a video of {width}x{height} here']
                )
        if picture.shape[1::-1] != self._size:
            picture = np.asarray(cv2.resize(picture, self._size), np.uint8)
        self._video.write(picture)


def draw_axes(
    picture: UInt8Array, pose: Placement, intrinsics: Intrinsics, *, length: float
) -> None:
    """
    Draw the axes of an object: x red, y green, z blue.

    :param picture: uint8 (height, width, 3), BGR; drawn into.
    :param length: of an axis in meters.
    """
    ends = np.concatenate([np.zeros((1, 3)), np.eye(3)]) * length
    points = ends @ rotation_matrix(pose.orientation).T + np.array(pose.position)
    if points[:, 2].min() <= 0:
        return
    pixels = np.clip(intrinsics.pixels(points), -1e4, 1e4).round().astype(int).tolist()
    width = max(2, round(min(picture.shape[:2]) / 160))
    for end, color in zip(pixels[1:], AXIS_COLORS):
        cv2.line(picture, tuple(pixels[0]), tuple(end), color, width, cv2.LINE_AA)


def _intrinsics(info: Any) -> Intrinsics | None:
    if info is None:
        return None
    try:
        return Intrinsics.from_camera_info(
            width=info.width, height=info.height, k=info.k, d=info.d, model=info.distortion_model
        )
    except IntrinsicsError:
        return None  # the node says why it gives no pose


def _length(manifest: ModelManifest) -> float:
    """Return half of the extent of the object."""
    points = np.asarray(manifest.object_points, np.float64)
    return float(np.ptp(points, axis=0).max()) / 2 if points.size else 0.1


def _value(seen: Seen) -> float | None:
    """Return how good a picture an image makes; None without a result."""
    if seen.age_ms is None:
        return None
    if seen.pose is not None:
        distance = math.dist(seen.pose.position, (0, 0, 0))
        return 100 - abs(math.log(max(distance, 1e-6) / BEST_DISTANCE))
    found = seen.messages.get('detections') or seen.messages.get('keypoints')
    if found is None:
        return 0.0
    return float(sum(each.results[0].hypothesis.score for each in found.detections))
