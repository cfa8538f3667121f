# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception toolchain``: converters that need an environment of their own."""

from __future__ import annotations

from dataclasses import asdict

import click

from edge_perception.cli import arguments
from edge_perception.tooling.building import toolchains
from edge_perception.tooling.notes import note
from edge_perception.tooling.notes import tell
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
@arguments.json_option
def list_all(as_json: bool) -> None:
    """List what there is, and what is installed."""
    rows = [
        {
            **asdict(each),
            'installed': toolchains.is_installed(each),
            'folder': toolchains.toolchain_folder(each.name),
        }
        for each in toolchains.TOOLCHAINS.values()
    ]
    if as_json:
        arguments.print_json(rows)
        return
    for row in rows:
        state = f'installed in {row["folder"]}' if row['installed'] else 'not installed'
        tell(f'{row["name"]}: {row["size_mb"]} MB, {state}')


@command.command('install')
@click.argument('name')
@click.option('--python', default='', metavar='PROGRAM', help='Interpreter to use.')
@click.option('-y', '--yes', is_flag=True, help='Do not ask.')
def install(name: str, python: str, yes: bool) -> None:
    """Install the toolchain NAME, after saying how big it is."""
    chain = toolchains.toolchain(name)
    if toolchains.is_installed(chain):
        tell(f'{name} is installed already in {toolchains.toolchain_folder(name)}')
        return
    interpreter = toolchains.find_python(chain, python)
    note(
        f'{", ".join(chain.requirements)} with all that it needs takes {chain.size_mb} MB in '
        f'{toolchains.toolchain_folder(name)}; it comes from the package index of pip'
    )
    if not yes:
        click.confirm('Install it?', abort=True, err=True)
    with steps() as step:
        folder = toolchains.install(chain, interpreter, lambda what: step(what, None))
    tell(f'installed in {folder}')
