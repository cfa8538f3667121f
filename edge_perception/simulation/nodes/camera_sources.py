# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a camera without hardware shows: the rendered approach, pictures, a video, a webcam."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Callable
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
# Pictures per second that a video may claim; others do not know their rate.
PLAUSIBLE_RATES = (1.0, 120.0)


class PictureSource(ABC):
    """
    Pictures one after the other. Used from one thread.

    :param rate: pictures per second that it has of its own; 0 for any.
    :param live: shows the moment in which a picture is taken.
    """

    rate = 0.0
    live = False

    @abstractmethod
    def take(self, time: float) -> tuple[Picture, View | None]:
        """
        Return the picture of a moment, and the truth about it where it is known.

        :param time: seconds since the first one.
        :return: uint8 (height, width, 3), BGR; valid until the next call.
        :raises ImageError: there is none.
        """

    def close(self) -> None:
        """Give back what was opened."""


class RenderedApproach(PictureSource):
    """
    The approach to a landing pad.

    :param render: draws what a view sees.
    """

    def __init__(self, approach: Approach, render: Callable[[View], Picture]) -> None:
        self._approach = approach
        self._render = render

    def take(self, time: float) -> tuple[Picture, View | None]:
        view = self._approach.view(time)
        return self._render(view), view


class StillPicture(PictureSource):
    """One picture, again and again."""

    def __init__(self, path: Path) -> None:
        data = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if data is None:
            raise ImageError(f'{path}: is not an image that OpenCV can read')
        self._picture = np.asarray(data, np.uint8)

    def take(self, time: float) -> tuple[Picture, View | None]:
        return self._picture, None


class PictureFolder(PictureSource):
    """The pictures of a folder in the order of their names, and from the start again."""

    def __init__(self, folder: Path) -> None:
        readable = (path for path in sorted(folder.iterdir()) if _is_picture(path))
        self._paths = list(readable)
        if not self._paths:
            raise ImageError(f'{folder}: the folder holds no image that OpenCV can read')
        self._shown = 0

    def take(self, time: float) -> tuple[Picture, View | None]:
        path = self._paths[self._shown % len(self._paths)]
        self._shown += 1
        return StillPicture(path).take(time)


class MovingPictures(PictureSource):
    """
    A video, from the start again when it has ended, or a camera.

    :param what: path of the video or number of the camera.
    """

    def __init__(self, what: str | int) -> None:
        self._what = what
        self._video: Any = cv2.VideoCapture(what)  # type: ignore[call-overload]
        self._name = what if isinstance(what, str) else f'{DEVICE}{what}'
        self.live = not isinstance(what, str)
        if not self._video.isOpened():
            if isinstance(what, str):
                raise ImageError(f'{what}: is not a video that OpenCV can read')
            raise ImageError(
                f'{self._name}: no such camera, or it is in use, or you may not read it '
                '(on Linux: be in the group video)'
            )
        if isinstance(what, str):
            rate = float(self._video.get(cv2.CAP_PROP_FPS))
            self.rate = rate if PLAUSIBLE_RATES[0] <= rate <= PLAUSIBLE_RATES[1] else 0.0

    def take(self, time: float) -> tuple[Picture, View | None]:
        read, image = self._video.read()
        if not read and isinstance(self._what, str):
            # Opened anew, because not every format can be wound back.
            self._video.open(self._what)
            read, image = self._video.read()
        if not read:
            raise ImageError(f'{self._name}: gives no picture any more')
        return np.asarray(image, np.uint8), None

    def close(self) -> None:
        self._video.release()


def open_pictures(source: str, *, approach: Approach, seed: int) -> PictureSource:
    """
    Open what a parameter names.

    :param source: empty for the approach; else path of a picture, of a folder of pictures or of a
        video, or ``camera:NUMBER``.
    :raises ImageError: it cannot be read.
    """
    if not source:
        render = QuickRenderer(approach.camera, side=approach.side, seed=seed)
        return RenderedApproach(approach, render)
    number = source.removeprefix(DEVICE)
    if source.startswith(DEVICE) and number.isdecimal():
        return MovingPictures(int(number))
    path = Path(source).expanduser()
    if path.is_dir():
        return PictureFolder(path)
    if not path.is_file():
        raise ImageError(
            f'{source}: no such file or folder, expected a picture, a folder of pictures, a video '
            f'or {DEVICE}NUMBER'
        )
    return StillPicture(path) if _is_picture(path) else MovingPictures(str(path))


def _is_picture(path: Path) -> bool:
    return path.is_file() and bool(cv2.haveImageReader(str(path)))
