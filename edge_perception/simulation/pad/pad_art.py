# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Draw the landing pad to scale: black rectangles, and SVG; ``pad_drawing`` draws PDF and PNG.

The drawing has no margin: the ground around the pad is its margin.
"""

from __future__ import annotations

from dataclasses import dataclass
import math
import re

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
    parts = ((pad.FINE, pad.FINE_CELL, pad.FINE_ORIGIN), (pad.COARSE, pad.COARSE_CELL, 0.0))
    return tuple(
        Bar(origin + run.start() * size, origin + row * size, len(run[0]) * size, size)
        for rows, size, origin in parts
        for row, marks in enumerate(rows)
        for run in re.finditer('#+', marks)
    )


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
