# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Load an unknown file in a child process before this one loads it.

Some files crash the runtime that reads them, some never end, some fill the memory. A trial costs
the start of Python and of the runtime, 0.3 s on two x86-64 cores, once for each content of the
file, each way to load it and each version of the runtime. That it went well is remembered in the
user's cache, so that a model that is known costs its digest and nothing else; a failure is
remembered by this process only.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
import hashlib
import json
import os
from pathlib import Path
import platform
import signal
import subprocess
import sys
from typing import Any

from edge_perception.contract.errors import ArtifactError
from edge_perception.contract.errors import EngineUnavailableError
from edge_perception.contract.loading.artifact_files import EXPORT_AGAIN
from edge_perception.contract.loading.artifact_files import second_files
from edge_perception.contract.user_files import cache_folder

CHILD = Path(__file__).with_name('trial_child.py')
# Neither the folder of the child nor the working folder may stand for modules of other people.
START = 'import sys; sys.path = [*filter(None, sys.path)]; exec(open(sys.argv.pop(1)).read())'
WAIT_S = 120.0  # a Coral stick alone takes ten seconds when it is new to the machine
# A model takes some times the size of its file, and the runtime a few hundred MiB.
MEMORY_BYTES, MEMORY_FACTOR = 3 << 30, 8
TIMEOUT, MEMORY, CPU_TIME = 'timeout', 'MemoryError', 'SIGXCPU'
# Signals by which a process ends for its own faults; others come from outside.
CRASHES = ('SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSYS', 'SIGTRAP')


@dataclass(frozen=True, slots=True)
class LoadTrial:
    """
    One way to load a file.

    :param engine: name of the engine, for messages.
    :param runtime: name and version of the vendor's library.
    :param script: of the plugin; ``trial_child.py`` says what it has.
    :param request: for the script, values that JSON can hold.
    :param cpu_s: seconds that all cores together may work on the stage ``model``; 0 sets no limit.
    :param sends_content: hand the content of the file to the script; else it reads the file.
    :param lasting: False for what depends on a device that comes and goes: that it went well is
        remembered by this process only, and what failed is tried again.
    """

    engine: str
    runtime: str
    script: Path
    request: Mapping[str, Any] = field(default_factory=dict)
    cpu_s: int = 0
    sends_content: bool = False
    lasting: bool = True


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """
    How a trial ended.

    :param stage: in which it failed; empty when all went well.
    :param kind: name of the exception, of the signal that ended the process, or ``TIMEOUT``.
    :param error: words of the runtime.
    """

    stage: str = ''
    kind: str = ''
    error: str = ''

    @property
    def crashed(self) -> bool:
        """Whether the runtime ended the process."""
        return self.kind in CRASHES

    @property
    def final(self) -> bool:
        """Whether the runtime could not say itself what is wrong."""
        return self.crashed or self.kind in (TIMEOUT, MEMORY, CPU_TIME)


_outcomes: dict[str, LoadOutcome] = {}


def try_load(trial: LoadTrial, artifact: Path, content: bytes) -> LoadOutcome:
    """
    Return how a file loads in a child process, now or the last time.

    :param content: of the artifact.
    :return: all went well, or the runtime refused it in words, which are those that it has for
        this process as well.
    :raises ArtifactError: it crashes the runtime, never ends, or takes too much memory.
    :raises EngineUnavailableError: there is no child process to be had.
    """
    outcome = outcome_of(trial, artifact, content)
    if outcome.final:
        raise load_error(outcome, trial, artifact)
    return outcome


def outcome_of(trial: LoadTrial, artifact: Path, content: bytes) -> LoadOutcome:
    """Return the same as ``try_load``, also where that raises ``ArtifactError``."""
    key = _key(trial, artifact, content)
    note = cache_folder() / 'trials' / key
    if trial.lasting and key not in _outcomes and note.exists():
        _outcomes[key] = LoadOutcome()
    if key in _outcomes:
        return _outcomes[key]
    outcome = _run(trial, artifact, content)
    # A machine may only have been busy.
    if not outcome.stage or (trial.lasting and outcome.kind != TIMEOUT):
        _outcomes[key] = outcome
    if trial.lasting and not outcome.stage:
        # Where the home cannot be written, the next process tries again.
        with suppress(OSError):
            note.parent.mkdir(parents=True, exist_ok=True)
            note.touch()
    return outcome


