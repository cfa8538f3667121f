# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception pad``: the landing pad for printing, to scale."""

from __future__ import annotations

import math
from pathlib import Path

import click

from edge_perception.cli.files import replacing
from edge_perception.cli.files import writing
from edge_perception.contract import ConfigurationError
from edge_perception.simulation import pad_art
from edge_perception.simulation import pad_pdf

EXAMPLES = """\b
Examples:
  edge-perception pad --size 0.6 --out pad.pdf
  edge-perception pad --size 1.2 --out pad.pdf --paper a3
  edge-perception pad --size 0.2 --out pad.png --dpi 300
"""
SUFFIXES = ('.pdf', '.svg', '.png')
# Metres. From a pad of 2 cm a camera cannot keep the distance that it needs to be sharp; a pad of
# 20 m is seen from 190 m.
SMALLEST, LARGEST = 0.02, 20.0
DOTS_PER_INCH = 150
# A picture with more pixels opens in hardly any program; PDF and SVG have no pixels.
MAX_PIXELS = 400e6


@click.command('pad', epilog=EXAMPLES)
@click.option(
    '--size',
    type=click.FloatRange(SMALLEST, LARGEST),
    required=True,
    metavar='METRES',
    help='Side of the pad.',
)
@click.option(
    '--out',
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar='FILE',
    help='What to write; the suffix decides: .pdf, .svg or .png.',
)
@click.option(
    '--paper',
    type=click.Choice([*pad_pdf.PAPER], case_sensitive=False),
    help='Tile a PDF over sheets of this paper; without, it has one page of the size of the pad.',
)
@click.option(
    '--dpi',
    type=click.IntRange(10, 2400),
    help=f'Dots per inch of a PNG, {DOTS_PER_INCH} unless given.',
)
def command(size: float, out: Path, paper: str | None, dpi: int | None) -> None:
    """
    Draw the landing pad for printing, to scale.

    A pad is found from about 0.7 to 9.5 times its size. Print it matt, without scaling, and lay it
    flat on anything; cut tiled sheets at the marks. The model takes it for 1 m wide: docs/demo.md
    says what to do for another size.
    """
    suffix = out.suffix.lower()
    _check(suffix, size=size, out=out, paper=paper, dpi=dpi)
    if suffix == '.pdf':
        data = pad_pdf.pdf(size, paper=paper)
    elif suffix == '.svg':
        data = pad_art.svg(size).encode()
    else:
        data = pad_art.png(size, dots_per_inch=dpi or DOTS_PER_INCH)
    with replacing(out) as temporary, writing(out):
        temporary.write_bytes(data)
    sheets = len(pad_pdf.pages(size, paper=paper)) if paper else 0
    tiled = f' on {sheets} {"sheet" if sheets == 1 else "sheets"} of {paper}' if paper else ''
    click.echo(f'{out}: {size * 1000:g} x {size * 1000:g} mm{tiled}')


def _check(suffix: str, *, size: float, out: Path, paper: str | None, dpi: int | None) -> None:
    """
    Check what belongs together.

    :raises ConfigurationError: with all that is wrong.
    """
    problems = []
    if math.isnan(size):  # in no range, and yet let through
        raise ConfigurationError('pad', [f'--size got nan, expected {SMALLEST:g} to {LARGEST:g}'])
    if suffix not in SUFFIXES:
        problems.append(
            f'--out got {str(out)!r}, expected a file that ends in {", ".join(SUFFIXES)}'
        )
    elif paper and suffix != '.pdf':
        problems.append(f'--paper only goes with .pdf, got {suffix}; print the file as one sheet')
    if suffix in ('.pdf', '.svg') and dpi:
        problems.append(f'--dpi only goes with .png, got {suffix}, which is sharp at any size')
    dots = dpi or DOTS_PER_INCH
    pixels = (size * 1000 / pad_art.MILLIMETRES_PER_INCH * dots) ** 2
    if suffix == '.png' and pixels > MAX_PIXELS:
        problems.append(
            f'--size got {size:g} m at {dots} dpi, which is {pixels / 1e6:.0f} million pixels, '
            f'expected at most {MAX_PIXELS / 1e6:.0f} million; lower --dpi or write a PDF'
        )
    if problems:
        raise ConfigurationError('pad', problems)
