# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A CUDA driver without a GPU, compiled when a test wants it; see ``libcuda.c``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
import ctypes
import functools
import os
from pathlib import Path
import re
import shutil
import subprocess
import tempfile
from typing import Any

import pytest

SOURCE = Path(__file__).with_name('libcuda.c')
# Set for child processes, which find it compiled and as the only libcuda.so.1.
LIBRARY_VARIABLE = 'EDGE_PERCEPTION_TEST_LIBCUDA'
# Error codes of cuda.h.
OUT_OF_MEMORY = 2
NO_DEVICE = 100
ILLEGAL_ADDRESS = 700
DRIVER_MISMATCH = 803

_DEVICE, _HOST, _STREAM = 1, 2, 3
CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@functools.cache
def compiled() -> Path:
    """Return the library as ``libcuda.so.1`` in a folder of its own; skips without a compiler."""
    if LIBRARY_VARIABLE in os.environ:
        return Path(os.environ[LIBRARY_VARIABLE])
    compiler = shutil.which('cc') or shutil.which('gcc')
    if compiler is None:
        pytest.skip('no C compiler to make the fake CUDA driver')
    library = Path(tempfile.mkdtemp(prefix='fake_cuda_'), 'libcuda.so.1')
    command = [compiler, '-shared', '-fPIC', '-o', str(library), str(SOURCE)]
    subprocess.run([*command, '-Wl,-soname,libcuda.so.1', '-ldl', '-lpthread'], check=True)
    return library


def fill_up(extension: Path, library: Path) -> Path:
    """Make a library of all functions of CUDA that an extension wants and the fake one lacks."""
    symbols = [_symbols(path) for path in (extension, compiled())]
    missing = sorted(symbols[0]['U'] - symbols[1]['T'])
    source = ''.join(f'int {name}(void) {{ return 801; }}\n' for name in missing)
    command = ['cc', '-shared', '-fPIC', '-x', 'c', '-', '-o', str(library)]
    subprocess.run(command, input=source, text=True, check=True)
    return library


def _symbols(library: Path) -> dict[str, set[str]]:
    """Return the functions of CUDA that a library wants (U) and has (T)."""
    listing = subprocess.run(['nm', '-D', library], capture_output=True, text=True, check=True)
    found: dict[str, set[str]] = {'U': set(), 'T': set()}
    for line in listing.stdout.splitlines():
        *_, kind, name = line.split()
        if kind in found and re.match(r'cu[A-Z]', name):
            found[kind].add(name)
    return found


class FakeCuda:
    """
    The fake driver as it was when the process started, but for what a test sets.

    :param devices: how many GPUs there are, at most two.
    :param integrated: they share the memory of the processor.
    """

    def __init__(self, *, devices: int = 1, integrated: bool = False) -> None:
        self.library = ctypes.CDLL(str(compiled()))
        self.library.fake_cuda_first_violation.restype = ctypes.c_char_p
        self.library.fake_cuda_reset(devices, integrated)
        self.integrated = integrated
        # A deque, because threads of two engines append at once, and no callback may be lost.
        self._callbacks: deque[Any] = deque(maxlen=1024)

    @contextmanager
    def failing(self, call: str, code: int, *, after: int = 0) -> Iterator[None]:
        """Let a call fail, after so many that succeed; pycuda tries some of them twice."""
        self.library.fake_cuda_fail(call.encode(), code, after)
        try:
            yield
        finally:
            self.library.fake_cuda_fail(b'', 0, 0)

    @property
    def live(self) -> dict[str, int]:
        """What was taken and not given back, without what is zero."""
        counts = {
            'device': self.library.fake_cuda_live(_DEVICE),
            'host': self.library.fake_cuda_live(_HOST),
            'streams': self.library.fake_cuda_live(_STREAM),
            'contexts': self.library.fake_cuda_retained(0) + self.library.fake_cuda_retained(1),
            'current': self.library.fake_cuda_depth(),
        }
        return {name: count for name, count in counts.items() if count}

    @property
    def violations(self) -> str:
        """The first rule that was broken; empty when none was."""
        return self.library.fake_cuda_first_violation().decode()

    def forgive(self) -> None:
        """Forget what is lost, after a test that broke the driver."""
        self.library.fake_cuda_reset(1, self.integrated)

    def current_device(self) -> int:
        """Return the GPU that is current on this thread, or -1."""
        return self.library.fake_cuda_current()

    def require_current(self, what: str) -> None:
        """Count a breach when no context is current on this thread."""
        if self.current_device() < 0:
            self.library.fake_cuda_violation(f'{what} without a current context'.encode())

    def launch(self, stream: int, kernel: Callable[[], None]) -> None:
        """Run a function when the stream comes to it."""
        once = [kernel]
        callback = CALLBACK(lambda _: once.pop()())
        # It must outlive the stream's work; what it runs, and knows, must not.
        self._callbacks.append(callback)
        self.library.fake_cuda_launch(ctypes.c_void_p(stream), callback, None)

    def synchronize(self, stream: int) -> None:
        """Let the stream do all that was begun."""
        self.library.cuStreamSynchronize(ctypes.c_void_p(stream))
