# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Reads a file in a process of its own first, because some files end the process.

A convolution without weights, for one, is a segmentation fault in 2022.3.2 and in 2026.4.1.
"""

from __future__ import annotations

from functools import lru_cache
import os
from pathlib import Path
import signal
import subprocess
import sys

from edge_perception.contract import ArtifactError
from edge_perception_openvino.errors import artifact_error
from edge_perception_openvino.errors import EXPORT_AGAIN
from edge_perception_openvino.library import load_library

REFUSED = 3
# A network of 100 MB is read in a second or two.
PATIENCE_S = 300


def require_readable(artifact: Path, *, runtime: str) -> None:
    """
    Make sure that reading the file does not end this process.

    :param runtime: name and version, for messages.
    :raises ArtifactError: it cannot be read, or the process that tried died.
    """
    files = [artifact, artifact.with_suffix('.bin')]
    states = tuple(
        (str(file), status.st_size, status.st_mtime_ns)
        for file in files
        if file.exists() and (status := file.stat())
    )
    complaint, died = _try(str(artifact), states)
    if died:
        raise ArtifactError(
            artifact, reason=f'{runtime} {complaint} when it read the file', remedy=EXPORT_AGAIN
        )
    if complaint:
        raise artifact_error(artifact, complaint, runtime=runtime)


@lru_cache(maxsize=8)
def _try(artifact: str, states: tuple[tuple[str, int, int], ...]) -> tuple[str, bool]:
    """Return what is wrong, empty when nothing is, and whether the process died of it."""
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(
            [sys.executable, '-m', 'edge_perception_openvino.trial', artifact],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors='replace',
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f'did not end within {PATIENCE_S} s', True
    if done.returncode == 0:
        return '', False
    if done.returncode == REFUSED:
        return done.stdout, False
    if done.returncode < 0:
        return f'crashed ({signal.Signals(-done.returncode).name})', True
    return f'failed ({done.stderr.strip().splitlines()[-1:]})', True


def main(artifact: str) -> int:
    """Read a network; print why it cannot be read."""
    core = load_library().Core()
    try:
        core.read_model(artifact)
    except Exception as error:
        print(error, flush=True)  # noqa: T201  the parent reads it
        return REFUSED
    return 0


if __name__ == '__main__':
    # Without the cleaning up of the interpreter, in which OpenVINO takes its time.
    os._exit(main(sys.argv[1]))
