# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Writes drawn pictures and videos into a folder, whole or not at all, and never onto a source."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2

from edge_perception.contract import ConfigurationError
from edge_perception.contract.types import UInt8Array
from edge_perception.models.atomic_files import replacing
from edge_perception.models.atomic_files import writing
from edge_perception.runtime.drawing import CODEC
from edge_perception.tooling.frame_sources import Source

JPEG_SUFFIXES = ('.jpg', '.jpeg')


def plan(folder: Path, sources: Sequence[Source]) -> dict[Source, Path]:
    """
    Choose a file for each source: its own name, with a number where two would be the same.

    :raises ConfigurationError: a source would be overwritten.
    """
    taken: set[Path] = set()
    planned: dict[Source, Path] = {}
    for source in sources:
        planned[source] = _free(folder / _name(source), taken)
        taken.add(planned[source])
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
    Takes the pictures of one source; the file is in its place when ``finishing`` ends.

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

    def add(self, picture: UInt8Array) -> None:
        """
        Take a picture.

        :raises ConfigurationError: it cannot be written.
        """
        if not self._source.moving:
            self._add_image(picture)
            return
        if self._video is None:
            temporary = self._files.enter_context(replacing(self._path))
            height, width = picture.shape[:2]
            codec = cv2.VideoWriter.fourcc(*CODEC)
            rate = self._source.rate / self._every
            self._video = cv2.VideoWriter(str(temporary), codec, rate, (width, height))
            if not self._video.isOpened():
                raise ConfigurationError(
                    str(self._path), [f'OpenCV cannot write a video of {width}x{height} here']
                )
        self._video.write(picture)

    def _add_image(self, picture: UInt8Array) -> None:
        _, data = cv2.imencode(self._path.suffix, picture)
        with replacing(self._path) as temporary, writing(self._path):
            temporary.write_bytes(data.tobytes())


def _name(source: Source) -> str:
    if source.file is None:
        return source.name.replace(':', '-') + '.mp4'
    if source.moving:
        return source.file.stem + '.mp4'
    jpeg = source.file.suffix.lower() in JPEG_SUFFIXES
    return source.file.stem + (source.file.suffix if jpeg else '.png')


def _free(path: Path, taken: set[Path]) -> Path:
    candidate, number = path, 1
    while candidate in taken:
        number += 1
        candidate = path.with_name(f'{path.stem}-{number}{path.suffix}')
    return candidate
