# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Show the progress of long work: what is done now, how far it is, and the time left."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.console import ConsoleOptions
from rich.console import RenderableType
from rich.progress import BarColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeElapsedColumn
from rich.progress import TimeRemainingColumn
from rich.segment import Segment

from edge_perception.contract.errors import printable
from edge_perception.tooling.notes import note

WIDE = 1000  # columns of a file or a pipe; tables take what they need

Step = Callable[[str, 'float | None'], object]


@contextmanager
def steps() -> Iterator[Step]:
    """
    Give what takes note of a step: what is done, and the share of it that is finished.

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


@contextmanager
def progress_bar(console: Console | None, *, total: int | None) -> Iterator[Callable[[], object]]:
    """
    Show a progress bar while frames are processed, and give what counts a frame.

    :param console: None for no bar; there is none either where it is no terminal.
    :param total: frames to expect, None when that is unknown.
    """
    if console is None or not console.is_terminal or total in (0, 1):
        yield lambda: None
        return
    count = '{task.completed:.0f}' if total is None else '{task.completed:.0f} of {task.total:.0f}'
    columns = (TextColumn(f'{count} frames'), BarColumn(), TimeRemainingColumn())
    # Results on standard output are not for the console of the bar, which may be standard error.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        # A task that has not started pulses, which is how old versions show an unknown total.
        task = progress.add_task('', start=total is not None, total=total or 0)
        yield lambda: progress.advance(task)


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Say on the terminal that a model is being loaded, which may take seconds."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(f'loading {name}'):
        yield


def counted(step: Step, what: str, *, of: int, then: str) -> Callable[[], object]:
    """
    Return what counts one of many.

    :param of: how many there are.
    :param then: the step after the last one.
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


class PrintableConsole(Console):
    """A console on which control characters of what is printed are escaped."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Return what is printed, piece by piece; control codes of rich itself stay."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text, lines=True), style, control)


def result_console() -> Console:
    """Return standard output; where it is no terminal, lines are as long as they need to be."""
    console = PrintableConsole()
    if not console.is_terminal:
        console = PrintableConsole(width=WIDE)
    return console


def _lines() -> Step:
    shown = ''

    def step(what: str, share: float | None) -> None:
        nonlocal shown
        if what != shown:
            shown = what
            note(what)

    return step
