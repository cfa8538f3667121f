# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
import json
import os
from pathlib import Path
import sys
from typing import Any
from typing import TextIO
from typing import TypeVar

import click

from edge_perception.tooling.notes import tell

Function = TypeVar('Function', bound=Callable[..., Any])
STDOUT = 1
# Where results go while standard output is kept for them.
_results: list[TextIO] = []
FILE = click.Path(path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)


@contextmanager
def _results_alone() -> Iterator[None]:
    """
    Keep standard output for ``print_json``: what plugins and vendors print goes elsewhere.

    They print by Python and by C, so both the stream and the descriptor are exchanged.
    """
    before = sys.stdout
    before.flush()
    try:
        is_descriptor = before.fileno() == STDOUT
    except (OSError, ValueError):  # no file, as in tests
        is_descriptor = False
    stream = before
    if is_descriptor:
        stream = os.fdopen(os.dup(STDOUT), 'w', encoding=before.encoding, errors=before.errors)
        os.dup2(sys.stderr.fileno(), STDOUT)
    sys.stdout = sys.stderr
    _results.append(stream)
    try:
        yield
    finally:
        _results.pop()
        sys.stdout = before
        if is_descriptor:
            with suppress(BrokenPipeError):  # who read it has seen enough
                stream.flush()
            os.dup2(stream.fileno(), STDOUT)
            with suppress(BrokenPipeError):
                stream.close()


def _keep_results_alone(ctx: click.Context, _: click.Parameter, as_json: bool) -> bool:
    if as_json:
        ctx.with_resource(_results_alone())
    return as_json


json_option = click.option(
    '--json', 'as_json', is_flag=True, callback=_keep_results_alone,
    help='Print JSON; notes go to standard error.',
)  # fmt: skip
manifest_option = click.option(
    '--manifest', type=FILE, metavar='FILE', help='Manifest of a model that is a bare file.'
)
images_option = click.option(
    '--images', multiple=True, metavar='FOLDER',
    help='Images and videos for the gate (default: folder golden/ of the model).',
)  # fmt: skip
engine_options = click.option(
    '-o', '--option', 'assignments', multiple=True, metavar='NAME=VALUE',
    help='Option of the engine, e.g. threads=2 ("edge-perception plugins" lists them); where '
    'several engines are tried, ENGINE.NAME=VALUE.',
)  # fmt: skip
gate_report_option = click.option(
    '--report', type=NEW_FILE, metavar='FILE',
    help='HTML report (without this option only of a rejected artifact, in the current folder).',
)  # fmt: skip


def variant_options(function: Function) -> Function:
    """Add what chooses the artifacts and engines of a model that are measured."""
    for option in (
        json_option,
        manifest_option,
        engine_options,
        click.option(
            '--artifact', 'artifacts', multiple=True, metavar='FILE', type=FILE,
            help='Artifacts to measure (default: all that are proven).',
        ),
        click.option(
            '--engine', default='all', show_default=True,
            help='Engine (all: every one that can load MODEL).'
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def print_json(values: Any, *, indent: int | None = 2) -> None:
    """Print values as JSON on standard output; without indent in one line."""
    tell(json.dumps(values, ensure_ascii=False, indent=indent, default=str), file=results())


def results() -> TextIO:
    """Return the stream for results, where JSON is asked for: what standard output was."""
    return _results[-1] if _results else sys.stdout
