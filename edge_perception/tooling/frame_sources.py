# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Read frames from image files, folders, videos and cameras."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
import os
from pathlib import Path
import re
import time

import cv2
import numpy as np

from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.contract.loading.artifact_files import read_regular
from edge_perception.contract.types import Tensor
from edge_perception.contract.types import UInt8Array
from edge_perception.runtime.sample_range import SampleRange
from edge_perception.tooling.notes import note

IMAGE_TYPES = 'bmp jp2 jpe jpeg jpg pbm pgm png pnm ppm tif tiff webp'
VIDEO_TYPES = 'apng avi gif m4v mjpeg mjpg mkv mov mp4 mpeg mpg ogv ts webm wmv'
IMAGE_SUFFIXES = frozenset(f'.{each}' for each in IMAGE_TYPES.split())
VIDEO_SUFFIXES = frozenset(f'.{each}' for each in VIDEO_TYPES.split())
MOST_IMAGE_BYTES = 1 << 30
FRAMES_OF_A_VIDEO = 16  # where a few from all over it will do
CAMERA = re.compile(r'(?:camera:)?(\d+)')
USUAL_RATE = 30.0  # frames per second of a video or camera that does not say


class Source(ABC):
    """
    One thing that gives frames.

    :param name: as the user wrote it or as the folder calls it.
    :param file: None for a camera.
    :param moving: whether there may be more than one frame.
    :param live: whether it has no end and does not wait for us.
    :param problem: why the last frame shows hardly anything, in words; empty when it does.
    :param remark: after the last frame: what was not seen of it, in words; empty for nothing.
    """

    moving = True
    live = False
    problem = ''
    remark = ''

    def __init__(self, name: str, file: Path | None) -> None:
        self.name = name
        self.file = file

    @abstractmethod
    def frames(self, *, every: int, limit: int | None) -> Iterator[tuple[int, Frame]]:
        """
        Give every n-th frame with its index, bgr8, each a new image.

        Stamps are those of the video from 0 on; of a camera, by the monotonic clock.

        :param limit: at most N frames; None stands for all.
        :raises ImageError: nothing can be read.
        """

    def count(self, *, every: int, limit: int | None) -> int | None:
        """Return how many frames to expect, None when that is unknown; costs little."""
        return 1

    @property
    def rate(self) -> float:
        """Frames per second."""
        return USUAL_RATE


class ImageFile(Source):
    """
    An image file.

    :param mono16_range: one of ``SAMPLE_RANGES``, for samples of 16 bits.
    """

    moving = False

    def __init__(self, name: str, file: Path, *, mono16_range: str = 'full') -> None:
        super().__init__(name, file)
        self._mono16_range = mono16_range

    def frames(self, *, every: int, limit: int | None) -> Iterator[tuple[int, Frame]]:
        assert self.file is not None
        sample_range = SampleRange(self._mono16_range)
        frame = Frame(image=read_image(self.file, sample_range))
        self.problem = sample_range.problem
        yield 0, frame
        with suppress(cv2.error, AttributeError):  # since OpenCV 4.5.4
            if (count := cv2.imcount(str(self.file))) > 1:
                self.remark = f'the first of its {count} images is looked at, and no other'


class Video(Source):
    """A video file, or a camera when there is no file."""

    def __init__(self, name: str, file: Path | None, *, device: int | None = None) -> None:
        super().__init__(name, file)
        self._device = device
        self.live = file is None or file.is_char_device()

    def frames(self, *, every: int, limit: int | None) -> Iterator[tuple[int, Frame]]:
        index = given = 0
        period_ns = 1e9 / self.rate
        with self._capture() as capture:
            promised = 0 if self.live else int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
            while given != limit and capture.grab():
                if index % every == 0:
                    read, image = capture.retrieve()
                    if not read:
                        break
                    given += 1
                    stamp_ns = time.monotonic_ns() if self.live else round(index * period_ns)
                    yield index, Frame(np.asarray(image, np.uint8), stamp_ns=stamp_ns)
                index += 1
        if given == 0 and limit != 0:
            raise ImageError(f'{self.name}: gives no frame')
        # Some formats only estimate the number.
        if given != limit and promised > index:
            self.remark = (
                f'its header promises {promised - index} more frames than can be read; it may be '
                'damaged'
            )

    def count(self, *, every: int, limit: int | None) -> int | None:
        if self.live:
            return limit
        with self._capture() as capture:
            frames = -(-max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))) // every)
        return frames if limit is None else min(frames, limit)

    @property
    def rate(self) -> float:
        if self.live:
            return USUAL_RATE
        with self._capture() as capture:
            rate = float(capture.get(cv2.CAP_PROP_FPS))
        return rate if 0 < rate <= 1000 else USUAL_RATE

    @contextmanager
    def _capture(self) -> Iterator[cv2.VideoCapture]:
        what = str(self.file) if self.file is not None else self._device
        capture = cv2.VideoCapture(what)  # type: ignore[arg-type]
        try:
            if not capture.isOpened():
                raise ImageError(self._refusal())
            yield capture
        finally:
            capture.release()

    def _refusal(self) -> str:
        if self.live:
            return (
                f'{self.name}: no such camera, or it is in use, or you may not read it '
                '(on Linux: be in the group video)'
            )
        return f'{self.name}: is neither an image nor a video that OpenCV can read'


