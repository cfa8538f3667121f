# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Tries an unknown model, and an unknown delegate, in a child process before this one loads them.

Known is what this process has tried before: the same bytes, by their sha256, in the same way. The
digest in a manifest says which file it is and not what it does to this runtime, so it does not
count. A trial runs the network once on zeros; of YOLOX-nano it takes 0.3 s on two x86-64 cores,
most of which is starting Python and importing NumPy and LiteRT.
"""

from __future__ import annotations

from dataclasses import dataclass
import hashlib
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
from typing import Any

from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineUnavailableError
from edge_perception_litert.errors import artifact_error
from edge_perception_litert.errors import EXPORT_AGAIN
from edge_perception_litert.library import ENGINE
from edge_perception_litert.library import Library

CHILD = Path(__file__).with_name('child.py')
PATIENCE_S = 120.0  # a Coral stick alone takes ten seconds when it is new to the machine
TIMEOUT = 'timeout'
# Signals by which a process ends for its own faults; others come from outside.
FAULTS = frozenset({'SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSYS', 'SIGTRAP'})


@dataclass(frozen=True, slots=True)
class Delegate:
    """
    A delegate library.

    :param name: how messages and ``Engine.device`` call it.
    :param options: what it is told.
    """

    library: str
    name: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """
    A way in which a model is loaded.

    :param shapes: what its inputs become; None when they stay open, then nothing is run.
    """

    library: Library
    xnnpack: bool
    shapes: tuple[tuple[int, ...], ...] | None
    delegate: Delegate | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    How a trial ended.

    :param stage: library, delegate or model; empty when all went well.
    :param kind: name of the exception, of the signal of a crash, or ``TIMEOUT``.
    :param error: words of the runtime.
    """

    stage: str = ''
    kind: str = ''
    error: str = ''

    @property
    def crashed(self) -> bool:
        """Whether the process was killed."""
        return self.kind in FAULTS


_verdicts: dict[tuple[str, Trial], Verdict] = {}


def try_model(content: bytes, trial: Trial, *, artifact: Path) -> None:
    """
    Try a model without a delegate.

    :raises ArtifactError: it cannot be loaded, or kills the process.
    :raises EngineUnavailableError: it cannot be tried.
    """
    verdict = verdict_on(content, trial)
    if verdict.stage == 'library':
        raise EngineUnavailableError(
            ENGINE,
            reason=f'{trial.library.runtime} cannot be imported by a child process, in which '
            f'models are tried: {verdict.error}',
        )
    if verdict.stage:
        raise refusal(verdict, artifact, runtime=trial.library.runtime)


def refusal(verdict: Verdict, artifact: Path, *, runtime: str) -> ArtifactError:
    """Return the error for a model that failed in a trial."""
    if verdict.crashed:
        return ArtifactError(
            artifact,
            reason=f'makes {runtime} crash ({verdict.kind}), so it is damaged or was made wrongly',
            remedy=EXPORT_AGAIN,
        )
    if verdict.kind == TIMEOUT:
        return ArtifactError(
            artifact,
            reason=f'was not ready after {PATIENCE_S:.0f} seconds of {runtime}',
            remedy='try again when the machine has less to do, or take a smaller model',
        )
    return artifact_error(artifact, verdict.error, runtime=runtime)


def verdict_on(content: bytes, trial: Trial) -> Verdict:
    """
    Return how a trial ended, now or the last time.

    A delegate that failed is tried again, because a stick may have been plugged in since.

    :raises EngineUnavailableError: there is no child process to be had.
    """
    key = (hashlib.sha256(content).hexdigest(), trial)
    verdict = _verdicts.get(key)
    if verdict is None:
        verdict = _run(content, trial)
        if not verdict.stage or (trial.delegate is None and verdict.kind != TIMEOUT):
            _verdicts[key] = verdict
    return verdict


def is_proven(delegate: Delegate) -> bool:
    """Tell whether a delegate has worked in a trial."""
    return any(
        trial.delegate == delegate and not verdict.stage
        for (_, trial), verdict in _verdicts.items()
    )


def _run(content: bytes, trial: Trial) -> Verdict:
    delegate = trial.delegate
    wish: dict[str, Any] = {
        'library': trial.library.name,
        'xnnpack': trial.xnnpack,
        'delegate': delegate.library if delegate else '',
        'delegate_options': dict(delegate.options) if delegate else {},
        'run': trial.shapes is not None,
        'shapes': trial.shapes or (),
    }
    # The child finds what this process has found.
    path = os.pathsep.join(filter(None, sys.path))
    try:
        done = subprocess.run(
            [sys.executable, str(CHILD), json.dumps(wish)],
            input=content,
            capture_output=True,
            env={**os.environ, 'PYTHONPATH': path},
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Verdict('model', TIMEOUT)
    except OSError as error:
        raise _cannot_try(error.strerror or str(error)) from error
    if done.returncode == 0:
        return Verdict(**json.loads(done.stdout))
    name = _signal_name(done.returncode)
    if name not in FAULTS:
        raise _cannot_try(f'it ended with {name}: {_last_line(done.stderr)}')
    return Verdict('model', name)


def _cannot_try(reason: str) -> EngineUnavailableError:
    return EngineUnavailableError(
        ENGINE,
        reason=f'a child process, in which models are tried, could not do its work: {reason}',
        remedy='see that memory and processes are left, and try again',
    )


def _signal_name(status: int) -> str:
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f'status {status}'


def _last_line(output: bytes) -> str:
    lines = output.decode(errors='replace').split('\n')
    return next((line.strip() for line in reversed(lines) if line.strip()), 'it said nothing')
