# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Image to input tensor: resize, turn, color, letterbox, normalize, into the engine's memory.

A pixel is a byte, so normalizing it is a look-up in a table of 256 values, whatever the scale, the
mean and the dtype are. That is exact, has no special cases, and is the fastest way that was found
(two x86-64 cores, OpenCV 5.0, 640x640 uint8 to float32 NCHW, red and blue swapped, median of 60):

=======================================================  =======
``cv2.split``, then ``cv2.LUT`` for each plane           0.33 ms
``cv2.split``, then ``cv2.addWeighted`` for each plane   0.44 ms
``cv2.split``, then ``np.multiply(plane, k, out=...)``   0.53 ms
``np.multiply(image[..., c], k, out=...)``               0.87 ms
``cv2.dnn.blobFromImage``                                2.56 ms
``(image[..., ::-1] / 255).transpose(...).copy()``       3.55 ms
=======================================================  =======

Into float16 the table takes 0.39 ms where ``np.multiply`` takes 2.53 ms. Where a byte stays what
it is in float32, ``np.copyto`` takes 0.06 ms of 416x416 where three tables take 0.17 ms.

Red and blue are swapped by the order of the planes, where there are planes. What the image leaves
free is filled in the tensor, and neither split nor looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import gcd
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.contract import ImageTransform
from edge_perception.contract import InputRecipe
from edge_perception.contract import OptionError
from edge_perception.contract import Quantization
from edge_perception.contract import Tensor
from edge_perception.contract import TensorMismatchError
from edge_perception.contract import TensorSpec
from edge_perception.contract.manifest import REAL_DTYPES
from edge_perception.contract.types import Float32Array

UInt8Array = npt.NDArray[np.uint8]

ROTATE_CODES = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}
ROTATIONS = (0, *ROTATE_CODES)
INTERPOLATION_CODES = {
    'linear': cv2.INTER_LINEAR,
    'area': cv2.INTER_AREA,
    'nearest': cv2.INTER_NEAREST,
}
# Encoding of the frame and color of the network; pairs that are absent need no conversion.
COLOR_CODES = {
    ('bgr8', 'rgb'): cv2.COLOR_BGR2RGB,
    ('bgr8', 'gray'): cv2.COLOR_BGR2GRAY,
    ('rgb8', 'bgr'): cv2.COLOR_RGB2BGR,
    ('rgb8', 'gray'): cv2.COLOR_RGB2GRAY,
    ('mono8', 'bgr'): cv2.COLOR_GRAY2BGR,
    ('mono8', 'rgb'): cv2.COLOR_GRAY2RGB,
}
# How often the input fits into the resized image; more is no camera, and would fill the memory.
LONGEST_CROP = 64
CHANNELS = {'bgr8': (3,), 'rgb8': (3,), 'mono8': ()}
# Averaging areas by products pays where as many pixels become as many others again and again; with
# smaller blocks there are too many products, and larger ones have too many zeros.
SMALLEST_BLOCK, LARGEST_BLOCK = 8, 32
# In so many multiplications OpenBLAS takes no second thread, which would be missing elsewhere.
ONE_THREAD = 1 << 18


