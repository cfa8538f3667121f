# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Draw the landing pad for printing, to scale: PDF, as one page or tiled over sheets, and PNG."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import io
import math
import re
from typing import Any

from edge_perception.contract import ConfigurationError
from edge_perception.simulation import landing_pad as pad
from edge_perception.tooling.reports.plots import NO_MATPLOTLIB

# Width and height in millimeters.
PAPER = {'a4': (210.0, 297.0), 'a3': (297.0, 420.0), 'letter': (215.9, 279.4)}
# Printers leave a border free, in millimeters.
MARGIN = 10.0
# Without today's date and fonts of its own, the same pad is the same file; and a small one.
STYLE = {'pdf.compression': 0, 'pdf.use14corefonts': True, 'font.family': 'Helvetica'}
MILLIMETERS_PER_INCH = 25.4


@dataclass(frozen=True, slots=True)
class Sheet:
    """
    A piece of the drawing on one sheet; millimeters of the drawing from its upper left corner.

    :param name: row as a letter, column as a number.
    """

    name: str
    left: float
    top: float
    width: float
    height: float


def sheets(side: float, *, paper: str) -> tuple[Sheet, ...]:
    """
    Return how the drawing is cut into sheets, row by row.

    :param side: meters.
    :param paper: a key of ``PAPER``; turned to landscape where that takes fewer sheets.
    :raises ValueError: unknown paper, or a side that is not above 0.
    """
    size = millimeters(side)
    width, height = (length - 2 * MARGIN for length in _paper_size(size, paper))
    return tuple(
        Sheet(
            name=f'{_letters(row)}{column + 1}',
            left=column * width,
            top=row * height,
            width=min(width, size - column * width),
            height=min(height, size - row * height),
        )
        for row in range(_count(size, height))
        for column in range(_count(size, width))
    )


def pdf(side: float, *, paper: str | None = None) -> bytes:
    """
    Return the drawing as PDF, in vectors.

    :param side: meters.
    :param paper: a key of ``PAPER`` to tile it over sheets with marks for cutting; None makes one
        page of the size of the pad.
    :raises ValueError: unknown paper, or a side that is not above 0.
    :raises ConfigurationError: matplotlib is missing.
    """
    size = millimeters(side)
    tiles = sheets(side, paper=paper) if paper else (Sheet('', 0.0, 0.0, size, size),)
    paper_size = _paper_size(size, paper) if paper else (size, size)
    file = io.BytesIO()
    with _needing_matplotlib():
        from matplotlib import rc_context
        from matplotlib.backends.backend_pdf import PdfPages

        with rc_context(STYLE), PdfPages(file, metadata={'CreationDate': None}) as document:
            for tile in tiles:
                page = _page(tile, size, paper_size, margin=MARGIN if paper else 0.0)
                document.savefig(page)
    return file.getvalue()


def png(side: float, *, dots_per_inch: int = 150) -> bytes:
    """
    Return the drawing as a gray PNG that knows its size.

    :param side: meters.
    :raises ValueError: a side that is not above 0.
    :raises ConfigurationError: matplotlib, which brings Pillow, is missing.
    """
    inches = millimeters(side) / MILLIMETERS_PER_INCH
    # The drawing has 24 steps; with a multiple of it no pixel is gray.
    pixels = 24 * max(1, round(inches * dots_per_inch / 24))
    file = io.BytesIO()
    with _needing_matplotlib():
        from PIL import Image

        Image.fromarray(pad.raster(pixels)).save(file, 'PNG', dpi=(pixels / inches,) * 2)
    return file.getvalue()


def _page(tile: Sheet, size: float, paper: tuple[float, float], *, margin: float) -> Any:
    """Return a figure of the size of the paper with one piece of the drawing."""
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path
    from matplotlib.transforms import Affine2D

    figure = Figure((paper[0] / MILLIMETERS_PER_INCH, paper[1] / MILLIMETERS_PER_INCH))
    figure.patch.set_visible(False)
    # Millimeters from the upper left corner of the paper, y downwards.
    inches = 1 / MILLIMETERS_PER_INCH
    scale = Affine2D().translate(0, -paper[1]).scale(inches, -inches) + figure.dpi_scale_trans
    corners, right, bottom = [], tile.left + tile.width, tile.top + tile.height
    for bar in bars():
        x = [min(max(v * size, tile.left), right) for v in (bar.left, bar.left + bar.width)]
        y = [min(max(v * size, tile.top), bottom) for v in (bar.top, bar.top + bar.height)]
        if x[0] < x[1] and y[0] < y[1]:
            x, y = [v - tile.left + margin for v in x], [v - tile.top + margin for v in y]
            corners += [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1]), (x[0], y[0])]
    codes = [Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY] * (len(corners) // 5)
    if corners:
        black = PathPatch(Path(corners, codes), facecolor='black', linewidth=0, transform=scale)
        figure.add_artist(black)
    if margin:
        marks = LineCollection(_marks(tile), colors='0.5', linewidths=0.3, transform=scale)
        figure.add_artist(marks)
        figure.text(MARGIN + 3, MARGIN - 3, tile.name, size=8, color='0.5', transform=scale)
    return figure


def _marks(tile: Sheet) -> list[list[tuple[float, float]]]:
    """Return lines at the corners to cut along, outside of the drawing; millimeters."""
    lines = []
    for x, out in ((MARGIN, -1), (MARGIN + tile.width, 1)):
        for y, away in ((MARGIN, -1), (MARGIN + tile.height, 1)):
            lines.append([(x + 2 * out, y), (x + 7 * out, y)])
            lines.append([(x, y + 2 * away), (x, y + 7 * away)])
    return lines


@contextmanager
def _needing_matplotlib() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigurationError('pad', [f'{NO_MATPLOTLIB}; .svg needs neither']) from error


def _paper_size(size: float, paper: str) -> tuple[float, float]:
    """Return width and height of a sheet, turned as it takes fewer."""
    if paper not in PAPER:
        raise ValueError(f'paper: got {paper!r}, expected one of {", ".join(PAPER)}')

    def count(sheet: tuple[float, float]) -> int:
        return math.prod(_count(size, length - 2 * MARGIN) for length in sheet)

    return min((PAPER[paper], PAPER[paper][::-1]), key=count)


def _count(size: float, length: float) -> int:
    return math.ceil(size / length - 1e-9)


def _letters(row: int) -> str:
    letter = chr(ord('A') + row % 26)
    return letter if row < 26 else _letters(row // 26 - 1) + letter


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
