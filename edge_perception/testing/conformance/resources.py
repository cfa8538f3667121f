# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Count threads, file handles and memory of this process, before and after a block of code."""

from __future__ import annotations

from collections.abc import Callable
import ctypes
from dataclasses import dataclass
import gc
import os
from pathlib import Path

from edge_perception.testing.conformance.clauses import not_applicable

PROC = Path('/proc/self')


@dataclass(frozen=True, slots=True)
class Resources:
    """
    What this process holds.

    :param memory: resident, bytes.
    """

    threads: int
    files: int
    memory: int

    @classmethod
    def now(cls) -> Resources:
        """Count what is in use."""
        if not PROC.exists():
            not_applicable('this system has no /proc to count threads and file handles')
        gc.collect()
        _give_back_free_memory()
        pages = int((PROC / 'statm').read_text().split()[1])
        return cls(
            threads=len(os.listdir(PROC / 'task')),
            files=len(os.listdir(PROC / 'fd')),
            memory=pages * os.sysconf('SC_PAGE_SIZE'),
        )


def _give_back_free_memory() -> None:
    """Let the C library return unused memory, which could hide a leak or look like one."""
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)  # of glibc
    if trim is not None:
        trim(0)


def check_growth(
    repeated: Callable[[], object], *, times: int, settle: int, memory: float = float('inf')
) -> None:
    """
    Assert that something repeated leaves nothing behind.

    Half as many threads and files as repetitions may come, because others in this process make
    some as well; one that stays each time would be twice that.

    :param settle: repetitions before the counting, in which libraries fill caches and pools.
    :param memory: bytes that may come.
    """
    for _ in range(settle):
        repeated()
    before = Resources.now()
    for _ in range(times):
        repeated()
    after = Resources.now()
    grown = f'after {times} times: {before} became {after}'
    assert after.threads - before.threads < times / 2, f'threads stay behind {grown}'
    assert after.files - before.files < times / 2, f'file handles stay behind {grown}'
    assert after.memory - before.memory < memory, f'memory stays behind {grown}'
