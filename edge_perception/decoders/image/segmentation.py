# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Segmentation: a class for each pixel of the source image.

One output: logits or probabilities (1, C, H, W) or (1, H, W, C), whose greatest channel is the
class; one channel of floats, whose class is 1 where it reaches ``foreground_threshold``; or a
finished map of classes (1, H, W), also with one channel, of integers. At most 256 classes. H and
W need not be those of the input.

The mask is uint8 of the size of the source image. A pixel has the class of the cell that its
center falls into; letterbox and rotation are undone. (Enlarging the logits instead would give
smoother edges, at the price of C images of the size of the source for each frame.)
``Selection`` does not apply: every pixel has a class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edge_perception.contract import Decoder
from edge_perception.contract import FileFacts
from edge_perception.contract import Guess
from edge_perception.contract import ImageTransform
from edge_perception.contract import option
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.contract import Tensor
from edge_perception.contract import Tensors
from edge_perception.contract.boxes import check_finite
from edge_perception.contract.boxes import Indices
from edge_perception.contract.boxes import only_image
from edge_perception.contract.types import UInt8Array
from edge_perception.decoders.score_maps import shrinkage

MAX_CLASSES = 256


@dataclass(frozen=True, slots=True)
class SegmentationOptions(Options):
    """What manifests may write under ``decoder.options``."""

    layout: str = option(
        'auto',
        'where the classes are in the shape of the output',
        choices=('auto', 'nchw', 'nhwc'),
    )
    foreground_threshold: float = option(
        0.5, 'from which value on a model with one channel means its class; 0 for logits'
    )


class SegmentationDecoder(Decoder):
    """A mask of classes."""

    name = 'segmentation'
    tasks = frozenset({'mask'})
    options_type: ClassVar[type[Options]] = SegmentationOptions
    options: SegmentationOptions
    class_count: int | None = None

    @classmethod
    def guess(cls, facts: FileFacts) -> Guess | None:
        """Recognize maps of the classes; metadata with labels makes it certain."""
        found = shrinkage(facts)
        if found is None or found[1] > MAX_CLASSES:
            return None
        labels = facts.outputs[0].get('labels') if facts.outputs else None
        return Guess('a segmentation', bool(labels), found[1])

    def _bind(self) -> None:
        spec = self.outputs[0] if len(self.outputs) == 1 else None
        if spec is None or len(spec.shape) not in (3, 4) or spec.shape[0] not in (1, -1):
            raise self.mismatch('one output 1xCxHxW, 1xHxWxC, or a map of classes 1xHxW')
        self._output = spec.name
        self._ready = np.issubdtype(spec.dtype, np.integer)
        self._channel_axis: int | None = None
        if len(spec.shape) == 4:
            self._channel_axis = self._find_channels(spec.shape)
            count = spec.shape[self._channel_axis]
            if (self._ready and count > 1) or count > MAX_CLASSES:
                raise self.mismatch(
                    f'one channel of integers, or at most {MAX_CLASSES} channels of floats, one '
                    'for each class (the option layout tells which dimension the channels are)'
                )
            if not self._ready and count > 0:
                self.class_count = max(count, 2)
        elif not self._ready:
            raise self.mismatch('integers in a map of classes 1xHxW')
        self._lookup: tuple[ImageTransform, Indices, Indices] | None = None

    def _find_channels(self, shape: tuple[int, ...]) -> int:
        """Return the dimension of the channels: asked for, told by its size, or usual."""
        if self.options.layout != 'auto':
            return 1 if self.options.layout == 'nchw' else 3
        for count in (1, len(self.manifest.labels)):
            fits = [axis for axis in (1, 3) if shape[axis] == count]
            if len(fits) == 1:
                return fits[0]
        return 1 if self.manifest.input.layout == 'nchw' else 3

    def _decode(
        self, tensors: Tensors, transform: ImageTransform, selection: Selection
    ) -> Perception:
        output = only_image(tensors[self._output])
        channels = None
        if self._channel_axis is not None:
            channels = np.moveaxis(output, self._channel_axis - 1, 0)
        height, width = output.shape if channels is None else channels.shape[1:]
        rows, columns = self._cells(transform, height, width)
        # Only the part that shows the image: a letterboxed frame fills half of a square.
        window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        part = output[window] if channels is None else channels[(slice(None), *window)]
        classes = self._classes(part)
        turned = classes[rows[:, None] - rows[0], columns - columns[0]]
        return Perception(mask=np.ascontiguousarray(np.rot90(turned, transform.rotation // 90)))

    def _classes(self, part: Tensor) -> UInt8Array:
        """Return the class of each cell, from a finished map (h, w) or from channels (C, h, w)."""
        if self._ready:
            ready = part if part.ndim == 2 else part[0]
            low, high = int(ready.min()), int(ready.max())
            if low < 0 or high >= MAX_CLASSES:
                raise ValueError(
                    f'the model gave class {low if low < 0 else high}, '
                    f'expected 0 to {MAX_CLASSES - 1}'
                )
            return np.asarray(ready, np.uint8)
        check_finite(part.max(), 'logits')
        if len(part) == 1:
            classes = part[0] >= self.options.foreground_threshold
        else:
            classes = np.argmax(part, axis=0)
        return np.asarray(classes, np.uint8)

    def _cells(
        self, transform: ImageTransform, height: int, width: int
    ) -> tuple[Indices, Indices]:
        """Return the row and the column of the output for each of the turned source image."""
        if self._lookup is None or self._lookup[0] != transform:
            sideways = transform.rotation in (90, 270)
            across, down = transform.source_width, transform.source_height
            if sideways:
                across, down = down, across
            x = (np.arange(across) + 0.5) * transform.scale_x + transform.offset_x
            y = (np.arange(down) + 0.5) * transform.scale_y + transform.offset_y
            rows = np.floor(y * height / transform.input_height).astype(np.intp)
            columns = np.floor(x * width / transform.input_width).astype(np.intp)
            self._lookup = (
                transform,
                np.clip(rows, 0, height - 1),
                np.clip(columns, 0, width - 1),
            )
        return self._lookup[1:]
