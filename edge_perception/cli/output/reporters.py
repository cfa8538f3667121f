# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The two ways in which ``run`` shows its results, and its progress bar."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
import json
import sys
from typing import Protocol

import click
from rich.console import Console
from rich.progress import BarColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeRemainingColumn

from edge_perception.cli.output.records import record
from edge_perception.contract import ModelManifest
from edge_perception.runtime.pipeline import Result
from edge_perception.tooling.frame_sources import Source


class Reporter(Protocol):
    """
    Takes results as they come.

    :param bar_console: where a progress bar does not get between the results; None for nowhere.
    """

    bar_console: Console | None

    def add(self, result: Result, *, source: Source, index: int) -> None:
        """Take one frame."""

    def end_source(self, source: Source) -> None:
        """Take note that a source has ended."""

    def finish(self) -> None:
        """Take note that all sources have ended."""


class JsonLines:
    """Prints one JSON object for each frame as soon as it is there."""

    def __init__(self, manifest: ModelManifest) -> None:
        self._manifest = manifest
        self.bar_console = None if sys.stdout.isatty() else Console(stderr=True)

    def add(self, result: Result, *, source: Source, index: int) -> None:
        """Print one frame."""
        values = record(result, source=source.name, index=index, manifest=self._manifest)
        click.echo(json.dumps(values, ensure_ascii=False))

    def end_source(self, source: Source) -> None:
        """Every frame was printed already."""

    def finish(self) -> None:
        """Every frame was printed already."""


@contextmanager
def progress_bar(console: Console | None, *, total: int | None) -> Iterator[Callable[[], object]]:
    """
    Show a progress bar while frames are processed, and give what counts a frame.

    :param console: None for no bar; there is none either where nobody looks.
    :param total: frames to expect, None when nobody knows.
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
