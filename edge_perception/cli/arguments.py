# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any
from typing import TypeVar

import click

from edge_perception.tooling.notes import tell

Function = TypeVar('Function', bound=Callable[..., Any])
FILE = click.Path(path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)

json_option = click.option(
    '--json', 'as_json', is_flag=True, help='Print JSON; notes go to standard error.'
)
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


def print_json(values: Any) -> None:
    """Print values as JSON on standard output."""
    tell(json.dumps(values, ensure_ascii=False, indent=2, default=str))
