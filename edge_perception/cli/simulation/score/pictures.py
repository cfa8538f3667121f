# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The worst images of a score, with what was there and what was found."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_perception.cli.output.drawn_images import CODEC
from edge_perception.cli.simulation.demo.pictures import draw_axes
from edge_perception.contract import IntrinsicsError
from edge_perception.contract.types import UInt8Array
from edge_perception.pose import Intrinsics
from edge_perception.simulation.trial import Box
from edge_perception.simulation.trial import Match
from edge_perception.simulation.trial_score import Score
from edge_perception.simulation.trial_score import worst

COUNT = 10
# Objects that are smaller may be missed without it being worth a picture.
FROM_SIZE_PX = 48.0
# Pixels; ten of them are to make a page that can be mailed.
WIDTH, JPEG_QUALITY = 480, 75
BEST_SIZE_PX = 160.0
# Every third image, 10 in a second of the camera's time where it has 30.
VIDEO_WIDTH, VIDEO_EVERY, VIDEO_RATE = 256, 3, 10.0
TRUE_COLOR, FOUND_COLOR = (255, 200, 0), (0, 0, 255)  # BGR


class NoVideoError(Exception):
    """A video cannot be made here; everything else can."""


def worst_pictures(score: Score, watch: Any) -> list[tuple[str, bytes]]:
    """
    Return caption and JPEG of the worst images.

    :param watch: has the pictures and the intrinsics.
    """
    found = []
    for match in worst(score, count=COUNT, from_size_px=FROM_SIZE_PX):
        picture = _picture(match, watch)
        if picture is not None:
            found.append((caption(match), _jpeg(_scaled(picture, WIDTH))))
    return found


def best_picture(score: Score, watch: Any) -> bytes | None:
    """
    Return a JPEG in which an object fills a good part of the image, with its pose.

    :return: None when nothing was found.
    """
    compared = [match for match in score.matches if match.truth and match.found]
    if not compared:
        return None
    wanted = math.log(BEST_SIZE_PX)
    best = min(compared, key=lambda m: abs(math.log(m.truth.size_px) - wanted) if m.truth else 0)
    picture = _picture(best, watch)
    return None if picture is None else _jpeg(picture)


def _picture(match: Match, watch: Any) -> UInt8Array | None:
    """Return the image of a match, drawn into; None when it was not kept."""
    data = watch.picture(match.trial.stamp_ns)
    if data is None:
        return None
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    picture = np.asarray(decoded, np.uint8)
    _draw(picture, match, watch.camera_info)
    return picture


def _jpeg(picture: UInt8Array) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return cv2.imencode('.jpg', picture, quality)[1].tobytes()


def write_video(path: Path, score: Score, watch: Any) -> None:
    """
    Write the images with what was found in them.

    :raises NoVideoError: there is no image, or OpenCV cannot write videos here.
    """
    matches = {match.trial.stamp_ns: match for match in score.matches if match.found}
    video: Any = None
    size = (VIDEO_WIDTH, VIDEO_WIDTH)
    for trial in score.trials[::VIDEO_EVERY]:
        data = watch.picture(trial.stamp_ns)
        if data is None:
            continue
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        picture = np.asarray(decoded, np.uint8)
        if trial.stamp_ns in matches:
            _draw(picture, matches[trial.stamp_ns], watch.camera_info)
        small = _scaled(picture, VIDEO_WIDTH)
        if video is None:
            size = (small.shape[1], small.shape[0])
            video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODEC), VIDEO_RATE, size)
        video.write(cv2.resize(small, size))
    if video is None or not video.isOpened():
        raise NoVideoError('no image, or OpenCV has no codec for videos here')
    video.release()


def caption(match: Match) -> str:
    """Say what is wrong in an image."""
    words = f'Image of {match.trial.stamp_ns / 1e9:.3f} s: '
    if match.truth is None:
        return words + 'something is found that is not there'
    if match.found is None:
        return words + f'missed, {match.truth.size_px:.0f} px large'
    if match.error is None:
        return words + f'the boxes share {100 * (match.overlap or 0):.0f} %'
    return words + (
        f'{match.error.distance:.2f} m away, position off by {100 * match.error.share:.2f} %, '
        f'yaw by {abs(math.degrees(match.error.yaw)):.2f} and tilt by '
        f'{math.degrees(match.error.tilt):.2f} degrees'
    )


def _draw(picture: UInt8Array, match: Match, info: Any) -> None:
    """Draw the truth thin and what was found as axes."""
    for each, color in ((match.truth, TRUE_COLOR), (match.found, FOUND_COLOR)):
        if each is not None and each.box is not None:
            _rectangle(picture, each.box, color)
    if info is None or match.found is None or match.found.pose is None:
        return
    try:
        intrinsics = Intrinsics.from_camera_info(
            width=info.width, height=info.height, k=info.k, d=info.d, model=info.distortion_model
        )
    except IntrinsicsError:
        return  # the node says why it gives no pose
    draw_axes(picture, match.found.pose, intrinsics, length=0.4)


def _scaled(picture: UInt8Array, width: int) -> UInt8Array:
    height = round(picture.shape[0] * width / picture.shape[1])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _rectangle(picture: UInt8Array, box: Box, color: tuple[int, int, int]) -> None:
    left, top, right, bottom = (round(value) for value in box)
    cv2.rectangle(picture, (left, top), (right, bottom), color, 2)
