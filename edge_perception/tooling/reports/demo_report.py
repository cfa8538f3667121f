# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The report of a demonstration: one HTML file that needs no other, with plots and a picture."""

from __future__ import annotations

import base64
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import html
import io
import math
import re
from typing import Any

import numpy as np

from edge_perception.tooling.reports.demo_record import Sample

# Colors that those who see no red or no green tell apart (Okabe and Ito).
BLUE, ORANGE, GREEN, GRAY = '#0072b2', '#d55e00', '#009e73', '#999999'
WIDTH, HEIGHT = 8.0, 3.0  # inches

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .2rem 1.2rem .2rem 0; border-bottom: 1px solid #ddd; }
th { font-weight: 600; }
img, svg { max-width: 100%; height: auto; }
figure { margin: 2rem 0; }
figcaption { color: #555; }
"""


def page(
    *,
    title: str,
    rows: Sequence[tuple[str, str]],
    plots: Mapping[str, str],
    picture: bytes | None = None,
    notes: Sequence[str] = (),
) -> str:
    """
    Return the report as HTML.

    :param rows: name and value of each line of the table.
    :param plots: SVG by caption.
    :param picture: JPEG.
    """
    table = ''.join(
        f'<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>\n'
        for name, value in rows
    )
    figures = [f'<figure>{svg}<figcaption>{html.escape(c)}</figcaption></figure>'
               for c, svg in plots.items()]  # fmt: skip
    if picture is not None:
        data = base64.b64encode(picture).decode('ascii')
        image = f'<img alt="annotated image" src="data:image/jpeg;base64,{data}">'
        figures.insert(0, f'<figure>{image}</figure>')
    paragraphs = ''.join(f'<p>{html.escape(note)}</p>\n' for note in notes)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n'
        f'<h1>{html.escape(title)}</h1>\n<table>\n{table}</table>\n{paragraphs}'
        + '\n'.join(figures)
        + '\n</body>\n</html>\n'
    )


def draw_plots(samples: Sequence[Sample]) -> dict[str, str]:
    """
    Draw what there is to draw.

    :return: SVG by caption.
    :raises ModuleNotFoundError: matplotlib is missing.
    """
    plots = {'Age of the results: from the stamp of the image to their arrival.': _age(samples)}
    if any(sample.distance_m is not None for sample in samples):
        plots['Distance to the pad, and where it was found.'] = _distance(samples)
    if any(sample.error is not None for sample in samples):
        plots['Error of the pose by distance; the line is the median of neighbors.'] = _errors(
            samples
        )
    return plots


def _age(samples: Sequence[Sample]) -> str:
    rows = [(each.time_s, each.age_ms) for each in samples if each.age_ms is not None]

    def draw(axes: Any) -> None:
        times, ages = zip(*rows) if rows else ((), ())
        axes.plot(times, ages, '.', color=BLUE, markersize=3)
        axes.set_xlabel('time in s')
        axes.set_ylabel('age in ms')
        axes.set_ylim(bottom=0)

    return svg([draw])


def _distance(samples: Sequence[Sample]) -> str:
    groups = (
        ('found', GREEN, lambda each: each.age_ms is not None and each.objects > 0),
        ('not found', ORANGE, lambda each: each.age_ms is not None and each.objects == 0),
        ('no result', GRAY, lambda each: each.age_ms is None),
    )
    known = [each for each in samples if each.distance_m is not None]

    def draw(axes: Any) -> None:
        for name, color, belongs in groups:
            rows = [each for each in known if belongs(each)]
            if rows:
                times, distances = [r.time_s for r in rows], [r.distance_m for r in rows]
                label = f'{name} ({len(rows)})'
                axes.plot(times, distances, '.', color=color, markersize=4, label=label)
        axes.set_xlabel('time in s')
        axes.set_ylabel('distance in m')
        axes.set_ylim(bottom=0)
        axes.legend()

    return svg([draw])


def _errors(samples: Sequence[Sample]) -> str:
    errors = sorted(
        (each.error for each in samples if each.error is not None), key=lambda e: e.distance
    )
    distances = [error.distance for error in errors]
    kinds = (
        ('position in %\nof the distance', [100 * error.share for error in errors]),
        ('yaw in degrees', [abs(math.degrees(error.yaw)) for error in errors]),
        ('tilt in degrees', [math.degrees(error.tilt) for error in errors]),
    )

    def drawer(name: str, values: list[float]) -> Callable[[Any], None]:
        def draw(axes: Any) -> None:
            axes.plot(distances, values, '.', color=BLUE, markersize=3, alpha=0.5)
            axes.plot(distances, _smooth(values), '-', color=ORANGE, linewidth=1.5)
            axes.set_ylabel(name)
            # A single wild value is not to hide all the others.
            axes.set_ylim(0, max(1e-3, 1.5 * float(np.percentile(values, 98))))
            axes.set_xlabel('distance in m')

        return draw

    return svg([drawer(name, values) for name, values in kinds])


def _smooth(values: list[float], *, reach: int = 12) -> list[float]:
    """Return for each value the median of itself and its neighbors."""
    return [
        float(np.median(values[max(0, index - reach) : index + reach + 1]))
        for index in range(len(values))
    ]


def svg(drawers: Sequence[Callable[[Any], None]], *, height: float = HEIGHT) -> str:
    """
    Return a figure with axes below each other.

    :param height: of each, inches.
    :raises ModuleNotFoundError: matplotlib is missing.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height * len(drawers)), layout='constrained')
    FigureCanvasSVG(figure)
    for axes, draw in zip(figure.subplots(len(drawers), squeeze=False)[:, 0], drawers):
        draw(axes)
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    text = io.StringIO()
    # Text stays text, in the font of the page; nothing in the file depends on the day.
    with matplotlib.rc_context({'svg.fonttype': 'none', 'svg.hashsalt': 'edge_perception'}):
        figure.savefig(text, format='svg', metadata={'Date': None})
    # From the element itself on: a page has no place for the declaration of a file. Its metadata
    # names addresses of formats, which this page is better without.
    svg = text.getvalue()[text.getvalue().index('<svg') :]
    return re.sub(r'<metadata>.*?</metadata>', '', svg, flags=re.DOTALL)
