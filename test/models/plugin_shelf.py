# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Plugins written into a folder, as real distributions with entry points."""

from __future__ import annotations

from importlib.metadata import Distribution
from importlib.metadata import EntryPoint
from pathlib import Path
from textwrap import dedent
from uuid import uuid4

from edge_perception.contract import CONTRACT_VERSION
from edge_perception.contract import ENTRY_POINT_GROUP
from edge_perception.models.plugin_host import PluginEntry
from edge_perception.models.plugin_host import PluginHost

RAISING_HOOK = """
@hookimpl
def register_engines(register):
    register(engine('half'))
    {}
"""
HEAD = f"""
from edge_perception.contract import *
from edge_perception.testing import FakeDecoder, FakeEngineType
EDGE_PERCEPTION_CONTRACT = '{CONTRACT_VERSION}'

def engine(engine_name):
    return type('Engine_', (FakeEngineType,), {{'name': engine_name}})()

def decoder(decoder_name):
    return type('Decoder_', (FakeDecoder,), {{'name': decoder_name}})
"""
GOOD = """
@hookimpl
def register_engines(register):
    register(engine('good'))
"""


class Shelf:
    """Installs plugins into a folder, as real distributions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.candidates: list[EntryPoint] = []

    def add(
        self,
        name: str,
        code: str = GOOD,
        *,
        head: str = HEAD,
        distribution: str | None = None,
        target: str = '',
    ) -> None:
        """
        Install a plugin.

        :param code: of its module, behind ``head``.
        :param target: object inside the module that the entry point names.
        """
        module = f'plugin_{uuid4().hex}'
        (self._folder / f'{module}.py').write_text(head + dedent(code), encoding='utf-8')
        distribution = distribution or f'robot_{name}'
        info = self._folder / f'{module}-1.2.dist-info'
        info.mkdir()
        (info / 'METADATA').write_text(f'Name: {distribution}\nVersion: 1.2\n', encoding='utf-8')
        self.declare(info, name, module + (target and f':{target}'))

    def declare(self, info: Path, name: str, value: str) -> None:
        """Add the entry points of a distribution to the candidates."""
        (info / 'entry_points.txt').write_text(f'[{ENTRY_POINT_GROUP}]\n{name} = {value}\n')
        points = Distribution.at(info).entry_points
        self.candidates += [point for point in points if point.group == ENTRY_POINT_GROUP]

    def load(self, **environ: str) -> PluginHost:
        return PluginHost(candidates=self.candidates, environ=environ)

    def load_broken(self, **environ: str) -> PluginEntry:
        """Return the entry of the single broken plugin, once the others were found to work."""
        self.add('other', GOOD.replace('good', 'other'))
        host = self.load(**environ)
        assert 'other' in host.engines
        (entry,) = [each for each in host.plugins if not each.usable]
        assert entry.offers == ()
        assert entry.remedy
        return entry
