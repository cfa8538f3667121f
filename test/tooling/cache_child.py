# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Builds cheap entries one after the other until somebody kills it; for test_cache.py."""

from __future__ import annotations

from pathlib import Path
import sys

from edge_perception.tooling.building.artifact_cache import locked
from edge_perception.tooling.building.artifact_cache import publish
from edge_perception.tooling.building.artifact_cache import workspace

PARTS, NAMES = 8, 3


def build(directory: Path, number: int) -> None:
    """Write a file in parts, as a converter does, and publish it."""
    name = f'int8-fake-{number % NAMES}'
    with locked(directory, name, waiting=lambda: None), workspace(directory, name) as folder:
        made = folder / 'made'
        made.mkdir()
        for part in range(PARTS):
            with (made / 'net.fake').open('ab') as file:
                file.write(bytes([part]) * 4096)
            (folder / f'scratch_{part}').write_bytes(bytes(512))
        publish(made / 'net.fake', directory, name, values={'number': number})


if __name__ == '__main__':
    sys.stdout.write('ready\n')
    sys.stdout.flush()
    number = 0
    while True:
        build(Path(sys.argv[1]), number)
        number += 1
