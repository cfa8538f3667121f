# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Open what a camera without hardware shows: rendered approach, images, video, webcam."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_perception.contract import ImageError
from edge_perception.simulation.approach import Approach
from edge_perception.simulation.rendering.quick_renderer import QuickRenderer
from edge_perception.simulation.rendering.textures import Picture
from edge_perception.simulation.views import View

DEVICE = 'camera:'
# Images per second that a video may claim; others do not know their rate.
PLAUSIBLE_RATES = (1.0, 120.0)
NO_CAMERA = (
    'no such camera, or it is in use, or you may not read it (on Linux: be in the group video)'
)
NO_VIDEO = 'is not a video that OpenCV can read'


@dataclass(frozen=True, slots=True)
class PictureSource:
    """
    Images one after the other. Used from one thread.

    :param take: returns the image of a moment in seconds since the first one, uint8 (height,
        width, 3), BGR, valid until the next call, and the truth about it where it is known; raises
        ``ImageError`` where there is none.
    :param rate: images per second that it has of its own; 0 for any.
    :param live: shows the moment in which an image is taken.
    :param close: gives back what was opened.
    """

    take: Callable[[float], tuple[Picture, View | None]]
    rate: float = 0.0
    live: bool = False
    close: Callable[[], None] = lambda: None


def open_pictures(source: str, *, approach: Approach, seed: int) -> PictureSource:
    """
    Open what a parameter names.

    :param source: empty for the approach; else path of an image, of a folder of images or of a
        video, or ``camera:NUMBER``. A folder and a video begin again when they have ended.
    :raises ImageError: it cannot be read.
    """
    if not source:
        render = QuickRenderer(approach.camera, side=approach.side, seed=seed)

        def rendered(time: float) -> tuple[Picture, View | None]:
            view = approach.view(time)
            return render(view), view

        return PictureSource(rendered)
    number = source.removeprefix(DEVICE)
    if source.startswith(DEVICE) and number.isdecimal():
        return _moving(int(number))
    path = Path(source).expanduser()
    if path.is_dir():
        readable = [each for each in sorted(path.iterdir()) if _is_picture(each)]
        if not readable:
            raise ImageError(f'{path}: the folder holds no image that OpenCV can read')
        paths = cycle(readable)
        return PictureSource(lambda time: (_read(next(paths)), None))
    if not path.is_file():
        raise ImageError(
            f'{source}: no such file or folder, expected an image, a folder of images, a video '
            f'or {DEVICE}NUMBER'
        )
    if not _is_picture(path):
        return _moving(str(path))
    picture = _read(path)
    return PictureSource(lambda time: (picture, None))


def _moving(what: str | int) -> PictureSource:
    """
    Open a video or a camera.

    :param what: path of the video or number of the camera.
    """
    video: Any = cv2.VideoCapture(what)  # type: ignore[call-overload]
    live = isinstance(what, int)
    name, problem = (f'{DEVICE}{what}', NO_CAMERA) if live else (what, NO_VIDEO)
    if not video.isOpened():
        raise ImageError(f'{name}: {problem}')
    rate = 0.0 if live else float(video.get(cv2.CAP_PROP_FPS))

    def take(time: float) -> tuple[Picture, View | None]:
        read, image = video.read()
        if not read and not live:
            # Opened again, because not every format can be wound back.
            video.open(what)
            read, image = video.read()
        if not read:
            raise ImageError(f'{name}: gives no more images')
        return np.asarray(image, np.uint8), None

    plausible = PLAUSIBLE_RATES[0] <= rate <= PLAUSIBLE_RATES[1]
    return PictureSource(take, rate if plausible else 0.0, live, close=video.release)


def _read(path: Path) -> Picture:
    data = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if data is None:
        raise ImageError(f'{path}: is not an image that OpenCV can read')
    return np.asarray(data, np.uint8)


def _is_picture(path: Path) -> bool:
    return path.is_file() and bool(cv2.haveImageReader(str(path)))
