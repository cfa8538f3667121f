# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The demonstration on the terminal: a table that lives, or a line now and then."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
import time
from typing import Any

from rich import box
from rich.console import Console
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edge_perception.tooling.reports.demo_record import rate
from edge_perception.tooling.reports.demo_record import Sample
from edge_perception.tooling.reports.demo_record import summarize

REFRESH_S, LINE_S = 0.25, 2.0
RATE_WINDOW_S = 2.0

Rows = list[tuple[str, str]]


def rows(
    samples: Sequence[Sample], *, dropped: Mapping[str, int], with_truth: bool, live: bool
) -> Rows:
    """
    Return name and value of each line of the table.

    :param dropped: frames by reason.
    :param with_truth: say how far the poses are from the truth.
    :param live: the rate is that of the last seconds, the distance that of now.
    """
    summary = summarize(samples)
    hertz = rate(samples, last_s=RATE_WINDOW_S) if live else rate(samples)
    found = summary['results_with_objects']
    share = summary['share_with_objects']
    seen = '-' if share is None else f'in {found} results, {100 * share:.1f} %'
    lines = [
        ('results', f'{summary["results"]}, {_number(hertz)} Hz'),
        ('age', _ages(summary['age_ms'])),
        ('dropped', _drops(dropped)),
        ('pad found' if with_truth else 'objects found', seen),
    ]
    distances = [sample.distance_m for sample in samples if sample.distance_m is not None]
    if distances:
        now = f'{distances[-1]:.2f} m'
        lines.append(('distance', now if live else f'{distances[0]:.2f} m to {now}'))
    if with_truth:
        lines += _error_rows(summary['pose_error'])
    return lines


def _error_rows(error: Mapping[str, Any] | None) -> Rows:
    lines = []
    kinds = (
        ('position error', 'position_percent_of_distance', ' % of the distance'),
        ('yaw error', 'yaw_degrees', ' deg'),
        ('tilt error', 'tilt_degrees', ' deg'),
    )
    for name, key, unit in kinds:
        text = '-'
        if error is not None:
            text = f'median {error[key]["p50"]:.3f}{unit}, p95 {error[key]["p95"]:.3f}'
        lines.append((name, text))
    return lines


class Screen:
    """Shows rows: anew in place on a terminal, as lines elsewhere."""

    def __init__(self, console: Console, *, title: str, seconds: float) -> None:
        self._console = console
        self._title = title
        self._seconds = seconds
        self._live: Live | None = None
        self._next = 0.0

    @contextmanager
    def shown(self) -> Iterator[Screen]:
        """Show rows while the block runs; the last ones stay."""
        if not self._console.is_terminal:
            yield self
            return
        # Drawn by us when there is something new, so that no other thread takes its time.
        with Live(console=self._console, auto_refresh=False) as self._live:
            yield self

    def due(self) -> bool:
        """Tell whether it is time to show rows again; costs nothing when it is not."""
        return time.monotonic() >= self._next

    def show(self, lines: Rows, *, elapsed_s: float) -> None:
        """Show rows."""
        self._next = time.monotonic() + (REFRESH_S if self._live else LINE_S)
        if self._live is not None:
            heading = Text(f'{self._title}  {elapsed_s:.0f} of {self._seconds:g} s', style='bold')
            self._live.update(Group(heading, table(lines)), refresh=True)
        else:
            said = '; '.join(f'{name} {value}' for name, value in lines)
            self._console.print(
                f'{elapsed_s:.0f} s: {said}', highlight=False, markup=False, soft_wrap=True
            )

    def summary(self, lines: Rows) -> None:
        """Print the closing table."""
        self._console.print(Text(f'{self._title}: summary', style='bold'), soft_wrap=True)
        self._console.print(table(lines))


def table(lines: Rows) -> Table:
    """Return rows as a table."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=False)
    made.add_column(style='bold')
    made.add_column(overflow='fold')
    for name, value in lines:
        made.add_row(Text(name), Text(value))
    return made


def _ages(ages: Mapping[str, float] | None) -> str:
    if ages is None:
        return '-'
    return f'p50 {ages["p50"]:.1f} ms, p95 {ages["p95"]:.1f} ms, p99 {ages["p99"]:.1f} ms'


def _drops(dropped: Mapping[str, int]) -> str:
    named = ', '.join(f'{count} {reason}' for reason, count in dropped.items() if count)
    return named or 'none'


def _number(value: float) -> str:
    return '-' if value != value else f'{value:.1f}'
