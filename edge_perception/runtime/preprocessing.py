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

Into float16 the table takes 0.39 ms where ``np.multiply`` takes 2.53 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        self._tables = _normalization_tables(fitted, quantization)
        self._planes = list(np.empty((recipe.channels, recipe.height, recipe.width), np.uint8))
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
        self._normalize(self._drawing.draw(frame.image), out)
        return self._drawing.transform

    def _normalize(self, canvas: UInt8Array, out: Tensor) -> None:
        if out.dtype == np.float16:
            out = out.view(np.int16)  # as the tables: cv2.LUT moves bits and knows no float16
        sources: Sequence[Any]
        if self._recipe.layout == 'nhwc':
            sources, targets = [canvas], [out.reshape(canvas.shape)]
        else:
            sources = [canvas] if canvas.ndim == 2 else cv2.split(canvas, self._planes)
            targets = list(out[0])
        for source, table, target in zip(sources, self._tables, targets):
            if table is None:
                np.copyto(target, source)
            else:
                cv2.LUT(source, table, target)


class _Drawing:
    """
    How frames of one size and encoding become a picture of the size and color of the input.

    The picture is drawn again for each frame, but for the padding, which stays.
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
        # A crop is drawn whole, and its center is the picture.
        canvas = np.full(
            (max(height, recipe.height), max(width, recipe.width))
            + (() if recipe.channels == 1 else (3,)),
            recipe.fill,
            np.uint8,
        )
        left, top = int(self.transform.offset_x), int(self.transform.offset_y)
        x, y = max(0, -left), max(0, -top)
        self._picture = canvas[y : y + recipe.height, x : x + recipe.width]
        left, top = max(0, left), max(0, top)
        # Resizing comes first: networks see less than cameras, so the rest has less to do.
        self._steps: list[Any] = [
            partial(
                cv2.resize,
                dsize=(height, width) if rotation in (90, 270) else (width, height),
                interpolation=INTERPOLATION_CODES[recipe.interpolation],
            )
        ]
        if rotation:
            self._steps.append(partial(cv2.rotate, rotateCode=ROTATE_CODES[rotation]))
        if (frame.encoding, recipe.color) in COLOR_CODES:
            code = COLOR_CODES[frame.encoding, recipe.color]
            # But averaging areas reads every pixel, and one channel in half the time of three;
            # rounding makes a gray level of difference.
            early = (recipe.color, recipe.interpolation) == ('gray', 'area')
            self._steps.insert(0 if early else len(self._steps), partial(cv2.cvtColor, code=code))
        # None: OpenCV makes the array at the first frame. The last step draws on the canvas.
        self._targets: list[UInt8Array | None] = [None] * len(self._steps)
        self._targets[-1] = canvas[top : top + height, left : left + width]

    def fits(self, frame: Frame) -> bool:
        """Tell whether a frame has this size and encoding."""
        return frame.image.shape == self._shape and frame.encoding == self._encoding

    def draw(self, image: UInt8Array) -> UInt8Array:
        """Return the picture; it is valid until the next call."""
        for index, step in enumerate(self._steps):
            image = step(image, dst=self._targets[index])
            self._targets[index] = image
        return self._picture


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


def _normalization_tables(
    recipe: InputRecipe, quantization: Quantization | None
) -> list[Tensor | None]:
    """Return what each byte becomes, for each call of ``cv2.LUT``; None where it stays a byte."""
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
    if dtype == np.uint8 and (tables == byte).all():
        return [None] * recipe.channels
    if dtype == np.float16:
        tables = tables.view(np.int16)
    if recipe.layout == 'nchw':
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
