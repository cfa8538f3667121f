# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The real bindings of TensorRT over stub libraries: compiled and downloaded when wanted."""

from __future__ import annotations

import functools
from pathlib import Path
import platform
import shutil
import subprocess
import tempfile

import pytest

from test.support.tensorrt_stubs.wheels import unpacked

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
            named = [
                *flags,
                f'-DTENSORRT_MAJOR={major}',
                '-x',
                'c++',
                str(source),
                f'-Wl,-soname,{library}',
            ]
            subprocess.run([compiler, *named, '-o', str(folder / library)], check=True)
    return folder


@functools.cache
def bindings(requirement: str) -> Path:
    """Return a folder in which the wheel's module is called ``tensorrt``, as where it is used."""
    wheel = unpacked(requirement)
    (wheel / 'tensorrt.py').write_text(
        "import sys\nimport tensorrt_bindings\nsys.modules['tensorrt'] = tensorrt_bindings\n"
    )
    return wheel
