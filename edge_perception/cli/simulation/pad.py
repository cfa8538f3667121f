# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception pad``: draw the landing pad for printing, to scale."""

from __future__ import annotations

from contextlib import ExitStack
import math
from pathlib import Path
import shlex

import click

from edge_perception.contract import ConfigurationError
from edge_perception.contract.user_files import write_whole
from edge_perception.contract.user_files import writing
from edge_perception.simulation.landing_pad import LARGEST
from edge_perception.simulation.landing_pad import SMALLEST
from edge_perception.tooling import pad_drawing
from edge_perception.tooling.notes import note
from edge_perception.tooling.notes import tell
from edge_perception.tooling.pad_model import new_model

EXAMPLES = """\b
Examples:
  edge-perception pad --size 0.6 --out pad.pdf --model landing_pad_0.6m
  edge-perception pad --size 1.2 --out pad.pdf --paper a3
  edge-perception pad --size 0.2 --out pad.png --dpi 300
"""
SUFFIXES = ('.pdf', '.svg', '.png')
DOTS_PER_INCH = 150
# An image with more pixels opens in hardly any program; PDF and SVG have no pixels.
MAX_PIXELS = 400e6
# Meters; what the model of the zoo takes every pad for.
USUAL_SIZE = 1.0


@click.command('pad', epilog=EXAMPLES)
@click.option(
    '--size',
    type=click.FloatRange(SMALLEST, LARGEST),
    required=True,
    metavar='METERS',
    help='Side of the pad.',
)
@click.option(
    '--out',
    type=click.Path(dir_okay=False, path_type=Path),
    metavar='FILE',
    help='Drawing to write; the suffix decides: .pdf, .svg or .png.',
)
@click.option(
    '--model',
    type=click.Path(path_type=Path),
    metavar='FOLDER',
    help='Write the model for this size into a new folder, for model:=FOLDER.',
)
@click.option(
    '--paper',
    type=click.Choice([*pad_drawing.PAPER], case_sensitive=False),
    help='Tile a PDF over sheets of this paper; without, it has one page of the size of the pad.',
)
@click.option(
    '--dpi',
    type=click.IntRange(10, 2400),
    help=f'Dots per inch of a PNG, {DOTS_PER_INCH} unless given.',
)
def command(
    size: float, out: Path | None, model: Path | None, paper: str | None, dpi: int | None
) -> None:
    """
    Draw the landing pad for printing, to scale, and write the model for its size.

    A pad is found from about 0.7 to 9.5 times its size. Print it matt, without scaling, and lay it
    flat on anything; cut tiled sheets at the marks. The model landing_pad takes every pad for 1 m
    wide: for another size let --model write one, or all distances are wrong.
    """
    _check(size=size, out=out, model=model, paper=paper, dpi=dpi)
    with ExitStack() as stack:
        if model is not None:
            stack.enter_context(new_model(model, size=size))
        if out is not None:
            _draw(out, size=size, paper=paper, dpi=dpi)
    if out is not None:
        sheets = len(pad_drawing.sheets(size, paper=paper)) if paper else 0
        tiled = f' on {sheets} {"sheet" if sheets == 1 else "sheets"} of {paper}' if paper else ''
        tell(f'{out}: {size * 1000:g} x {size * 1000:g} mm{tiled}')
    if model is not None:
        argument = shlex.quote(f'model:={model.absolute()}')
        tell(f'{model}: model for a pad of {size:g} m; use it with {argument}')
    elif size != USUAL_SIZE:
        note(
            f'the model landing_pad takes this pad for {USUAL_SIZE:g} m wide, so that distances '
            f'come out {USUAL_SIZE / size:.3g} times what they are; write a model for its size: '
            f'edge-perception pad --size {size:g} --model landing_pad_{size:g}m'
        )


def _draw(out: Path, *, size: float, paper: str | None, dpi: int | None) -> None:
    suffix = out.suffix.lower()
    if suffix == '.pdf':
        data = pad_drawing.pdf(size, paper=paper)
    elif suffix == '.svg':
        data = pad_drawing.svg(size).encode()
    else:
        data = pad_drawing.png(size, dots_per_inch=dpi or DOTS_PER_INCH)
    with writing(out):
        write_whole(out, data)


def _check(
    *, size: float, out: Path | None, model: Path | None, paper: str | None, dpi: int | None
) -> None:
    """
    Check what belongs together.

    :raises ConfigurationError: with all that is wrong.
    """
    if math.isnan(size):  # in no range, and yet let through
        raise ConfigurationError('pad', [f'--size got nan, expected {SMALLEST:g} to {LARGEST:g}'])
    if out is None and model is None:
        problem = 'got neither --out nor --model, expected a file for the drawing, a folder for '
        raise ConfigurationError('pad', [f'{problem}the model, or both'])
    problems = []
    if out is None and (paper or dpi):
        problems.append('--paper and --dpi only go with --out')
    elif out is not None:
        problems += _drawing_problems(out, size=size, paper=paper, dpi=dpi)
        if model is not None and model.absolute() in (out.absolute(), *out.absolute().parents):
            problems.append(f'--out got {str(out)!r}, expected a place outside of --model')
    if problems:
        raise ConfigurationError('pad', problems)


def _drawing_problems(out: Path, *, size: float, paper: str | None, dpi: int | None) -> list[str]:
    """Return all that is wrong with the drawing that is asked for."""
    problems, suffix = [], out.suffix.lower()
    if suffix not in SUFFIXES:
        problems.append(
            f'--out got {str(out)!r}, expected a file that ends in {", ".join(SUFFIXES)}'
        )
    elif paper and suffix != '.pdf':
        problems.append(f'--paper only goes with .pdf, got {suffix}; print the file as one sheet')
    if suffix in ('.pdf', '.svg') and dpi:
        problems.append(f'--dpi only goes with .png, got {suffix}, which is sharp at any size')
    dots = dpi or DOTS_PER_INCH
    pixels = (size * 1000 / pad_drawing.MILLIMETERS_PER_INCH * dots) ** 2
    if suffix == '.png' and pixels > MAX_PIXELS:
        problems.append(
            f'--size got {size:g} m at {dots} dpi, which is {pixels / 1e6:.0f} million pixels, '
            f'expected at most {MAX_PIXELS / 1e6:.0f} million; lower --dpi or write a PDF'
        )
    return problems
