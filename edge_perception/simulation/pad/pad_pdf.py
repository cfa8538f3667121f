# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The landing pad as PDF, to scale, in vectors: one page of its size, or tiled over sheets of paper.

Written by hand: rectangles, lines and a short text are all that it takes. Source: ISO 32000-1, PDF
1.4 as of 2001.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

from edge_perception.simulation.pad.pad_art import bars
from edge_perception.simulation.pad.pad_art import millimeters
from edge_perception.simulation.pad.pad_art import MILLIMETERS_PER_INCH
from edge_perception.simulation.pad.pad_art import short

# Width and height in millimeters.
PAPER = {'a4': (210.0, 297.0), 'a3': (297.0, 420.0), 'letter': (215.9, 279.4)}
# Printers leave a border free, in millimeters.
MARGIN = 10.0
_POINTS_PER_MILLIMETER = 72 / MILLIMETERS_PER_INCH


@dataclass(frozen=True, slots=True)
class Page:
    """
    A piece of the drawing on one sheet; millimeters of the drawing from its upper left corner.

    :param name: row as a letter, column as a number.
    """

    name: str
    left: float
    top: float
    width: float
    height: float


def pdf(side: float, *, paper: str | None = None) -> bytes:
    """
    Return the drawing as PDF.

    :param side: meters.
    :param paper: a key of ``PAPER`` to tile it over sheets with marks for cutting; None makes one
        page of the size of the pad.
    :raises ValueError: unknown paper, or a side that is not above 0.
    """
    size = millimeters(side)
    if paper is None:
        whole = Page('', 0.0, 0.0, size, size)
        return _file([_black(whole, size, margin=0.0)], (size, size))
    contents = [
        _black(page, size, margin=MARGIN) + _marks(page) for page in pages(side, paper=paper)
    ]
    return _file(contents, _sheet(size, paper))


def pages(side: float, *, paper: str = 'a4') -> tuple[Page, ...]:
    """
    Return how the drawing is cut into sheets, row by row.

    :param side: meters.
    :param paper: a key of ``PAPER``; turned to landscape where that takes fewer sheets.
    :raises ValueError: unknown paper, or a side that is not above 0.
    """
    size = millimeters(side)
    width, height = _usable(size, paper)
    columns, rows = math.ceil(size / width - 1e-9), math.ceil(size / height - 1e-9)
    return tuple(
        Page(
            name=f'{_letters(row)}{column + 1}',
            left=column * width,
            top=row * height,
            width=min(width, size - column * width),
            height=min(height, size - row * height),
        )
        for row in range(rows)
        for column in range(columns)
    )


def _black(page: Page, size: float, *, margin: float) -> list[str]:
    """Return the rectangles on a page as drawing operators; millimeters, y downwards."""
    operators = []
    for bar in bars():
        left, top = max(bar.left * size, page.left), max(bar.top * size, page.top)
        right = min((bar.left + bar.width) * size, page.left + page.width)
        bottom = min((bar.top + bar.height) * size, page.top + page.height)
        if left < right and top < bottom:
            place = (
                left - page.left + margin,
                top - page.top + margin,
                right - left,
                bottom - top,
            )
            operators.append(' '.join(short(value) for value in place) + ' re')
    return [*operators, 'f'] if operators else []


def _marks(page: Page) -> list[str]:
    """Return corners to cut along, outside of the drawing, and the name of the sheet."""
    operators = ['0.5 G 0.1 w']
    for x, out in ((MARGIN, -1), (MARGIN + page.width, 1)):
        for y, away in ((MARGIN, -1), (MARGIN + page.height, 1)):
            for start, end in (((2, 0), (7, 0)), ((0, 2), (0, 7))):
                a = f'{short(x + out * start[0])} {short(y + away * start[1])} m'
                b = f'{short(x + out * end[0])} {short(y + away * end[1])} l S'
                operators.append(f'{a} {b}')
    place = f'1 0 0 -1 {short(MARGIN + 3)} {short(MARGIN - 3)} Tm'
    return [*operators, f'BT 0.5 g /F1 3 Tf {place} ({page.name}) Tj ET']


def _file(contents: list[list[str]], sheet: tuple[float, float]) -> bytes:
    """Return a PDF file with a page for each list of operators."""
    width, height = (short(value * _POINTS_PER_MILLIMETER) for value in sheet)
    # PDF counts points from the lower left; the operators, millimeters from the upper left.
    scale = f'{_POINTS_PER_MILLIMETER:.6f}'
    matrix = f'{scale} 0 0 -{scale} 0 {height} cm'
    kids = ' '.join(f'{4 + 2 * index} 0 R' for index in range(len(contents)))
    objects = [
        '<</Type/Catalog/Pages 2 0 R>>',
        f'<</Type/Pages/Kids[{kids}]/Count {len(contents)}>>',
        '<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>',
    ]
    for index, operators in enumerate(contents):
        stream = '\n'.join([matrix, *operators])
        objects.append(
            f'<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width} {height}]'
            f'/Resources<</Font<</F1 3 0 R>>>>/Contents {5 + 2 * index} 0 R>>'
        )
        objects.append(f'<</Length {len(stream)}>>\nstream\n{stream}\nendstream')
    text, offsets = '%PDF-1.4\n', []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(text))
        text += f'{number} 0 obj\n{body}\nendobj\n'
    table = ''.join(f'{offset:010d} 00000 n \n' for offset in offsets)
    count = len(objects) + 1
    text += (
        f'xref\n0 {count}\n0000000000 65535 f \n{table}'
        f'trailer\n<</Size {count}/Root 1 0 R>>\nstartxref\n{len(text)}\n%%EOF\n'
    )
    return text.encode('ascii')


def _usable(size: float, paper: str) -> tuple[float, float]:
    width, height = _sheet(size, paper)
    return width - 2 * MARGIN, height - 2 * MARGIN


def _sheet(size: float, paper: str) -> tuple[float, float]:
    """Return width and height of a sheet, turned as it takes fewer."""
    if paper not in PAPER:
        raise ValueError(f'paper: got {paper!r}, expected one of {", ".join(PAPER)}')
    upright = PAPER[paper]

    def count(sheet: tuple[float, float]) -> int:
        return math.ceil(size / (sheet[0] - 2 * MARGIN)) * math.ceil(
            size / (sheet[1] - 2 * MARGIN)
        )

    return min((upright, upright[::-1]), key=count)


def _letters(row: int) -> str:
    letter = chr(ord('A') + row % 26)
    return letter if row < 26 else _letters(row // 26 - 1) + letter
