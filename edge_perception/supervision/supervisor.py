# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Keep a process with an engine running: notice its end, wait a little, start another.

::

    starting ──> ready ──> restarting ──> ready ...
                   │            ├──> stuck ──> restarting    (the kernel does not let go of it)
                   │            └──> gave_up                 (too many restarts in a row)
                   └──> closed
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
import math
from pathlib import Path
import threading
import time
from typing import Any

from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import InferenceError
from edge_perception.contract import RestartingError
from edge_perception.contract import TensorSpec
from edge_perception.contract.errors import in_words
from edge_perception.supervision.wire import specs_of
from edge_perception.supervision.wire import WorkOrder
from edge_perception.supervision.worker_process import KILL_S
from edge_perception.supervision.worker_process import LEAVE_S
from edge_perception.supervision.worker_process import WorkerLostError
from edge_perception.supervision.worker_process import WorkerProcess

SUPERVISED = 'supervised'
PROCESSES = ('in_process', SUPERVISED)
# For loading, and for the first frames, on a machine that has other things to do.
START_LIMIT_S = 30.0
START_FACTOR = 5.0
WATCH_S = 1.0


@dataclass(frozen=True, slots=True)
class Supervision:
    """
    Whether an engine runs in a process of its own, and what is done when that fails.

    :param process: of ``PROCESSES``.
    :param python: interpreter of that process; empty stands for that of this one.
    :param hang_s: how long a frame may take, seconds; 0 stands for the larger of 1 s and 10 times
        the 99th percentile.
    :param memory_mib: memory that the process may use; 0 sets no limit.
    :param back_off_s: pauses before the restarts in a row, after which it is given up.
    :param steady_s: how long a process has to work before what it does next is no longer in a row.
    """

    process: str = PROCESSES[0]
    python: str = ''
    hang_s: float = 0.0
    memory_mib: int = 0
    back_off_s: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
    steady_s: float = 60.0


