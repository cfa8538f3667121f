# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Wheels of vendors, downloaded once and unpacked below ``build/``, and stubs of their libraries.

The real bindings of TensorRT run over stub libraries, which are compiled when a test needs them.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile

import pytest

ROOT = Path(__file__).resolve().parents[3]
SHELF = ROOT / 'build' / 'wheels'
SOURCE = Path(__file__).with_name('nvinfer.cpp')
MAJORS = (8, 10, 11)
# One of each that changed something for us, and the last.
BINDINGS = (
    'tensorrt-bindings==8.6.1',
    'tensorrt-cu12-bindings==10.3.0',
    'tensorrt-cu12-bindings==10.13.3.9',
    'tensorrt-cu12-bindings==10.16.1.11',
    'tensorrt-cu12-bindings==11.4.0.106',
)


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


@functools.cache
def stub_libraries() -> Path:
    """Return a folder with libnvinfer and its kin; skips where that cannot be."""
    if platform.machine() != 'x86_64':
        pytest.skip('the stub libraries of TensorRT know the calls of x86-64 only')
    compiler = shutil.which('c++') or shutil.which('g++')
    if compiler is None:
        pytest.skip('no C++ compiler to make the stub libraries of TensorRT')
    folder = Path(tempfile.mkdtemp(prefix='tensorrt_stubs_'))
    flags = ['-std=c++17', '-O1', '-shared', '-fPIC']
    for major in MAJORS:
        for name in ('nvinfer', 'nvonnxparser', 'nvparsers', 'nvinfer_plugin'):
            library = f'lib{name}.so.{major}'
            # The first has all symbols; for the others it is enough to be there.
            source = SOURCE if name == 'nvinfer' else '/dev/null'
            named = [f'-DTENSORRT_MAJOR={major}', '-x', 'c++', source, f'-Wl,-soname,{library}']
            subprocess.run([compiler, *flags, *named, '-o', folder / library], check=True)
    return folder


@functools.cache
def bindings(requirement: str) -> Path:
    """Return a folder in which the wheel's module is called ``tensorrt``, as where it is used."""
    wheel = unpacked(requirement)
    (wheel / 'tensorrt.py').write_text(
        "import sys\nimport tensorrt_bindings\nsys.modules['tensorrt'] = tensorrt_bindings\n"
    )
    return wheel
