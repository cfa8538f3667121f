# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The landing pad for printing, to scale: black rectangles, and SVG; ``pad_drawing`` makes the rest.

The drawing is surrounded by nothing: whatever it lies on is its margin.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
import math

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
