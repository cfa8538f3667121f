# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Show rows while they change: a table in place on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import time

from rich import box
from rich.console import Console
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edge_perception.tooling.reports.score_report import Rows

REFRESH_S, LINE_S = 0.25, 2.0


class LiveRows:
    """Shows rows: again in place on a terminal, as lines elsewhere."""

    def __init__(self, console: Console, *, title: str, seconds: float) -> None:
        self._console = console
        self._title = title
        self._seconds = seconds
        self._live: Live | None = None
        self._next = self._begun = 0.0

    @contextmanager
    def shown(self) -> Iterator[LiveRows]:
        """Show rows while the block runs; the last ones stay."""
        if not self._console.is_terminal:
            yield self
            return
        # Drawn by us when there is something new, so that no other thread takes its time.
        with Live(console=self._console, auto_refresh=False) as self._live:
            yield self

    def due(self) -> bool:
        """Tell whether it is time to show rows again; costs nothing when it is not."""
        self._begun = time.monotonic()
        return self._begun >= self._next

    def show(self, lines: Rows, *, elapsed_s: float) -> None:
        """Show rows."""
        now = time.monotonic()
        # At most a tenth of the time goes into the rows of a long run.
        self._next = now + max(REFRESH_S if self._live else LINE_S, 9 * (now - self._begun))
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
