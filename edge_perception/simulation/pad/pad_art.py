# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The landing pad for printing, to scale: SVG and PNG; ``pad_pdf`` makes PDF.

The drawing is surrounded by nothing: whatever it lies on is its margin.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
import math
import struct
import zlib

import numpy as np
import numpy.typing as npt

from edge_perception.simulation.pad import landing_pad as pad

MILLIMETERS_PER_INCH = 25.4


@dataclass(frozen=True, slots=True)
class Bar:
    """A black rectangle of the drawing; lengths in sides of the pad from its upper left corner."""

    left: float
    top: float
    width: float
    height: float


def bars() -> tuple[Bar, ...]:
    """Return the drawing as black rectangles: neighboring cells of a row are one."""
    found = []
    black = [cell for cell in pad.cells() if cell.black]
    black.sort(key=lambda cell: (cell.size, round(cell.top, 6), cell.left))
    for (size, top), row in groupby(black, key=lambda cell: (cell.size, round(cell.top, 6))):
        run: list[float] = []
        for cell in row:
            if run and not math.isclose(run[-1] + size, cell.left):
                found.append(Bar(run[0], top, run[-1] + size - run[0], size))
                run = []
            run.append(cell.left)
        found.append(Bar(run[0], top, run[-1] + size - run[0], size))
    return tuple(found)


def svg(side: float) -> str:
    """
    Return the drawing as SVG.

    :param side: meters.
    """
    size = millimeters(side)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size:g}mm" height="{size:g}mm" '
        f'viewBox="0 0 {size:g} {size:g}">',
        f'<rect width="{size:g}" height="{size:g}" fill="white"/>',
        '<path fill="black" d="'
        + ' '.join(
            f'M{short(bar.left * size)} {short(bar.top * size)}h{short(bar.width * size)}'
            f'v{short(bar.height * size)}h{short(-bar.width * size)}z'
            for bar in bars()
        )
        + '"/>',
        '</svg>',
    ]
    return '\n'.join(lines) + '\n'


def png(side: float, *, dots_per_inch: int = 150) -> bytes:
    """
    Return the drawing as a gray PNG that knows its size.

    :param side: meters.
    """
    size = millimeters(side)
    # The drawing has 24 steps; with a multiple of it no pixel is gray.
    steps = size / MILLIMETERS_PER_INCH * dots_per_inch / 24
    pixels = 24 * max(1, round(steps))
    per_meter = round(pixels / side)
    return _png(pad.raster(pixels), per_meter)


def millimeters(side: float) -> float:
    """
    Return the side of a pad in millimeters.

    :raises ValueError: not a length above 0.
    """
    if not (math.isfinite(side) and side > 0):
        raise ValueError(f'side: got {side}, expected meters above 0')
    return side * 1000


def short(value: float) -> str:
    """Return a length in thousandths of a millimeter, without zeros at the end."""
    return f'{value:.3f}'.rstrip('0').rstrip('.')


def _png(image: npt.NDArray[np.uint8], pixels_per_meter: int) -> bytes:
    """Return a PNG with its physical size, which cv2 cannot write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))

    height, width = image.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), image], axis=1)
    return (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0))
        + chunk(b'pHYs', struct.pack('>IIB', pixels_per_meter, pixels_per_meter, 1))
        + chunk(b'IDAT', zlib.compress(rows.tobytes(), 9))
        + chunk(b'IEND', b'')
    )
