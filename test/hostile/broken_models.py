# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Make model folders that no exporter writes: bombs, pipes, devices, damaged files."""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import random
import re
import shutil

# More than any artifact may have; the file is sparse.
HUGE_BYTES = 3 << 30


def broken_models(model: Path, folder: Path, *, seed: int, damaged: int) -> list[Path]:
    """
    Return folders with one fault each, made of a good one.

    :param model: folder of a model in ONNX, with its ``model.yaml``.
    :param damaged: how many more have a model file that is cut, or changed in some bytes.
    """
    chance, found = random.Random(seed), []
    for number, spoil in enumerate([*_FAULTS, *[_damage] * damaged]):
        found.append(folder / f'broken_{number}')
        shutil.copytree(model, found[-1])
        manifest = found[-1] / 'model.yaml'
        # Without the digest a damaged file is not refused before the engine gets it.
        manifest.write_text(re.sub(', sha256: [0-9a-f]*', '', manifest.read_text()))
        spoil(found[-1], chance)
    return found


def _manifest(text: str) -> Callable[[Path, random.Random], None]:
    return _replaced('model.yaml', lambda path: path.write_text(text))


def _replaced(name: str, make: Callable[[Path], object]) -> Callable[[Path, random.Random], None]:
    def replace(folder: Path, chance: random.Random) -> None:
        (folder / name).unlink()
        make(folder / name)

    return replace


def _huge(path: Path) -> None:
    with path.open('wb') as file:
        file.truncate(HUGE_BYTES)


def _labels_elsewhere(folder: Path, chance: random.Random) -> None:
    (folder / 'names.txt').symlink_to('/etc/passwd')
    path = folder / 'model.yaml'
    path.write_text(path.read_text().replace('[landing_pad]', 'names.txt'))


def _damage(folder: Path, chance: random.Random) -> None:
    path = folder / 'model.onnx'
    content = bytearray(path.read_bytes())
    if chance.random() < 0.3:
        del content[chance.randrange(len(content)) :]
    for _ in range(chance.randrange(1, 30)):
        # Names, shapes and the graph stand at both ends, the weights between them.
        where = chance.choice([chance.randrange(2000), -chance.randrange(1, 2000)])
        content[where % max(1, len(content)) : where % max(1, len(content)) + 1] = bytes(
            [chance.randrange(256)]
        )
    path.write_bytes(content)


_LEVELS = '\n'.join(
    f'a{n}: &a{n} {{<<: [{", ".join([f"*a{n - 1}"] * 9)}], x{n}: 1}}' for n in range(1, 12)
)
_FAULTS: list[Callable[[Path, random.Random], None]] = [
    _manifest(f'a0: &a0 {{x: 1}}\n{_LEVELS}\n'),
    _manifest('\n'.join(f'key_{n}: {n}' for n in range(50_000))),
    _manifest('[' * 100_000),
    _manifest('name: \x1b[2J\nlabels: !!python/object/apply:os.abort []\n'),
    _replaced('model.yaml', os.mkfifo),
    _replaced('model.yaml', lambda path: path.symlink_to('/dev/zero')),
    _replaced('model.onnx', os.mkfifo),
    _replaced('model.onnx', lambda path: path.symlink_to('/dev/zero')),
    _replaced('model.onnx', os.mkdir),
    _replaced('model.onnx', _huge),
    _replaced('model.onnx', lambda path: path.write_bytes(b'')),
    _labels_elsewhere,
]
