# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Reads a file in a child process first, because some files end the process.

A convolution without weights, for one, is a segmentation fault in 2022.3.2 and in 2026.4.1.
"""

from __future__ import annotations

from functools import lru_cache
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
from typing import Any

from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineUnavailableError
from edge_perception_openvino.errors import artifact_error
from edge_perception_openvino.errors import EXPORT_AGAIN
from edge_perception_openvino.library import ENGINE
from edge_perception_openvino.library import runtime_version

CHILD = Path(__file__).with_name('child.py')
# A network of 100 MB is read in a second or two.
PATIENCE_S = 300.0
# Signals by which a process ends for its own faults; others come from outside.
FAULTS = frozenset({'SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSYS', 'SIGTRAP'})


def require_readable(library: Any, artifact: Path) -> None:
    """
    Make sure that reading the file does not end this process.

    :param library: the module of the vendor.
    :raises ArtifactError: it cannot be read, or the process that tried died of it.
    :raises EngineUnavailableError: it cannot be tried.
    """
    files = [artifact, artifact.with_suffix('.bin')]
    states = tuple(
        (str(file), status.st_size, status.st_mtime_ns)
        for file in files
        if file.exists() and (status := file.stat())
    )
    _try(artifact, states, library.__name__, runtime_version(library))


@lru_cache(maxsize=8)
def _try(
    artifact: Path, states: tuple[tuple[str, int, int], ...], library: str, runtime: str
) -> None:
    """Read a file; only that it went well is remembered, for what failed may be mended."""
    # The child finds what this process has found.
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(
            [sys.executable, str(CHILD), library, str(artifact)],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors='replace',
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ArtifactError(
            artifact,
            reason=f'was not read after {PATIENCE_S:.0f} seconds of {runtime}',
            remedy='try again when the machine has less to do, or take a smaller model',
        ) from error
    except OSError as error:
        raise _cannot_try(error.strerror or str(error)) from error
    if done.returncode != 0:
        raise _death(done, artifact, runtime)
    answer = json.loads(done.stdout)
    if answer.get('stage') == 'library':
        raise _cannot_try(' '.join(answer['error'].split()))
    if answer:
        raise artifact_error(artifact, answer['error'], runtime=runtime)


def _death(
    done: subprocess.CompletedProcess[str], artifact: Path, runtime: str
) -> ArtifactError | EngineUnavailableError:
    """Return the error for a child that died, which the file is to blame for or not."""
    name = _signal_name(done.returncode)
    if name in FAULTS:
        return ArtifactError(
            artifact,
            reason=f'{runtime} crashed ({name}) when it read the file',
            remedy=EXPORT_AGAIN,
        )
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return _cannot_try(f'it ended with {name}: {lines[-1] if lines else "it said nothing"}')


def _cannot_try(reason: str) -> EngineUnavailableError:
    return EngineUnavailableError(
        ENGINE,
        reason=f'a child process, in which files are tried, could not do its work: {reason}',
        remedy='see that memory and processes are left, and try again',
    )


def _signal_name(status: int) -> str:
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f'status {status}'
