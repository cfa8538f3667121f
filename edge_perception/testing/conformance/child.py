# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A plugin in a process of its own, where the library of its vendor is missing or broken."""

from __future__ import annotations

from dataclasses import dataclass
import json
import os
from pathlib import Path
import subprocess
import sys
from typing import Any

SCRIPT = Path(__file__).with_name('child_script.py')
PATIENCE_S = 120


@dataclass(frozen=True, slots=True)
class Loaded:
    """
    What the host saw of a plugin in the other process.

    :param trouble: why the host did not take it; empty when it did.
    :param imported: libraries of the vendor that were asked for while it was imported.
    :param probes: what ``probe`` of the engine or builder gave: the fields of ``Availability``,
        or ``raised``.
    """

    trouble: str
    imported: tuple[str, ...]
    probe: dict[str, Any]


def load_in_child(
    module: str, *, kind: str, name: str, vendor_modules: tuple[str, ...], how: str = 'missing'
) -> Loaded:
    """
    Let a host in a new process load a plugin.

    :param module: as its entry point names it.
    :param kind: engine, decoder, builder or stage.
    :param name: of it.
    :param vendor_modules: what cannot be imported there.
    :param how: ``missing``, or ``broken``: it is there and fails to load.
    """
    wish = {'module': module, 'kind': kind, 'name': name, 'vendor': vendor_modules, 'how': how}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), json.dumps(wish)],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, f'the process ended with {done.returncode}: {done.stderr}'
    answer = json.loads(done.stdout.splitlines()[-1])
    return Loaded(answer['trouble'], tuple(answer['imported']), answer['probe'])
