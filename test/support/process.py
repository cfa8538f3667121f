# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The node as users run it: a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
from types import MappingProxyType
from typing import Any

PATIENCE_S = 60.0
NOTHING: Mapping[str, str] = MappingProxyType({})
PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')


class NodeProcess:
    """
    A running ``perception_node``.

    It has no profile of Fast DDS, as on a machine where nobody set one; only the process that
    publishes the images needs it.

    :param parameters: of the node.
    :param arguments: in their place, as somebody typed them.
    :param variables: of the environment, beside those of this process.
    :param log: file that receives what the process prints.
    """

    def __init__(
        self,
        parameters: dict[str, Any],
        *,
        log: Path,
        arguments: Sequence[str] = (),
        variables: Mapping[str, str] = NOTHING,
        start_new_session: bool = False,
    ) -> None:
        given = [f'{name}:={_yaml(value)}' for name, value in parameters.items()]
        flags = ['--ros-args', *(part for each in given for part in ('-p', each))]
        environment = {
            name: value for name, value in os.environ.items() if name not in PROFILE_VARIABLES
        }
        environment.update(variables)
        self._log = log
        with log.open('w') as file:
            self._process = subprocess.Popen(
                [sys.executable, '-m', 'edge_perception.ros.main', *(arguments or flags)],
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=start_new_session,
            )

    @property
    def log(self) -> str:
        """Everything that the process has printed so far."""
        return self._log.read_text()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self) -> int:
        """Return the exit status, once the process has ended by itself."""
        return self._process.wait(PATIENCE_S)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal and return the exit status."""
        self._process.send_signal(number)
        return self.wait()

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def handles(pid: int, number: signal.Signals) -> bool:
    """Tell whether a process has a handler for a signal; true when it is gone."""
    try:
        status = Path(f'/proc/{pid}/status').read_text()
    except OSError:
        return True
    (caught,) = re.findall(r'^SigCgt:\s*(\w+)', status, re.MULTILINE)
    return bool(int(caught, 16) >> (number - 1) & 1)


@contextmanager
def node_process(
    log: Path,
    *,
    arguments: Sequence[str] = (),
    variables: Mapping[str, str] = NOTHING,
    start_new_session: bool = False,
    **parameters: Any,
) -> Iterator[NodeProcess]:
    """Run a node that is gone afterwards, whatever happens."""
    process = NodeProcess(
        parameters,
        log=log,
        arguments=arguments,
        variables=variables,
        start_new_session=start_new_session,
    )
    try:
        yield process
    finally:
        process.kill()


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
