# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception toolchain``: converters that need an environment of their own."""

from __future__ import annotations

import json

import click

from edge_perception.tooling.building.toolchains import find_python
from edge_perception.tooling.building.toolchains import install as install_toolchain
from edge_perception.tooling.building.toolchains import is_installed
from edge_perception.tooling.building.toolchains import toolchain
from edge_perception.tooling.building.toolchains import toolchain_folder
from edge_perception.tooling.building.toolchains import TOOLCHAINS
from edge_perception.tooling.notes import note
from edge_perception.tooling.progress import steps

EXAMPLES = """\b
Examples:
  edge-perception toolchain list
  edge-perception toolchain install tflite
"""


@click.group('toolchain', epilog=EXAMPLES)
def command() -> None:
    """Install converters that need an environment of their own."""


@command.command('list')
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON list with an object for each.')
def list_all(as_json: bool) -> None:
    """List what there is, and what is installed."""
    rows = [
        {
            'name': each.name,
            'requirements': list(each.requirements),
            'size_mb': each.size_mb,
            'installed': is_installed(each),
            'folder': str(toolchain_folder(each.name)),
        }
        for each in TOOLCHAINS.values()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        state = f'installed in {row["folder"]}' if row['installed'] else 'not installed'
        click.echo(f'{row["name"]}: {row["size_mb"]} MB, {state}')


@command.command('install')
@click.argument('name')
@click.option('--python', default='', metavar='PROGRAM', help='Interpreter to use.')
@click.option('-y', '--yes', is_flag=True, help='Do not ask.')
def install(name: str, python: str, yes: bool) -> None:
    """Install the toolchain NAME, after saying how big it is."""
    chain = toolchain(name)
    if is_installed(chain):
        click.echo(f'{name} is installed already in {toolchain_folder(name)}')
        return
    interpreter = find_python(chain, python)
    note(
        f'{", ".join(chain.requirements)} with all that it needs takes {chain.size_mb} MB in '
        f'{toolchain_folder(name)}; it comes from the package index of pip'
    )
    if not yes:
        click.confirm('Install it?', abort=True, err=True)
    with steps() as step:
        folder = install_toolchain(
            chain, python=interpreter, progress=lambda what: step(what, None)
        )
    click.echo(f'installed in {folder}')
