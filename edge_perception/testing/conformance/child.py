# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Load a plugin in a process of its own, where the library of its vendor is missing or broken.

The process runs this file as a script, which takes JSON as its argument and prints JSON.
"""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass
import importlib.abc
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint
import json
import os
import subprocess
import sys
from typing import Any

PATIENCE_S = 120


@dataclass(frozen=True, slots=True)
class Loaded:
    """
    What the host saw of a plugin in the other process.

    :param trouble: why the host did not take it; empty when it did.
    :param imported: libraries of the vendor that were asked for while it was imported.
    :param probe: what ``probe`` of the engine or builder returned: the fields of
        ``Availability``, or ``raised``.
    """

    trouble: str
    imported: tuple[str, ...]
    probe: dict[str, Any]


def load_in_child(
    module: str, *, kind: str, name: str, vendor_modules: tuple[str, ...], how: str
) -> Loaded:
    """
    Let a host in a new process load a plugin.

    :param module: as its entry point names it.
    :param kind: engine, decoder, builder or stage.
    :param name: of it.
    :param vendor_modules: what cannot be imported there.
    :param how: ``missing``, or ``broken``: it is there and fails to load.
    """
    request = {'module': module, 'kind': kind, 'name': name, 'vendor': vendor_modules, 'how': how}
    done = subprocess.run(
        [sys.executable, __file__, json.dumps(request)],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, f'the process ended with {done.returncode}: {done.stderr}'
    answer = json.loads(done.stdout.splitlines()[-1])
    return Loaded(answer['trouble'], tuple(answer['imported']), answer['probe'])


class Vendor(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Keep the libraries of a vendor from being imported, and remember which were asked for."""

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


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Load a plugin as the host does, and probe what it offers."""
    from edge_perception.contract import ENTRY_POINT_GROUP
    from edge_perception.models.plugin_host import PluginHost

    vendor = Vendor(request['vendor'], broken=request['how'] == 'broken')
    sys.meta_path.insert(0, vendor)
    point = EntryPoint('conformance', request['module'], ENTRY_POINT_GROUP)
    host = PluginHost(candidates=[point], environ={})
    imported, trouble = list(vendor.asked), host.plugins[0].reason
    registry: dict[str, Any] = getattr(host, f'{request["kind"]}s')
    if not trouble and request['name'] not in registry:
        trouble = f'registers no {request["kind"]} {request["name"]!r}'
    probe: dict[str, Any] = {}
    if not trouble and request['kind'] in ('engine', 'builder'):
        try:
            probe = asdict(registry[request['name']].probe())
        except Exception as error:
            probe = {'raised': f'{type(error).__name__}: {error}'}
    return {'trouble': trouble, 'imported': imported, 'probe': probe}


if __name__ == '__main__':
    # Python puts the folder of this file there, whose modules no plugin means.
    del sys.path[0]
    print(json.dumps(main(json.loads(sys.argv[1]))))  # noqa: T201
