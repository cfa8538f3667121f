# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the operating system can do against jitter: cores, priority, memory that stays."""

from __future__ import annotations

from contextlib import suppress
import ctypes
import os
from pathlib import Path
import threading

HIGHEST_PRIORITY = 99
# From sys/mman.h, the same on all architectures that Linux runs robots on.
MCL_CURRENT, MCL_FUTURE = 1, 2
THREADS = Path('/proc/self/task')


class Realtime:
    """
    Settings of the process and of the thread that calls; undone when they are taken back.

    Threads that are made later by the same thread, those of the engine and of the worker, inherit
    cores and priority. Those that exist already, such as those of DDS, get one priority above it
    where that is permitted.
    """

    def __init__(self) -> None:
        self._cores: set[int] | None = None
        self._prioritized = False
        self._locked = False

    def apply(self, *, cpu_affinity: str, realtime_priority: int, lock_memory: bool) -> list[str]:
        """
        Set what is asked for; returns what is wrong or not permitted, a sentence each.

        :param cpu_affinity: cores such as ``2,3`` or ``0-3``; empty for all that there are.
        :param realtime_priority: of SCHED_FIFO, 1 to 99; 0 for the usual scheduling.
        :param lock_memory: keep the memory of the process from being paged out.
        """
        problems = [
            self._set_cores(cpu_affinity),
            self._set_priority(realtime_priority),
            self._lock(lock_memory),
        ]
        return [problem for problem in problems if problem]

    def restore(self) -> None:
        """Take everything back."""
        self.apply(cpu_affinity='', realtime_priority=0, lock_memory=False)

    def _set_cores(self, text: str) -> str:
        if not text and self._cores is None:
            return ''
        if not hasattr(os, 'sched_setaffinity'):
            return 'cpu_affinity: this system cannot bind a process to cores, leave it empty'
        there = self._cores or os.sched_getaffinity(0)
        cores = _cores(text, there) if text else there
        if not cores:
            known = ', '.join(map(str, sorted(there)))
            return f'cpu_affinity: got {text!r}, expected cores such as 2,3 or 0-3, of {known}'
        self._cores = there
        for thread in _threads():
            with suppress(ProcessLookupError):  # a thread that has just ended
                os.sched_setaffinity(thread, cores)
        return ''

    def _set_priority(self, priority: int) -> str:
        if not priority and not self._prioritized:
            return ''
        if not hasattr(os, 'sched_setscheduler'):
            return 'realtime_priority: this system has no SCHED_FIFO, set it to 0'
        try:
            _schedule(0, priority)
        except OSError as error:
            return (
                f'realtime_priority: got {priority}, but SCHED_FIFO is not permitted '
                f'({error.strerror}); allow it with rtprio in /etc/security/limits.conf or '
                'CAP_SYS_NICE, or set it to 0'
            )
        self._prioritized = bool(priority)
        # Threads that exist already, those of DDS above all, hand over what this one and those
        # made later work on. On the same cores they would wait behind threads that compute.
        above = priority and min(priority + 1, HIGHEST_PRIORITY)
        for thread in _threads():
            if thread != threading.get_native_id():
                try:
                    _schedule(thread, above)
                except PermissionError:  # rtprio permits no higher one
                    _schedule(thread, priority)
        return ''

    def _lock(self, wanted: bool) -> str:
        if wanted == self._locked:
            return ''
        library = ctypes.CDLL(None, use_errno=True)
        if not hasattr(library, 'mlockall'):
            return 'lock_memory: this system has no mlockall, set it to false'
        failed = library.mlockall(MCL_CURRENT | MCL_FUTURE) if wanted else library.munlockall()
        if failed:
            reason = os.strerror(ctypes.get_errno())
            return (
                f'lock_memory: mlockall is not permitted ({reason}); allow it with memlock in '
                '/etc/security/limits.conf or CAP_IPC_LOCK, or set it to false'
            )
        self._locked = wanted
        return ''


def _threads() -> list[int]:
    """Return the threads of this process as the scheduler knows them."""
    return [int(task.name) for task in THREADS.iterdir()]


def _schedule(thread: int, priority: int) -> None:
    policy = os.SCHED_FIFO if priority else os.SCHED_OTHER
    with suppress(ProcessLookupError):  # a thread that has just ended
        os.sched_setscheduler(thread, policy, os.sched_param(priority))


def _cores(text: str, there: set[int]) -> set[int]:
    """Read a list of cores as taskset does; empty when it cannot be read or one is not there."""
    cores: set[int] = set()
    for part in text.replace(' ', '').split(','):
        first, dash, last = part.partition('-')
        last = last if dash else first
        if not first.isdecimal() or not last.isdecimal():
            return set()
        if int(last) > max(there):  # a set of all cores of a range may not fit into the memory
            return set()
        cores.update(range(int(first), int(last) + 1))
    return cores if cores <= there else set()
