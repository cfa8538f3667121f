# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Draw plots as SVG for reports, with matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
import io
import re
from typing import Any

# Colors that those who see no red or no green tell apart (Okabe and Ito).
BLUE, ORANGE, GREEN, GRAY = '#0072b2', '#d55e00', '#009e73', '#999999'
WIDTH, HEIGHT = 8.0, 3.0  # inches
BAR_HEIGHT = 0.35  # inches
NO_MATPLOTLIB = 'matplotlib is missing, apt install python3-matplotlib, or pip install matplotlib'
NO_PLOTS = f'the report has no plots: {NO_MATPLOTLIB}'


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


def bars(
    labels: Sequence[str], *, front: Sequence[float], behind: Sequence[float] = (), unit: str
) -> str:
    """
    Return lying bars, the first label on top.

    :param behind: longer bars in gray; empty for none.
    :raises ModuleNotFoundError: matplotlib is missing.
    """

    def draw(axes: Any) -> None:
        places = range(len(labels))
        if behind:
            axes.barh(places, behind, color=GRAY, alpha=0.5)
        axes.barh(places, front, color=BLUE)
        axes.set_yticks(places, labels)
        axes.invert_yaxis()
        axes.set_xlabel(unit)

    return svg([draw], height=max(1.5, BAR_HEIGHT * len(labels) + 0.6))