class Preprocessor:
    """
    Lays frames into the input of one network.

    One thread calls it. Between two frames it keeps scratch for the source size and encoding that
    came last; others replace it.

    :param recipe: what the network wants to see.
    :param spec: the input that the engine offers; the recipe has to fit it.
    :param rotation: degrees by which frames are turned clockwise, for cameras that are mounted
        turned: 0, 90, 180 or 270.
    :raises OptionError: another rotation.
    :raises TensorMismatchError: the recipe does not fit the input of the engine.
    """

    def __init__(self, recipe: InputRecipe, *, spec: TensorSpec, rotation: int = 0) -> None:
        if rotation not in ROTATIONS:
            raise OptionError(f'rotation: got {rotation!r}, expected 0, 90, 180 or 270')
        fitted = recipe.fitted(spec)
        if fitted is None:
            wanted = TensorSpec(spec.name, recipe.shape, np.dtype(recipe.dtype))
            raise TensorMismatchError(
                spec.name,
                got=f'{wanted.describe()} from the manifest',
                expected=f'{spec.describe()}, which the engine takes',
            )
        # Bytes of a recipe in bytes mean themselves.
        quantization = spec.quantization if recipe.dtype in REAL_DTYPES else None
        self._wanted = TensorSpec(spec.name, fitted.shape, spec.dtype)
        self._recipe = fitted
        self._rotation = rotation
        tables = _normalization_tables(fitted, quantization)
        self._fill = tables[fitted.fill]
        self._tables = _lookups(tables, fitted.layout)
        self._drawing: _Drawing | None = None

    def __call__(self, frame: Frame, out: Tensor) -> ImageTransform:
        """
        Write one frame into an input tensor.

        :param frame: is not changed.
        :param out: C-contiguous array of the shape and dtype of the input; every element is
            written; it is not kept.
        :return: the way back from the tensor to the source image.
        :raises ImageError: the frame is empty, or its pixels and its encoding disagree.
        :raises TensorMismatchError: ``out`` has another shape or dtype, or is not C-contiguous.
        """
        # OpenCV would silently write into an array of its own if this one did not fit.
        if not (self._wanted.admits(out) and out.flags.c_contiguous):
            gaps = '' if out.flags.c_contiguous else ', not contiguous'
            got = TensorSpec(self._wanted.name, out.shape, out.dtype).describe()
            raise TensorMismatchError(
                self._wanted.name, got=got + gaps, expected=self._wanted.describe()
            )
        if self._drawing is None or not self._drawing.fits(frame):
            self._drawing = _Drawing(frame, self._recipe, self._rotation)
        if out.dtype == np.float16:
            out = out.view(np.int16)  # as the tables: cv2.LUT moves bits and knows no float16
        self._normalize(frame.image, out, self._drawing)
        return self._drawing.transform

    def _normalize(self, image: UInt8Array, out: Tensor, drawing: _Drawing) -> None:
        if self._recipe.layout == 'nhwc':
            whole = out[0] if self._recipe.channels > 1 else out[0, ..., 0]
            for strip in drawing.free:
                whole[strip] = self._fill if self._recipe.channels > 1 else self._fill[0]
            targets = [whole[drawing.place]]
            # Bytes that stay as they are can be drawn where they belong.
            same = self._tables[0] is None and out.dtype == np.uint8
            sources = [drawing.draw(image, targets[0] if same else None)]
        else:
            for strip in drawing.free:
                for plane, value in zip(out[0], self._fill):
                    plane[strip] = value
            targets = [plane[drawing.place] for plane in out[0]]
            sources = drawing.planes(image)
        for source, table, target in zip(sources, self._tables, targets):
            if source is target:
                continue
            if table is None:
                np.copyto(target, source)
            else:
                cv2.LUT(source, table, target)


class _Drawing:
    """
    How frames of one size and encoding become a picture of the size and color of the input.

    :param place: rows and columns of the input that show the picture.
    :param free: those that show nothing.
    """

    def __init__(self, frame: Frame, recipe: InputRecipe, rotation: int) -> None:
        _check(frame)
        self._shape = frame.image.shape
        self._encoding = frame.encoding
        self.transform, (width, height) = place(
            recipe, width=frame.width, height=frame.height, rotation=rotation
        )
        if width * height > LONGEST_CROP * recipe.width * recipe.height:
            raise ImageError(
                f'image of {frame.frame_id or "the camera"}: got {frame.width}x{frame.height}, of '
                f'which a crop shows less than 1/{LONGEST_CROP}; use another camera or resize'
            )
        left, top = int(self.transform.offset_x), int(self.transform.offset_y)
        self.place, self.free = _placed(recipe, left=left, top=top, width=width, height=height)
        # Of an image that is larger than the input, the center is the picture.
        x, y = max(0, -left), max(0, -top)
        self._seen = slice(y, y + recipe.height), slice(x, x + recipe.width)
        self._cropped = width > recipe.width or height > recipe.height
        self._color = recipe.color
        gray = recipe.color == 'gray' or frame.encoding == 'mono8'
        # Resizing comes first: networks see less than cameras, so the rest has less to do.
        turned = (height, width) if rotation in (90, 270) else (width, height)
        self._steps: list[Any] = [_resizing(frame, turned, recipe.interpolation, gray=gray)]
        if rotation:
            self._steps.append(partial(cv2.rotate, rotateCode=ROTATE_CODES[rotation]))
        code = COLOR_CODES.get((frame.encoding, recipe.color))
        if code is not None and (recipe.color == 'gray' or recipe.layout == 'nhwc'):
            # But averaging areas reads every pixel, and one channel in half the time of three;
            # rounding makes a gray level of difference.
            early = (recipe.color, recipe.interpolation) == ('gray', 'area')
            self._steps.insert(0 if early else len(self._steps), partial(cv2.cvtColor, code=code))
        # None: OpenCV makes the array at the first frame.
        self._targets: list[UInt8Array | None] = [None] * len(self._steps)
        self._planes: Sequence[Any] | None = None

    def fits(self, frame: Frame) -> bool:
        """Tell whether a frame has this size and encoding."""
        return frame.image.shape == self._shape and frame.encoding == self._encoding

    def draw(self, image: UInt8Array, target: Tensor | None = None) -> UInt8Array:
        """
        Return the picture; it is valid until the next call.

        :param target: draw it there, and return this, unless only its center is seen.
        """
        for index, step in enumerate(self._steps):
            if target is not None and not self._cropped and index == len(self._steps) - 1:
                step(image, dst=target)
                return target
            image = self._targets[index] = step(image, dst=self._targets[index])
        return image[self._seen] if self._cropped else image

    def planes(self, image: UInt8Array) -> Sequence[Any]:
        """Return the channels of the picture in the order of the input."""
        picture = self.draw(image)
        if picture.ndim == 2:
            return [picture] if self._color == 'gray' else [picture] * 3
        self._planes = cv2.split(picture, self._planes)
        return self._planes if self._encoding.startswith(self._color) else self._planes[::-1]


