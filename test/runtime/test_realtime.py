# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import ctypes
import errno
import os
import threading
from types import SimpleNamespace

import pytest

from edge_perception.runtime import realtime
from edge_perception.runtime.realtime import Realtime

NOTHING = {'cpu_affinity': '', 'realtime_priority': 0, 'lock_memory': False}


def apply(settings: Realtime, **wishes: object) -> list[str]:
    return settings.apply(**{**NOTHING, **wishes})


def refuse(*_: object) -> None:
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def test_without_wishes_nothing_is_touched(monkeypatch):
    for name in ('sched_setaffinity', 'sched_setscheduler'):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr(ctypes, 'CDLL', refuse)
    assert apply(Realtime()) == []


def test_all_threads_are_bound_and_those_made_later_and_released_again():
    there = os.sched_getaffinity(0)
    core = min(there)
    waiting, found = threading.Event(), []

    def note() -> None:
        waiting.wait(30)
        found.append(os.sched_getaffinity(0))

    settings = Realtime()
    early = threading.Thread(target=note)
    early.start()
    try:
        assert apply(settings, cpu_affinity=str(core)) == []
        late = threading.Thread(target=note)
        late.start()
        waiting.set()
        early.join()
        late.join()
    finally:
        assert apply(settings) == []
    assert found == [{core}, {core}]
    assert os.sched_getaffinity(0) == there


@pytest.mark.parametrize('text', ['two', '1-', '-1', '3000', ',', '2-1', '0-4000000000'])
def test_cores_that_are_not_there_or_not_cores(text):
    (problem,) = apply(Realtime(), cpu_affinity=text)
    assert problem.startswith(f'cpu_affinity: got {text!r}, expected cores such as 2,3 or 0-3, of')


@pytest.mark.parametrize(
    ('text', 'cores'), [('2', {2}), ('0,2', {0, 2}), ('0-2, 5', {0, 1, 2, 5}), ('1-1', {1})]
)
def test_cores_are_written_as_for_taskset(text, cores):
    assert realtime._cores(text, set(range(6))) == cores


@pytest.fixture
def early():
    """Return the number of a thread that was there before, as those of DDS are."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    yield thread.native_id
    end.set()
    thread.join()


def test_a_priority_is_set_and_taken_back(monkeypatch, early):
    calls = []
    monkeypatch.setattr(os, 'sched_setscheduler', lambda *call: calls.append(call))
    settings = Realtime()
    for priority in (20, 99, 0, 0):
        assert apply(settings, realtime_priority=priority) == []
    for thread, above in ((0, 20), (early, 21)):
        policies = [
            (policy, value.sched_priority) for who, policy, value in calls if who == thread
        ]
        assert policies == [(os.SCHED_FIFO, above), (os.SCHED_FIFO, 99), (os.SCHED_OTHER, 0)]


def test_no_thread_stays_below_where_no_higher_priority_is_permitted(monkeypatch, early):
    calls = {}

    def permit_20(thread: int, policy: int, value: os.sched_param) -> None:
        if value.sched_priority > 20:
            refuse()
        calls[thread] = value.sched_priority

    monkeypatch.setattr(os, 'sched_setscheduler', permit_20)
    assert apply(Realtime(), realtime_priority=20) == []
    assert calls[early] == 20
    assert set(calls.values()) == {20}


def test_a_priority_that_is_not_permitted_is_said_with_what_to_do(monkeypatch):
    monkeypatch.setattr(os, 'sched_setscheduler', refuse)
    (problem,) = apply(Realtime(), realtime_priority=20)
    assert problem == (
        'realtime_priority: got 20, but SCHED_FIFO is not permitted (Operation not permitted); '
        'allow it with rtprio in /etc/security/limits.conf or CAP_SYS_NICE, or set it to 0'
    )


def test_everything_is_taken_back(monkeypatch):
    calls = []
    monkeypatch.setattr(
        os, 'sched_setscheduler', lambda *call: calls.append(call[1]) if not call[0] else None
    )
    there = os.sched_getaffinity(0)
    settings = Realtime()
    assert apply(settings, cpu_affinity=str(min(there)), realtime_priority=5) == []
    settings.restore()
    settings.restore()
    assert calls == [os.SCHED_FIFO, os.SCHED_OTHER]
    assert os.sched_getaffinity(0) == there


def test_memory_is_locked_and_unlocked(monkeypatch):
    calls = []
    library = SimpleNamespace(
        mlockall=lambda flags: calls.append(flags) or 0, munlockall=lambda: calls.append(0) or 0
    )
    monkeypatch.setattr(ctypes, 'CDLL', lambda *_, **__: library)
    settings = Realtime()
    for wanted in (True, True, False, False):
        assert apply(settings, lock_memory=wanted) == []
    assert calls == [3, 0]


def test_memory_that_may_not_be_locked_is_said_with_what_to_do(monkeypatch):
    def mlockall(flags: int) -> int:
        ctypes.set_errno(errno.ENOMEM)
        return -1

    library = SimpleNamespace(mlockall=mlockall, munlockall=lambda: 0)
    monkeypatch.setattr(ctypes, 'CDLL', lambda *_, **__: library)
    (problem,) = apply(Realtime(), lock_memory=True)
    assert problem.startswith('lock_memory: mlockall is not permitted (Cannot allocate memory); ')
    assert 'memlock' in problem


def test_all_that_is_wrong_is_said_at_once(monkeypatch):
    monkeypatch.setattr(os, 'sched_setscheduler', refuse)
    problems = apply(Realtime(), cpu_affinity='x', realtime_priority=1)
    assert [problem.partition(':')[0] for problem in problems] == [
        'cpu_affinity',
        'realtime_priority',
    ]
