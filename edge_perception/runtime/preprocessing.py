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

from functools import partial
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
from edge_perception.runtime.resizing.area_means import resizing
from edge_perception.runtime.resizing.placement import place
from edge_perception.runtime.resizing.placement import placed

UInt8Array = npt.NDArray[np.uint8]

ROTATE_CODES = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}
ROTATIONS = (0, *ROTATE_CODES)
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
        # A row at a time: NumPy repeats three values slowly; of 416x104 pixels in a folded
        # YOLOX-nano 0.41 instead of 0.59 ms for all of preprocessing.
        row = np.tile(self._fill, (fitted.width, 1))
        self._fill_row = row if fitted.channels > 1 else row[:, 0]
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
                free = whole[strip]
                free[:] = self._fill_row[: free.shape[1]]
            targets = whole[drawing.place][None]
            # Bytes that stay as they are can be drawn where they belong.
            if self._tables is None and out.dtype == np.uint8 and not drawing.cropped:
                drawing.draw(image, targets[0])
                return
            sources = drawing.draw(image)[None]
        else:
            for strip in drawing.free:
                for plane, value in zip(out[0], self._fill):
                    plane[strip] = value
            targets = out[0][(slice(None), *drawing.place)]
            sources = drawing.planes(image)
        if self._tables is None:
            np.copyto(targets, sources)
            return
        for source, table, target in zip(sources, self._tables, targets):
            cv2.LUT(source, table, target)


class _Drawing:
    """
    How frames of one size and encoding become a picture of the size and color of the input.

    :param place: rows and columns of the input that show the picture.
    :param free: those that show nothing.
    :param cropped: whether the picture is a part of what is drawn.
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
        self.place, self.free = placed(recipe, left=left, top=top, width=width, height=height)
        # Of an image that is larger than the input, the center is the picture.
        x, y = max(0, -left), max(0, -top)
        self._seen = slice(y, y + recipe.height), slice(x, x + recipe.width)
        self.cropped = width > recipe.width or height > recipe.height
        self._color, self._channels = recipe.color, recipe.channels
        gray = recipe.color == 'gray' or frame.encoding == 'mono8'
        # Resizing comes first: networks see less than cameras, so the rest has less to do.
        turned = (height, width) if rotation in (90, 270) else (width, height)
        self._steps: list[Any] = [resizing(frame, turned, recipe.interpolation, gray=gray)]
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
        self._planes: UInt8Array | None = None

    def fits(self, frame: Frame) -> bool:
        """Tell whether a frame has this size and encoding."""
        return frame.image.shape == self._shape and frame.encoding == self._encoding

    def draw(self, image: UInt8Array, target: Tensor | None = None) -> UInt8Array:
        """
        Return the picture; it is valid until the next call.

        :param target: where to draw one that is not cropped; it is not kept.
        """
        *first, last = self._steps
        for index, step in enumerate(first):
            image = self._targets[index] = step(image, dst=self._targets[index])
        if target is not None:
            last(image, dst=target)
            return target
        image = self._targets[-1] = last(image, dst=self._targets[-1])
        return image[self._seen] if self.cropped else image

    def planes(self, image: UInt8Array) -> UInt8Array:
        """Return the channels of the picture in the order of the input, as ``draw`` does."""
        picture = self.draw(image)
        if picture.ndim == 2:
            return np.broadcast_to(picture, (self._channels, *picture.shape))
        if self._planes is None:
            self._planes = np.empty((3, *picture.shape[:2]), np.uint8)
        cv2.split(picture, list(self._planes))
        return self._planes if self._encoding.startswith(self._color) else self._planes[::-1]


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
    return np.asarray(tables.view(np.int16)) if dtype == np.float16 else tables


def _lookups(tables: Tensor, layout: str) -> list[Tensor] | None:
    """Return a table for each call of ``cv2.LUT``; None where bytes keep their value."""
    byte = np.arange(256)[:, None]
    if tables.dtype in (np.uint8, np.float32) and (tables == byte).all():
        return None
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