class _AreaMeans:
    """
    Averages areas as INTER_AREA does, where blocks of pixels become smaller ones.

    OpenCV does it one number at a time: 640x480 to 576x432, ten by ten pixels to nine by nine, in
    0.84 ms, and the products of blocks with the shares of pixels in 0.37 ms; a tie may be rounded
    to the other side (OpenCV 5.0, NumPy 2.4, x86-64, one thread).
    """

    def __init__(self, source: tuple[int, int], target: tuple[int, int]) -> None:
        (width, height), (new_width, new_height) = source, target
        across, down = gcd(width, new_width), gcd(height, new_height)
        self._down = _shares(height // down, new_height // down)
        self._across = np.ascontiguousarray(_shares(width // across, new_width // across).T)
        self._pixels = np.empty((height, width), np.float32)
        between = np.empty((new_height, width), np.float32)
        self._means = np.empty((new_height, new_width), np.float32)
        self._columns = self._pixels.reshape(down, -1, width), between.reshape(down, -1, width)
        rows = between, self._means
        self._rows = [each.reshape(new_height, across, -1).swapaxes(0, 1) for each in rows]

    def __call__(self, image: UInt8Array, dst: UInt8Array | None) -> Any:
        """Return the smaller image, in ``dst`` where there is one."""
        np.copyto(self._pixels, image)
        np.matmul(self._down, self._columns[0], out=self._columns[1])
        np.matmul(self._rows[0], self._across, out=self._rows[1])
        return cv2.convertScaleAbs(self._means, dst)  # it rounds


def _resizing(frame: Frame, size: tuple[int, int], interpolation: str, *, gray: bool) -> Any:
    """Return what resizes frames; it is called with an image and ``dst``."""
    source = frame.width, frame.height
    blocks = [(old // gcd(old, new), new // gcd(old, new)) for old, new in zip(source, size)]
    if (
        gray
        and interpolation == 'area'
        and all(SMALLEST_BLOCK <= new < old <= LARGEST_BLOCK for old, new in blocks)
        and max(source[0], size[1]) * max(old * new for old, new in blocks) <= ONE_THREAD
    ):
        return _AreaMeans(source, size)
    code = INTERPOLATION_CODES[interpolation]
    return partial(cv2.resize, dsize=size, interpolation=code)


def _shares(old: int, new: int) -> Float32Array:
    """Return what share each of some pixels has in each of fewer, (new, old)."""
    ends = np.arange(old + 1) * new  # in pieces of which each new pixel has as many as there are old
    firsts = np.arange(new)[:, None] * old
    overlap = np.minimum(firsts + old, ends[1:]) - np.maximum(firsts, ends[:-1])
    return np.asarray(np.maximum(overlap, 0) / old, np.float32)


def _placed(
    recipe: InputRecipe, *, left: int, top: int, width: int, height: int
) -> tuple[tuple[slice, slice], list[tuple[slice, slice]]]:
    """Return the rows and columns that a resized image takes, and those beside it."""
    left, top = max(0, left), max(0, top)
    right, bottom = min(recipe.width, left + width), min(recipe.height, top + height)
    rows, columns = slice(top, bottom), slice(left, right)
    beside = [
        (slice(0, top), slice(None)),
        (slice(bottom, recipe.height), slice(None)),
        (rows, slice(0, left)),
        (rows, slice(right, recipe.width)),
    ]
    sides = (top, recipe.height - bottom, left, recipe.width - right)
    return (rows, columns), [strip for strip, side in zip(beside, sides) if side]


def place(
    recipe: InputRecipe, *, width: int, height: int, rotation: int
) -> tuple[ImageTransform, tuple[int, int]]:
    """
    Decide where an image goes in the input of a network.

    A letterboxed image is as large as fits, and at least one pixel. In a centered letterbox an odd
    pixel of padding goes to the right or the bottom. Each rule is that of its origin, because
    published models were trained and are judged by it:

    * ``letterbox_center``, Ultralytics: sides are rounded to the nearest pixel, and boxes go back
      by the one ratio that was wanted before rounding.
    * ``letterbox_top_left``, YOLOX: the shorter side is rounded down, boxes go back by the ratio.
    * ``letterbox_center_floor``, NanoDet: rounded down, each side goes back by its own ratio.
    * ``center_crop``, classifiers of torchvision and Ultralytics: the image covers the input, its
      longer side is rounded down, and what is outside of the center is not seen.

    :param width: of the source image, in pixels, before it is turned.
    :return: the transform, and width and height of the resized image in pixels, which may be
        larger than the input.
    """
    turned = (height, width) if rotation in (90, 270) else (width, height)
    new_width, new_height = _resized(recipe, *turned)
    scale_x, scale_y = new_width / turned[0], new_height / turned[1]
    if recipe.resize in ('letterbox_top_left', 'letterbox_center'):
        scale_x = scale_y = min(recipe.width / turned[0], recipe.height / turned[1])
    left, top = recipe.width - new_width, recipe.height - new_height
    if recipe.resize == 'letterbox_top_left':
        offset_x = offset_y = 0
    elif recipe.resize == 'center_crop':  # rounded to the even one
        offset_x, offset_y = round(left / 2), round(top / 2)
    else:
        offset_x, offset_y = left // 2, top // 2
    transform = ImageTransform(
        source_width=width,
        source_height=height,
        input_width=recipe.width,
        input_height=recipe.height,
        scale_x=scale_x,
        scale_y=scale_y,
        offset_x=offset_x,
        offset_y=offset_y,
        rotation=rotation,
    )
    return transform, (new_width, new_height)


def _resized(recipe: InputRecipe, width: int, height: int) -> tuple[int, int]:
    """Return width and height of an image, which is turned already, after resizing."""
    if recipe.resize == 'stretch':
        return recipe.width, recipe.height
    if recipe.resize == 'letterbox_center':
        ratio = min(recipe.width / width, recipe.height / height)
        return max(1, round(width * ratio)), max(1, round(height * ratio))
    # In whole numbers, because int(49 * (1 / 49)) is 0.
    wider = width * recipe.height >= height * recipe.width
    if wider != (recipe.resize == 'center_crop'):  # it is as wide as the input
        return recipe.width, max(1, height * recipe.width // width)
    return max(1, width * recipe.height // height), recipe.height


def _normalization_tables(recipe: InputRecipe, quantization: Quantization | None) -> Tensor:
    """Return what each byte becomes in each channel, (256, channels); float16 as its bits."""
    dtype = np.dtype(recipe.dtype)
    # The defaults of mean and std have three numbers, also for a gray network.
    mean, std = np.resize(recipe.mean, recipe.channels), np.resize(recipe.std, recipe.channels)
    byte = np.arange(256)[:, None]
    values = (byte * recipe.scale - mean) / std
    if quantization is not None:
        values = values / quantization.scale + quantization.zero_point
    if dtype.kind != 'f':
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    tables = values.astype(dtype)
    return tables.view(np.int16) if dtype == np.float16 else tables


def _lookups(tables: Tensor, layout: str) -> list[Tensor | None]:
    """Return a table for each call of ``cv2.LUT``; None where bytes keep their value."""
    byte = np.arange(256)[:, None]
    if tables.dtype in (np.uint8, np.float32) and (tables == byte).all():
        return [None] * tables.shape[1]
    if layout == 'nchw':
        return [np.ascontiguousarray(table) for table in tables.T]
    if (tables == tables[:, :1]).all():
        return [np.ascontiguousarray(tables[:, 0])]  # one for all channels takes half the time
    return [np.ascontiguousarray(tables[None])]


def _check(frame: Frame) -> None:
    image = frame.image
    if (
        image.dtype != np.uint8
        or image.size == 0
        or image.shape[2:] != CHANNELS.get(frame.encoding)
        or image.ndim < 2
    ):
        raise ImageError(
            f'image of {frame.frame_id or "the camera"}: got encoding {frame.encoding!r} with '
            f'shape {image.shape} {image.dtype}, expected bgr8 or rgb8 with (height, width, 3) '
            'uint8, or mono8 with (height, width) uint8, and no side of 0'
        )
