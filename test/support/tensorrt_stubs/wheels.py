# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Wheels that are tested against, not installed: downloaded once, unpacked below ``build/``."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys
import tempfile
import zipfile

import pytest

ROOT = Path(__file__).resolve().parents[3]
SHELF = ROOT / 'build' / 'wheels'


def unpacked(requirement: str) -> Path:
    """
    Return the folder of a wheel for this Python; skips when it is not to be had.

    :param requirement: name and exact version, ``name==1.2.3``.
    """
    tag = f'py{sys.version_info.major}{sys.version_info.minor}'
    folder = SHELF / f'{requirement.replace("==", "-")}-{tag}'
    if folder.is_dir():
        return folder
    SHELF.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SHELF) as temporary:
        flags = ['--no-deps', '--only-binary=:all:', '--retries', '1', '--timeout', '15']
        command = [sys.executable, '-m', 'pip', 'download', '-q', *flags, '-d', temporary]
        run = subprocess.run([*command, requirement], capture_output=True, text=True, check=False)
        wheels = list(Path(temporary).glob('*.whl'))
        if run.returncode or not wheels:
            said = [line for line in run.stderr.splitlines() if line.startswith('ERROR')]
            pytest.skip(f'no wheel of {requirement}: {said[-1] if said else run.stderr[-200:]}')
        content = Path(temporary, 'content')
        with zipfile.ZipFile(wheels[0]) as archive:
            archive.extractall(content)
        try:
            content.rename(folder)
        except OSError:
            assert folder.is_dir()  # somebody beside us was quicker
    return folder


def run_child(
    arguments: list[str], *, folders: list[Path], libraries: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """
    Run Python with wheels on its path.

    :param folders: where modules are found, before those that are installed.
    :param libraries: where shared libraries are found.
    """
    inherited = os.environ.get('PYTHONPATH', '').split(os.pathsep)
    path = os.pathsep.join(filter(None, map(str, [*folders, ROOT, *inherited])))
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, 'PYTHONPATH': path, 'LD_LIBRARY_PATH': str(libraries), **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
