# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The two ways in which ``run`` shows its results: lines of JSON, and tables."""

from __future__ import annotations

from statistics import median
from typing import Any

from rich.console import Console
from rich.text import Text

from edge_perception.cli.arguments import print_json
from edge_perception.cli.arguments import results
from edge_perception.cli.output.tables import perception_tables
from edge_perception.cli.output.tables import Summary
from edge_perception.contract import ModelManifest
from edge_perception.models.records import record
from edge_perception.runtime.pipeline import Result
from edge_perception.tooling.frame_run import Reporter
from edge_perception.tooling.frame_sources import Source
from edge_perception.tooling.progress import result_console


class JsonLines(Reporter):
    """Prints one JSON object for each frame as soon as it is there."""

    def __init__(self, manifest: ModelManifest) -> None:
        self._manifest = manifest
        self.bar_console = None if results().isatty() else Console(stderr=True)

    def add(self, result: Result, *, source: Source, index: int) -> None:
        """Print one frame."""
        values = record(result, source=source.name, index=index, manifest=self._manifest)
        print_json(values, indent=None)


class Tables(Reporter):
    """Prints a table for each image at once, and for each video when it has ended."""

    def __init__(self, manifest: ModelManifest) -> None:
        self._console = console = result_console()
        self.bar_console = console if console.is_terminal else Console(stderr=True)
        self._manifest = manifest
        self._times: list[dict[str, float]] = []
        self._summary = Summary()

    def add(self, result: Result, *, source: Source, index: int) -> None:
        """Take one frame."""
        values = record(result, source=source.name, index=index, manifest=self._manifest)
        self._times.append(values['times_ms'])
        if source.moving:
            self._summary.add(values)
            return
        self._print_title(source, f'{result.frame.width}x{result.frame.height}')
        for table in perception_tables(values):
            self._console.print(table)

    def end_source(self, source: Source) -> None:
        """Print what is known when a source has ended."""
        if source.moving and self._summary.frames:
            self._print_title(source, f'{self._summary.frames} frames')
            self._console.print(self._summary.table())
            self._summary = Summary()

    def finish(self) -> None:
        """Print how long it took."""
        if self._times:
            stages = ', '.join(
                f'{stage} {median(times[stage] for times in self._times):.1f} ms'
                for stage in self._times[0]
            )
            count = len(self._times)
            what = '1 frame' if count == 1 else f'{count} frames, median'
            self._console.print(f'{what}: {stages}', highlight=False)

    def _print_title(self, source: Source, what: Any) -> None:
        self._console.print(Text(f'{source.name}  {what}', style='bold'), soft_wrap=True)