def load_error(outcome: LoadOutcome, trial: LoadTrial, artifact: Path) -> ArtifactError:
    """Return the error for a file whose trial ended without words of the runtime."""
    if outcome.crashed:
        return ArtifactError(
            artifact,
            reason=f'makes {trial.runtime} crash ({outcome.kind}), so it is damaged or was made '
            'wrongly',
            remedy=EXPORT_AGAIN,
        )
    if outcome.kind == CPU_TIME:
        return ArtifactError(
            artifact,
            reason=f'was not ready after {trial.cpu_s} s of CPU time in {trial.runtime}',
            remedy='export the model without endless loops, or use a smaller model',
        )
    if outcome.kind == TIMEOUT:
        return ArtifactError(
            artifact,
            reason=f'was not ready after {WAIT_S:.0f} s of {trial.runtime}',
            remedy='try again when the machine has less to do, or use a smaller model',
        )
    return ArtifactError(
        artifact,
        reason=f'needs more memory in {trial.runtime} than {MEMORY_BYTES >> 20} MiB and '
        f'{MEMORY_FACTOR} times its size, or than this machine has',
        remedy='use a smaller model',
    )


def _key(trial: LoadTrial, artifact: Path, content: bytes) -> str:
    """Return what a trial depends on; weights in other files count by their size and time."""
    beside: list[tuple[str, int, int]] = []
    with suppress(OSError):
        beside = [
            (each.name, (status := each.stat()).st_size, status.st_mtime_ns)
            for each in second_files(artifact, content)
        ]
    values = [
        hashlib.sha256(content).hexdigest(),
        *(beside, trial.runtime, trial.script.parent.name, dict(trial.request)),
        # A home may be shared by computers that differ.
        *(platform.machine(), platform.node(), platform.python_version()),
    ]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _run(trial: LoadTrial, artifact: Path, content: bytes) -> LoadOutcome:
    machine = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    wanted = {
        'script': str(trial.script),
        'artifact': str(artifact.absolute()),
        'request': dict(trial.request),
        'cpu_s': trial.cpu_s,
        'memory_bytes': min(MEMORY_BYTES + MEMORY_FACTOR * len(content), machine),
    }
    try:
        done = subprocess.run(
            [sys.executable, '-c', START, str(CHILD), json.dumps(wanted)],
            input=content if trial.sends_content else b'',
            capture_output=True,
            # The child finds what this process has found.
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
            timeout=WAIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return LoadOutcome('model', TIMEOUT)
    except OSError as error:
        raise _cannot_try(trial, error.strerror or str(error)) from error
    if done.returncode == 0:
        outcome = LoadOutcome(**json.loads(done.stdout))
        if outcome.stage == 'library':
            raise _cannot_try(trial, ' '.join(outcome.error.split()))
        return outcome
    name = ending(done.returncode)
    if name not in (*CRASHES, CPU_TIME):
        raise _cannot_try(trial, f'it ended with {name}: {last_line(done.stderr)}')
    return LoadOutcome('model', name)


def _cannot_try(trial: LoadTrial, reason: str) -> EngineUnavailableError:
    return EngineUnavailableError(
        trial.engine,
        reason=f'a child process, in which files are tried, could not do its work: {reason}',
        remedy='see that memory and processes are left, and try again',
    )


def ending(status: int) -> str:
    """Return how a process ended: the name of its signal, or its status."""
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f'status {status}'


def last_line(output: bytes) -> str:
    """Return the last line of what a process printed, for messages."""
    lines = output.decode(errors='replace').split('\n')
    return next((line.strip() for line in reversed(lines) if line.strip()), 'it said nothing')
