# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception cache``: what was built on this machine, and where it lies."""

from __future__ import annotations

import click
from rich.text import Text

from edge_perception.cli import arguments
from edge_perception.cli.output.tables import new_table
from edge_perception.contract.user_files import writing
from edge_perception.models.artifact_directories import cache_root
from edge_perception.tooling.building.artifact_cache import entries
from edge_perception.tooling.building.artifact_cache import prune as prune_cache
from edge_perception.tooling.notes import tell
from edge_perception.tooling.progress import result_console

EXAMPLES = """\b
Examples:
  edge-perception cache list
  edge-perception cache prune
  edge-perception cache path
"""
MEGABYTE = 1e6


@click.group('cache', epilog=EXAMPLES)
def command() -> None:
    """Show, tidy and find the artifacts that were built on this machine."""


@command.command('list')
@arguments.json_option
def list_entries(as_json: bool) -> None:
    """List what was built; the current ones are what engines load."""
    rows = [entry.listed(current=current) for entry, current in entries(cache_root())]
    if as_json:
        arguments.print_json(rows)
        return
    table = new_table('model', 'target', 'precision', 'made', 'MB', '', 'folder')
    for row in rows:
        state = 'rejected' if not row['passed'] else 'current' if row['current'] else 'old'
        size = f'{row["bytes"] / MEGABYTE:.1f}'
        names = [row[name] for name in ('model', 'target', 'precision', 'made')]
        table.add_row(*map(Text, map(str, (*names, size, state, row['artifact']))))
    result_console().print(table)


@command.command('prune')
@click.option('--all', 'everything', is_flag=True, help='Remove the current ones as well.')
@arguments.json_option
def prune(everything: bool, as_json: bool) -> None:
    """Remove what is not current, and what broken builds left behind."""
    with writing(cache_root()):
        removed, freed = prune_cache(cache_root(), everything=everything)
    if as_json:
        arguments.print_json({'removed': removed, 'bytes': freed})
    else:
        tell(f'{removed} removed, {freed / MEGABYTE:.1f} MB freed')


@command.command('path')
def path() -> None:
    """Print the folder of the cache."""
    tell(cache_root())