def find_sources(
    names: tuple[str, ...], *, mono16_range: str = 'full'
) -> tuple[list[Source], list[ImageError]]:
    """
    Return the sources that the user named, and an error for each name that stands for none.

    A folder stands for the images and videos in it, sorted by name, without those in its folders.

    :param mono16_range: one of ``SAMPLE_RANGES``, for files with 16 bits.
    """
    sources: list[Source] = []
    errors: list[ImageError] = []
    for name in names:
        try:
            sources += _named(name, mono16_range)
        except ImageError as error:
            errors.append(error)
    return sources, errors


def samples(source: Source) -> Iterator[tuple[int, Frame]]:
    """
    Give an image, or a few frames from all over a video, with the index of each.

    :raises ImageError: it cannot be read.
    """
    every = max(1, (source.count(every=1, limit=None) or 1) // FRAMES_OF_A_VIDEO)
    return source.frames(every=every, limit=FRAMES_OF_A_VIDEO)


def count_samples(sources: Iterable[Source]) -> int:
    """Return how many samples sources give, if no video is short."""
    return sum(FRAMES_OF_A_VIDEO if source.moving else 1 for source in sources)


def be_quiet() -> None:
    """Keep OpenCV and FFmpeg from writing to standard error what our own sentences say."""
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    # OpenCV 5 has it in the inner module only, old versions have it in the outer one only.
    logging = getattr(getattr(cv2, 'utils', None), 'logging', cv2)
    if hasattr(logging, 'setLogLevel'):
        logging.setLogLevel(0)


def _named(name: str, mono16_range: str) -> list[Source]:
    path = Path(name).expanduser()
    camera = CAMERA.fullmatch(name)
    if camera and not os.path.exists(path):
        return [Video(name, None, device=int(camera.group(1)))]
    if not os.path.exists(path):  # that of Path raises for names that no system could have
        raise ImageError(
            f'{name}: no such file or folder, expected images, videos, folders or camera:NUMBER'
        )
    if not path.is_dir():
        return [source_of(path, mono16_range=mono16_range)]
    files = sorted(filter(is_shown, path.iterdir()))
    folders = [each for each in path.iterdir() if each.is_dir() and not each.name.startswith('.')]
    skipped = (
        f'; folders in it are not searched ({len(folders)}), name them too' if folders else ''
    )
    if not files:
        raise ImageError(f'{name}: the folder holds no image and no video{skipped}')
    if skipped:
        note(f'{name}: {len(files)} images and videos{skipped}')
    return [source_of(each, mono16_range=mono16_range) for each in files]


def is_shown(path: Path) -> bool:
    """Tell whether a file in a folder is one of the images and videos that it stands for."""
    known = path.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES
    return known and not path.name.startswith('.') and path.is_file()  # a pipe is waited for


def source_of(path: Path, *, mono16_range: str = 'full') -> Source:
    """Return a file as a source; whether it can be read is seen when it is."""
    suffix = path.suffix.lower()
    image = suffix in IMAGE_SUFFIXES or (
        suffix not in VIDEO_SUFFIXES and path.is_file() and cv2.haveImageReader(str(path))
    )
    if image:
        return ImageFile(str(path), path, mono16_range=mono16_range)
    return Video(str(path), path)


def read_image(path: Path, sample_range: SampleRange | None = None) -> UInt8Array:
    """
    Read an image as bgr8, turned as its EXIF tag says.

    :param sample_range: reduces samples of 16 bits; None takes their upper byte.
    :raises ImageError: it cannot be read.
    """
    try:
        data = np.frombuffer(read_regular(path, most_bytes=MOST_IMAGE_BYTES), np.uint8)
    except OSError as error:
        raise ImageError(f'{path}: cannot be read: {error.strerror or error}') from error
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
        if image is not None and image.dtype != np.uint8:
            image = _to_8_bits(image, data, sample_range or SampleRange())
    except cv2.error as error:  # e.g. more pixels than OpenCV is willing to read
        raise ImageError(f'{path}: cannot be read: {error.err}') from error
    if image is None:
        raise ImageError(f'{path}: is not an image that OpenCV can read, or is damaged')
    return np.asarray(image, np.uint8)


def _to_8_bits(deep: Tensor, data: UInt8Array, sample_range: SampleRange) -> UInt8Array:
    if deep.dtype == np.uint16 and sample_range.kind != 'full':
        return sample_range.to_8_bits(deep)
    # OpenCV knows what is full: 12 bits in JPEG 2000, 1.0 in formats with floats.
    image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    if deep.dtype == np.uint16:
        sample_range.judge(deep, image)
    return image
