# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Progress of work that takes long: what is done now, how far it is, and the time left."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeElapsedColumn
from rich.progress import TimeRemainingColumn

from edge_perception.tooling.notes import note

WIDE = 1000  # columns of a file or a pipe; tables take what they need

Step = Callable[[str, 'float | None'], object]


@contextmanager
def steps() -> Iterator[Step]:
    """
    Give what takes note of a step: what is done, and which share of it is behind us.

    On a terminal a bar shows it, with the time left where a share is known; elsewhere each new
    step is a line on standard error.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task('', total=None)
        shown = ''

        def step(what: str, share: float | None) -> None:
            nonlocal task, shown
            if what != shown:
                progress.remove_task(task)
                task, shown = progress.add_task(what, total=None if share is None else 1.0), what
            if share is not None:
                progress.update(task, total=1.0, completed=share)

        yield step


def counted(step: Step, what: str, *, of: int, then: str) -> Callable[[], object]:
    """
    Return what counts one of many.

    :param of: how many there are.
    :param then: what is done when all are behind us.
    """
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if done < of:
            step(what, done / of)
        else:
            step(then, None)

    return advance


def result_console() -> Console:
    """Return standard output; where nobody looks, lines are as long as they need to be."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    return console


def _lines() -> Step:
    shown = ''

    def step(what: str, share: float | None) -> None:
        nonlocal shown
        if what != shown:
            shown = what
            note(what)

    return step
