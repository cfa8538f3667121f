# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception plugins``: what is installed, what works here, and what the rest lacks."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from edge_perception.cli import arguments
from edge_perception.cli.output.tables import new_table
from edge_perception.tooling.plugin_survey import survey
from edge_perception.tooling.progress import result_console

EXAMPLES = """\b
Examples:
  edge-perception plugins
  edge-perception plugins --json
"""


@click.command('plugins', epilog=EXAMPLES)
@arguments.json_option
def command(as_json: bool) -> None:
    """
    List every plugin with what it offers, and every engine with what it lacks on this machine.

    A plugin that cannot be used is listed with the reason and with what to do about it, also one
    that crashes or hangs.
    """
    plugins = survey()
    if as_json:
        arguments.print_json(plugins)
    else:
        _print(result_console(), plugins)


def _print(console: Console, plugins: list[dict[str, Any]]) -> None:
    console.print('plugins', style='bold')
    table = new_table('name', 'distribution', 'contract', 'offers')
    for plugin in plugins:
        offers = ', '.join(plugin['offers']) or 'nothing'
        if not plugin['usable']:
            offers = _lack(plugin)
        distribution = f'{plugin["distribution"]} {plugin["version"]}'
        table.add_row(*map(Text, (plugin['name'], distribution, plugin['contract'], offers)))
    console.print(table)
    engines = [engine for plugin in plugins for engine in plugin['engines']]
    console.print('engines', style='bold')
    table = new_table('name', 'here', 'devices', 'files')
    for engine in engines:
        here = engine['runtime'] or 'available' if engine['available'] else _lack(engine)
        devices, files = ', '.join(engine['devices']), ' '.join(engine['artifact_suffixes'])
        table.add_row(*map(Text, (engine['name'], here, devices, files)))
    console.print(table)
    console.print('engine options', style='bold')
    table = new_table('engine', 'option', 'default', 'meaning')
    for engine in engines:
        for spec in engine['options']:
            row = (engine['name'], spec['name'], _yaml(spec['default']), spec['description'])
            table.add_row(*map(Text, row))
    console.print(table)


def _yaml(value: object) -> str:
    """Return a default as the files of parameters have it."""
    return json.dumps(value) if isinstance(value, (bool, list, tuple)) else str(value)


def _lack(thing: dict[str, Any]) -> str:
    """Return why a plugin or an engine cannot be used, and what to do about it."""
    reason, remedy = thing['reason'], thing['remedy']
    return f'not usable: {reason}' + (f'; {remedy}' if remedy else '')
