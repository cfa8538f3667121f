# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Draw results into images, and select the best, the worst, and a video of them."""

from __future__ import annotations

from collections.abc import Sequence
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_perception.contract import Frame
from edge_perception.contract import LabelMap
from edge_perception.contract import Perception
from edge_perception.contract.types import UInt8Array
from edge_perception.pose import Intrinsics
from edge_perception.pose import rotation_matrix
from edge_perception.runtime.drawing import CODEC
from edge_perception.runtime.drawing import draw
from edge_perception.runtime.drawing import Tails
from edge_perception.simulation.matching import Placement
from edge_perception.simulation.matching import ScoredImage
from edge_perception.simulation.scoring import Score
from edge_perception.simulation.scoring import worst
from edge_perception.tooling.reports.score_report import caption

# Images that are remembered; about 40 kB each, as JPEG.
MAX_IMAGES = 20000
JPEG_QUALITY = 90
VIDEO_RATE = 15.0  # images per second of the camera's time
# Of an object in the best image: it fills a good part of it, with something around it.
BEST_SIZE_PX, BEST_DISTANCE = 180.0, 2.5
WORST_COUNT = 10
# Objects that are smaller may be missed without it being worth an image.
WORST_FROM_SIZE_PX = 48.0
# Pixels; ten of them are to make a page that can be mailed.
WORST_WIDTH, WORST_QUALITY = 480, 75
TRUE_COLOR = (255, 200, 0)  # BGR


class NoVideoError(Exception):
    """A video cannot be made here; everything else can."""


class AnnotatedImages:
    """
    Draws images with their results and remembers them as JPEG, by stamp.

    :param skeleton: of the model.
    :param axis_length: of the axes of a pose, meters.
    """

    def __init__(
        self, *, skeleton: Sequence[tuple[int, int]] = (), axis_length: float = 0.4
    ) -> None:
        self._skeleton = skeleton
        self._axis_length = axis_length
        self._images: dict[int, bytes] = {}
        self._tails = Tails()

    def collect(self, watch: Any) -> None:
        """
        Draw the images of which all results have come by now.

        :param watch: a ``ScoreWatch``, which this module does not know because it needs ROS.
        """
        intrinsics = watch.intrinsics
        for frame, perception, image in watch.take_images():
            self.add(frame, perception, image, labels=watch.labels, intrinsics=intrinsics)

    def add(
        self,
        frame: Frame,
        perception: Perception,
        image: ScoredImage,
        *,
        labels: LabelMap,
        intrinsics: Intrinsics | None,
    ) -> None:
        """Draw results, axes (x red, y green, z blue) and true boxes into an image; keep it."""
        poses = [each.pose for each in image.found or () if each.pose is not None]
        axes = [] if intrinsics is None else [self._axes(pose, intrinsics) for pose in poses]
        drawn = draw(
            frame,
            perception,
            labels=labels,
            skeleton=self._skeleton,
            axes=axes,
            tails=self._tails,
        )
        for each in image.truths or ():
            if each.box is not None:
                left, top, right, bottom = (round(value) for value in each.box)
                cv2.rectangle(drawn, (left, top), (right, bottom), TRUE_COLOR, 2)
        self._images[image.stamp_ns] = _jpeg(drawn, JPEG_QUALITY)
        if len(self._images) > MAX_IMAGES:
            del self._images[next(iter(self._images))]

    def best(self, score: Score) -> bytes | None:
        """Return the JPEG in which an object is seen best; None when no image has a result."""
        known = [each for each in score.images if each.stamp_ns in self._images]
        rated = [(value, each) for each in known if (value := _value(each)) is not None]
        if not rated:
            return None
        return self._images[max(rated, key=lambda pair: pair[0])[1].stamp_ns]

    def worst(self, score: Score) -> list[tuple[str, bytes]]:
        """Return caption and JPEG of the images with the worst matches."""
        matches = worst(score, count=len(score.images), from_size_px=WORST_FROM_SIZE_PX)
        kept = [match for match in matches if match.image.stamp_ns in self._images]
        return [
            (caption(match), _small_jpeg(self._images[match.image.stamp_ns]))
            for match in kept[:WORST_COUNT]
        ]

    def write_video(self, path: Path) -> None:
        """
        Write the images as a video; those between two of its frames are left out.

        :raises NoVideoError: there is no image, or OpenCV cannot write videos here.
        """
        video: Any = None
        size, due_ns = (0, 0), 0
        for stamp, data in sorted(self._images.items()):
            if stamp < due_ns:
                continue
            due_ns = stamp + int(0.9e9 / VIDEO_RATE)
            picture = _decoded(data)
            if video is None:
                size = (picture.shape[1], picture.shape[0])
                codec = cv2.VideoWriter.fourcc(*CODEC)
                video = cv2.VideoWriter(str(path), codec, VIDEO_RATE, size)
            video.write(cv2.resize(picture, size))
        if video is None or not video.isOpened():
            raise NoVideoError('no image, or OpenCV has no codec for videos here')
        video.release()

    def _axes(self, pose: Placement, intrinsics: Intrinsics) -> np.ndarray:
        """Return origin and ends of the axes, (4, 2), pixels; NaN where behind the camera."""
        ends = np.concatenate([np.zeros((1, 3)), np.eye(3)]) * self._axis_length
        points = ends @ rotation_matrix(pose.orientation).T + np.array(pose.position)
        if points[:, 2].min() <= 0:
            return np.full((4, 2), np.nan)
        return np.asarray(intrinsics.pixels(points))


def _value(image: ScoredImage) -> float | None:
    """Return how well an image shows an object; None without a result."""
    if image.found is None:
        return None
    if any(each.pose for each in image.found) and image.distance:
        size = max((each.size_px for each in image.truths or ()), default=math.inf)
        if math.isfinite(size):
            return 100 - abs(math.log(size / BEST_SIZE_PX))
        return 100 - abs(math.log(image.distance / BEST_DISTANCE))
    return sum(each.score for each in image.found)


def _jpeg(picture: UInt8Array, quality: int) -> bytes:
    return cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _decoded(data: bytes) -> UInt8Array:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def _small_jpeg(data: bytes) -> bytes:
    picture = _decoded(data)
    size = WORST_WIDTH, round(picture.shape[0] * WORST_WIDTH / picture.shape[1])
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return _jpeg(small, WORST_QUALITY)
