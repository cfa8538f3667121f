# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Bars as SVG for reports."""

from __future__ import annotations

from collections.abc import Sequence

from edge_perception.tooling.reports.demo_report import BLUE
from edge_perception.tooling.reports.demo_report import GRAY
from edge_perception.tooling.reports.demo_report import svg

BAR_HEIGHT = 0.35  # inches


def bars(
    labels: Sequence[str], *, front: Sequence[float], behind: Sequence[float] = (), unit: str
) -> str:
    """
    Return lying bars, the first label on top.

    :param behind: longer bars in gray; empty for none.
    :raises ModuleNotFoundError: matplotlib is missing.
    """

    def draw(axes: object) -> None:
        places = range(len(labels))
        if behind:
            axes.barh(places, behind, color=GRAY, alpha=0.5)  # type: ignore[attr-defined]
        axes.barh(places, front, color=BLUE)  # type: ignore[attr-defined]
        axes.set_yticks(places, labels)  # type: ignore[attr-defined]
        axes.invert_yaxis()  # type: ignore[attr-defined]
        axes.set_xlabel(unit)  # type: ignore[attr-defined]

    return svg([draw], height=max(1.5, BAR_HEIGHT * len(labels) + 0.6))
