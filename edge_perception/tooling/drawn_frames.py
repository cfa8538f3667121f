# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Write drawn images and videos into a folder, whole or not at all, and never over a source."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import ExitStack
from itertools import chain
from itertools import count
from pathlib import Path
from typing import Any

import cv2

from edge_perception.contract import ConfigurationError
from edge_perception.contract.types import UInt8Array
from edge_perception.contract.user_files import replacing
from edge_perception.contract.user_files import write_whole
from edge_perception.contract.user_files import writing
from edge_perception.runtime.drawing import CODEC
from edge_perception.tooling.frame_sources import Source

JPEG_SUFFIXES = ('.jpg', '.jpeg')


def plan(folder: Path, sources: Sequence[Source]) -> dict[Source, Path]:
    """
    Choose a file for each source: its own name, with a number where two would be the same.

    :raises ConfigurationError: a source would be overwritten.
    """
    planned: dict[Source, Path] = {}
    for source in sources:
        path = folder / _name(source)
        others = (path.with_name(f'{path.stem}-{n}{path.suffix}') for n in count(2))
        free = (each for each in chain([path], others) if each not in planned.values())
        planned[source] = next(free)
    files = {source.file.resolve() for source in sources if source.file is not None}
    problems = [
        f'would overwrite the source {path}, expected another folder'
        for path in planned.values()
        if path.resolve() in files
    ]
    if problems:
        raise ConfigurationError('--out', problems)
    return planned


class DrawnFrames:
    """
    Takes the images of one source; the file is in its place when ``finishing`` ends.

    :param every: which frames of a video come, so that it keeps its speed.
    """

    def __init__(self, path: Path, source: Source, *, every: int) -> None:
        self._path = path
        self._source = source
        self._every = every
        self._video: Any = None
        self._files = ExitStack()

    @contextmanager
    def finishing(self) -> Iterator[DrawnFrames]:
        """Finish the file in the end; when the block fails, leave none behind."""
        with self._files:
            try:
                yield self
            finally:
                if self._video is not None:
                    self._video.release()

    def add(self, image: UInt8Array) -> None:
        """
        Take an image.

        :raises ConfigurationError: it cannot be written.
        """
        if not self._source.moving:
            self._add_image(image)
            return
        if self._video is None:
            temporary = self._files.enter_context(replacing(self._path))
            height, width = image.shape[:2]
            codec = cv2.VideoWriter.fourcc(*CODEC)
            rate = self._source.rate / self._every
            self._video = cv2.VideoWriter(str(temporary), codec, rate, (width, height))
            if not self._video.isOpened():
                problem = f'OpenCV cannot write a video of {width}x{height} here'
                raise ConfigurationError(str(self._path), [problem])
        self._video.write(image)

    def _add_image(self, image: UInt8Array) -> None:
        _, data = cv2.imencode(self._path.suffix, image)
        with writing(self._path):
            write_whole(self._path, data.tobytes())


def _name(source: Source) -> str:
    if source.file is None:
        return source.name.replace(':', '-') + '.mp4'
    if source.moving:
        return source.file.stem + '.mp4'
    jpeg = source.file.suffix.lower() in JPEG_SUFFIXES
    return source.file.stem + (source.file.suffix if jpeg else '.png')
