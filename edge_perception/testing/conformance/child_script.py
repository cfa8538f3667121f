# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Runs in the process that ``child.py`` starts; takes JSON as its argument, prints JSON."""

from __future__ import annotations

from dataclasses import asdict
import importlib.abc
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint
import json
import sys
from typing import Any


class Vendor(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands in the way of the libraries of a vendor, and remembers who came."""

    def __init__(self, names: list[str], *, broken: bool) -> None:
        self._names, self._broken = names, broken
        self.asked: list[str] = []

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if not any(fullname == name or fullname.startswith(f'{name}.') for name in self._names):
            return None
        self.asked.append(fullname)
        if self._broken:
            return ModuleSpec(fullname, self, is_package=True)
        raise ModuleNotFoundError(f'No module named {fullname!r}', name=fullname)

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        raise OSError(f'lib{module.__name__}.so.1: cannot open shared object file')


def main(wish: dict[str, Any]) -> dict[str, Any]:
    """Load a plugin as the host does, and probe what it offers."""
    from edge_perception.contract import ENTRY_POINT_GROUP
    from edge_perception.models.plugin_host import PluginHost

    vendor = Vendor(wish['vendor'], broken=wish['how'] == 'broken')
    sys.meta_path.insert(0, vendor)
    point = EntryPoint('conformance', wish['module'], ENTRY_POINT_GROUP)
    host = PluginHost(candidates=[point], environ={})
    imported, trouble = list(vendor.asked), host.plugins[0].reason
    registry: dict[str, Any] = getattr(host, f'{wish["kind"]}s')
    if not trouble and wish['name'] not in registry:
        trouble = f'registers no {wish["kind"]} {wish["name"]!r}'
    probe: dict[str, Any] = {}
    if not trouble and wish['kind'] in ('engine', 'builder'):
        try:
            probe = asdict(registry[wish['name']].probe())
        except Exception as error:
            probe = {'raised': f'{type(error).__name__}: {error}'}
    return {'trouble': trouble, 'imported': imported, 'probe': probe}


if __name__ == '__main__':
    # The folder of this file, which Python puts there, holds modules that nobody means.
    del sys.path[0]
    print(json.dumps(main(json.loads(sys.argv[1]))))  # noqa: T201