class EngineSupervisor:
    """
    Owns the process of one engine, and the thread that starts one after the other.

    :param lost: how often a process was lost, by why: ``crashed``, ``hung``, ``garbage``,
        ``memory``, ``failing`` or ``start``.
    :param stuck: how many could not be killed.
    :param start_s: how long loading may take at a restart, and one of the first frames, seconds.
    """

    def __init__(self, order: WorkOrder, supervision: Supervision) -> None:
        self.lost: Counter[str] = Counter()
        self.stuck = 0
        self._order, self._supervision = order, supervision
        self._changed = threading.Condition()
        self._state, self._reason = 'starting', ''
        self._closing = self._active = False
        self._process: WorkerProcess | None = None  # loading, ready or ending
        self._worker: WorkerProcess | None = None  # ready
        self._ready_since_s = math.inf
        self._facts: dict[str, Any] | None = None
        self._error: BaseException | None = None
        self.start_s = START_LIMIT_S
        self._file = _identity(order.artifact)
        # It lives as long as the processes, which end with the thread that started them.
        self._thread = threading.Thread(target=self._run, name='supervisor', daemon=True)

    def start(self) -> Mapping[str, Any]:
        """
        Return what the engine says of itself once it is loaded.

        :raises Exception: what ``EngineType.create`` raised in the process.
        :raises EngineUnavailableError: the process ended, or there is none to be had.
        """
        self._thread.start()
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._state != 'starting')
        except BaseException:  # Ctrl-C
            self.close(wait=False)
            raise
        if self._error is not None:
            raise self._error
        assert self._facts is not None
        return self._facts

    def activate(self) -> None:
        """
        Let the engine take memory and devices; processes to come do it by themselves.

        :raises Exception: what ``Engine.activate`` raised in the process.
        :raises EngineUnavailableError: the process ended meanwhile.
        """
        worker = self._worker
        try:
            if worker is None:
                raise WorkerLostError('crashed', self._reason)
            worker.activate(self._inputs, warm_up=False, limit_s=self.start_s)
        except WorkerLostError as error:
            raise self._unavailable(str(error)) from error
        self._active = True

    def worker(self) -> WorkerProcess:
        """
        Return the process that is ready. Thread: that of the engine.

        :raises RestartingError: there is none, but there will be.
        :raises InferenceError: it was given up.
        """
        worker = self._worker
        if worker is None:
            raise (InferenceError if self._state == 'gave_up' else RestartingError)(self.condition)
        return worker

    def lose(self, worker: WorkerProcess, error: WorkerLostError) -> RestartingError:
        """Kill a process that is no good; return the error for the frame that noticed it."""
        with self._changed:
            if self._worker is worker:
                self._worker, self._state, self._reason = None, 'restarting', str(error)
        worker.condemn(error.kind, str(error))
        return RestartingError(f'the process of engine {self._name!r} {error}; it is restarted')

    @property
    def condition(self) -> str:
        """What is wrong now, in words; empty when nothing is. Thread: any."""
        words = {
            'restarting': 'it is restarted',
            'stuck': 'the kernel does not end it; its device is left alone until it does',
            'gave_up': f'after {len(self._supervision.back_off_s)} restarts in a row it is given '
            'up',
        }
        if self._state not in words:
            return ''
        return f'the process of engine {self._name!r} {self._reason}; {words[self._state]}'

    def numbers(self) -> dict[str, float]:
        """Return how the process is and how often it was lost, for ``Engine.health``."""
        worker = self._worker
        memory = {'worker_memory_mib': worker.memory_mib()} if worker else {}
        return (
            memory
            | {'worker_restarts': self.lost.total(), 'worker_stuck': self.stuck}
            | {f'worker_{kind}': count for kind, count in self.lost.items()}
        )

    def close(self, *, wait: bool) -> None:
        """Let the process end, and start no other."""
        with self._changed:
            self._closing = True
            ready, self._worker = self._worker, None
            loading = self._process
            self._changed.notify_all()
        if ready is not None:
            ready.leave()
        elif loading is not None:
            loading.condemn('', '')
        if wait and self._thread.ident is not None:
            self._thread.join(LEAVE_S + 2 * KILL_S)

    @property
    def _name(self) -> str:
        return self._order.engine_type.name

    @property
    def _inputs(self) -> tuple[TensorSpec, ...]:
        return specs_of(self._facts['inputs']) if self._facts else ()

    def _run(self) -> None:
        in_a_row = 0
        while not self._closing:
            self._ready_since_s = math.inf
            self._live()
            if self._closing or self._state == 'closed':
                break
            if time.monotonic() - self._ready_since_s > self._supervision.steady_s:
                in_a_row = 0
            with self._changed:
                if in_a_row == len(self._supervision.back_off_s):
                    self._state = 'gave_up'
                    break
                self._state = 'restarting'
                pause = self._supervision.back_off_s[in_a_row]
                self._changed.wait_for(lambda: self._closing, pause)
            in_a_row += 1

    def _live(self) -> None:
        """Bring one process from its start to its end."""
        worker: WorkerProcess | None = None
        try:
            worker = WorkerProcess(self._order, self._supervision.python)
            self._load(worker)
            self._watch(worker)
        except WorkerLostError as error:
            if worker is not None:
                worker.condemn(error.kind, str(error))
            self._say(error.kind, str(error), self._unavailable(str(error)))
        except Exception as error:
            self._say('start', f'could not be started: {in_words(error)}', self._explained(error))
        finally:
            if worker is not None:
                self._bury(worker)

    def _load(self, worker: WorkerProcess) -> None:
        """Load the engine; what is not the first one becomes active and warm as well."""
        started = time.monotonic()
        with self._changed:
            self._process = worker
            if self._closing:
                return
        known = self._facts
        facts = worker.request('create', limit_s=self.start_s if known else None)
        if known is None:
            self.start_s = max(START_LIMIT_S, START_FACTOR * (time.monotonic() - started))
            self._facts = {name: each for name, each in facts.items() if name != 'sequence'}
        elif any(facts[name] != each for name, each in known.items()) or (
            _identity(self._order.artifact) != self._file
        ):
            # Its results would be those of another model.
            raise WorkerLostError('start', 'found another artifact than before')
        elif self._active:
            worker.activate(self._inputs, warm_up=True, limit_s=self.start_s)
        self._ready_since_s = time.monotonic()
        with self._changed:
            if self._closing:
                return
            self._worker, self._state, self._reason = worker, 'ready', ''
            self._changed.notify_all()

    def _watch(self, worker: WorkerProcess) -> None:
        """Wait until a process is lost, or has to end."""
        limit = self._supervision.memory_mib
        while not worker.watch(WATCH_S) and not self._closing:
            if limit and (used := worker.memory_mib()) > limit:
                raise WorkerLostError('memory', f'used {used:.0f} MiB, allowed are {limit}')
        if self._closing:
            return
        if worker.verdict is None:
            worker.condemn('', '')
            worker.gone(KILL_S)
            raise WorkerLostError('crashed', worker.ending())
        raise WorkerLostError(*worker.verdict)

    def _say(self, kind: str, words: str, error: BaseException) -> None:
        with self._changed:
            self.lost[kind] += 1
            self._reason = words
            self._worker = None
            if self._state == 'starting':
                self._state, self._error = 'closed', error
            else:
                self._state = 'restarting'
            self._changed.notify_all()

    def _bury(self, worker: WorkerProcess) -> None:
        """Wait until a process is gone; while it is not, no other may touch its device."""
        if worker.verdict is None:
            worker.leave()
            worker.gone(LEAVE_S)
        worker.condemn('', '')
        if not worker.gone(KILL_S):
            self.stuck += 1
            with self._changed:
                self._state = 'stuck' if self._state == 'restarting' else self._state
            while not worker.gone(WATCH_S):
                pass
        worker.close()

    def _unavailable(self, words: str) -> EngineUnavailableError:
        return EngineUnavailableError(
            self._name,
            reason=f'its process {words}',
            remedy='see what it printed last, or try engine_process: in_process',
        )

    def _explained(self, error: Exception) -> Exception:
        """Return an error of the start with the name of the engine, and of the interpreter."""
        if isinstance(error, OSError):
            python = self._supervision.python or 'the interpreter'
            return EngineUnavailableError(
                self._name,
                reason=f'{python} cannot be started: {in_words(error)}',
                remedy='correct engine_python' if self._supervision.python else '',
            )
        if isinstance(error, EngineUnavailableError):
            return named_after(self._name, self._supervision.python, error)
        return error


def named_after(name: str, python: str, error: EngineUnavailableError) -> EngineUnavailableError:
    """Return an error of the process with the names that users gave."""
    here = f' (in {python})' if python and python not in error.reason else ''
    return EngineUnavailableError(name, reason=error.reason + here, remedy=error.remedy)


def _identity(path: Path | None) -> tuple[int, ...]:
    """Return what tells a file that was exchanged; the files beside it are those of the engine."""
    with suppress(OSError):
        if path is not None:
            status = path.stat()
            return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
    return ()
