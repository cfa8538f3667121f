# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Reduce samples of 16 bits to the 8 bits of a frame."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

SAMPLE_RANGES = ('full', 'bits', 'percentile')
# What becomes black and white with percentile; dead and hot pixels lie outside.
PERCENTILES = (1, 99)
# With fewer gray levels a model sees next to nothing. A level counts from a share of the pixels.
FEW_LEVELS = 16
LEVEL_SHARE = 0.001
# So many pixels tell percentiles and levels.
LOOKED_AT = 20_000


class SampleRange:
    """
    Choose which range of 16-bit samples becomes 0 to 255. One for each camera; one thread.

    :param kind: ``full``: all 16 bits, so that the upper byte counts; ``bits``: as few bits as
        hold the largest sample of this camera so far; ``percentile``: those of each image.
    """

    def __init__(self, kind: str = 'full') -> None:
        self.kind = kind
        self._bits = 8
        # Why the last image shows hardly anything, in words; empty when it does.
        self.problem = ''

    def to_8_bits(self, samples: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
        """
        Return the samples as uint8, in new memory of the same shape.

        :param samples: uint16 of either byte order, without gaps within a row.
        """
        reduced = self._reduce(samples)
        self.judge(samples, reduced)
        return reduced

    def judge(self, samples: npt.NDArray[np.uint16], reduced: npt.NDArray[np.uint8]) -> None:
        """Note whether few gray levels remain of many."""
        self.problem = ''
        step = _step(samples)
        counts = np.bincount(reduced[::step, ::step].ravel(), minlength=256)
        levels = int((counts > LEVEL_SHARE * counts.sum()).sum())
        if levels >= FEW_LEVELS:
            return
        values = np.unique(samples[::step, ::step])
        if len(values) > 2 * levels:
            self.problem = (
                f'{levels} gray levels are left of 16-bit samples from {values[0]} to '
                f'{values[-1]} (mono16_range is {self.kind})'
            )

    def _reduce(self, samples: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
        if self.kind == 'full':
            return _upper_byte(samples)
        samples = samples.astype(np.uint16, copy=False)
        if self.kind == 'bits':
            self._bits = max(self._bits, int(samples.max()).bit_length())
            return (samples >> (self._bits - 8)).astype(np.uint8)
        step = _step(samples)
        low, high = np.percentile(samples[::step, ::step], PERCENTILES)
        table = (np.arange(1 << 16) - low) * (255 / max(high - low, 1))
        return np.take(np.clip(np.rint(table), 0, 255).astype(np.uint8), samples)


def _step(samples: npt.NDArray[Any]) -> int:
    """Return which rows and columns to look at, every so many-th."""
    return max(1, int((samples.shape[0] * samples.shape[1] / LOOKED_AT) ** 0.5))


def _upper_byte(samples: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    rows = samples.reshape(len(samples), -1) if samples.flags.c_contiguous else samples
    low_byte_first = rows.dtype == np.dtype('<u2')
    parts = rows.view(np.uint8).reshape(*rows.shape, 2)
    return np.asarray(cv2.extractChannel(parts, int(low_byte_first)), np.uint8).reshape(
        samples.shape
    )
