# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
List plugins and probe their engines in a child process, which they may crash or hang.

A plugin that does is named with how it ended, and all others are listed as if it was not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import entry_points
import os
from typing import Any

from edge_perception.contract import EngineType
from edge_perception.contract import ENTRY_POINT_GROUP
from edge_perception.contract import option_specs
from edge_perception.contract import PluginError
from edge_perception.models.plugin_host import BLOCK_VARIABLE
from edge_perception.models.plugin_host import origin_of
from edge_perception.models.plugin_host import PluginEntry
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.plugin_host import probe
from edge_perception.tooling.child_process import ChildFailedError
from edge_perception.tooling.child_process import values_from

Record = dict[str, Any]

# Importing a vendor's library takes seconds on a small computer; a device on USB takes ten.
QUIET_S = 40.0


def survey(quiet_s: float = QUIET_S) -> list[Record]:
    """
    Return every plugin with its engines, as JSON has them.

    :param quiet_s: seconds that importing a plugin, or probing an engine, may take.
    :raises PluginError: that fails, whatever plugin is left out.
    """
    failed: dict[tuple[str, str], Record] = {}
    while True:
        blocked = [os.environ.get(BLOCK_VARIABLE, ''), *map(':'.join, failed)]
        environ = {**os.environ, BLOCK_VARIABLE: ','.join(filter(None, blocked))}
        found: list[Record] = []
        at: Record = {}
        try:
            for value in values_from(__name__, 'look', quiet_s=quiet_s, environ=environ):
                if 'at' in value:
                    at = value
                else:
                    found.append(value)
            return [failed.get((each['distribution'], each['name']), each) for each in found]
        except ChildFailedError as error:
            key = at.get('distribution', ''), at.get('name', '')
            if not at or key in failed:
                raise PluginError(f'plugins cannot be listed: the process {error}') from error
            failed[key] = _failed(at, f'{at["at"]}: the process {error}')


def look() -> Iterator[Record]:
    """
    Give every plugin, and before each step which plugin it is of; for the child.

    :return: records, and steps, which have the key ``at``.
    """
    for point in entry_points(group=ENTRY_POINT_GROUP):
        # Not imported where a list says so, and looked at alone so that it can be named.
        distribution, version = origin_of(point)
        step = {'at': 'fails when it is imported', 'name': point.name}
        yield {**step, 'distribution': distribution, 'version': version}
        PluginHost(candidates=[point])
    host = PluginHost()
    for entry in host.plugins:
        yield {
            'at': 'fails when its engine is probed',
            'name': entry.name,
            'distribution': entry.distribution,
            'version': entry.version,
        }
        yield as_values(host, entry)


def as_values(host: PluginHost, entry: PluginEntry) -> Record:
    """Return a plugin and its engines as JSON has them."""
    engines = [offer.removeprefix('engine ') for offer in entry.offers if 'engine ' in offer]
    return {
        **asdict(entry),
        'usable': entry.usable,
        'engines': [_engine(host.engines[name]) for name in engines],
    }


def _failed(at: Record, reason: str) -> Record:
    remedy = f'update or uninstall it, or put it into {BLOCK_VARIABLE}'
    entry = PluginEntry(
        at['name'],
        at['distribution'],
        at.get('version', ''),
        reason=' '.join(reason.split()),
        remedy=remedy,
    )
    return {**asdict(entry), 'usable': False, 'engines': []}


def _engine(engine_type: EngineType) -> Record:
    return {
        'name': engine_type.name,
        **asdict(probe(engine_type)),
        'artifact_suffixes': list(engine_type.artifact_suffixes),
        **asdict(engine_type.capabilities),
        'options': [
            {
                'name': spec.name,
                'default': spec.default,
                'expected': spec.expected(),
                'description': spec.description,
            }
            for spec in option_specs(engine_type.options_type)
        ],
    }
