# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Start processes that end with the one that starts them, and choose their environment."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import suppress
import ctypes
from importlib.metadata import PackageNotFoundError
import json
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import threading
from typing import Any

from edge_perception.contract import ConfigurationError
from edge_perception.contract.user_files import writing
from edge_perception.ros.system.process_environment import on_this_machine
from edge_perception.ros.system.process_environment import transport_profile

# Above 101 the ports of DDS reach those that Linux hands out to outgoing connections.
DOMAINS = range(1, 102)
END_PATIENCE_S = 5.0
LAST_WORDS = 15  # lines
PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Opened here, because little is allowed between fork and exec.
_libc = ctypes.CDLL(None)


class Process:
    """
    A process in a group of its own, which ends with this one, even when this one is killed.

    :param name: for messages.
    :param log: gets all that it prints.
    :raises ConfigurationError: the log cannot be written.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self._log = log
        with writing(log):
            file = log.open('wb')
        with file:
            self._process = subprocess.Popen(
                list(command),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches this process only, which ends the others in order.
                start_new_session=True,
                preexec_fn=_end_with_parent if sys.platform == 'linux' else None,
            )
        self.pid = self._process.pid

    def status(self) -> int | None:
        """Return the exit status, None while it runs."""
        return self._process.poll()

    def output(self) -> str:
        """Return all that it has printed."""
        return self._log.read_text(encoding='utf-8', errors='replace')

    def last_words(self) -> list[str]:
        """Return the last lines that it printed, without empty ones."""
        return [line for line in self.output().splitlines() if line.strip()][-LAST_WORDS:]

    def explained(self) -> str:
        """Return where its log is and the last lines of it, for a message."""
        return '\n  '.join([f'the last lines of {self._log}:', *self.last_words()])

    def wait(self, patience_s: float | None) -> int | None:
        """Return the exit status; None when it still runs after that time (None = no limit)."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_s)
        return self.status()

    def end(self, patience_s: float = END_PATIENCE_S) -> int:
        """Send SIGINT, kill it if it does not end in time, and return its exit status."""
        if self.status() is None:
            self._process.send_signal(signal.SIGINT)
        if self.wait(patience_s) is None:
            self.kill()
        return self._process.wait()

    def kill(self) -> None:
        """Kill it with all that it has started."""
        if self.status() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()


class Child(Process):
    """A ROS node as a process."""

    def __init__(
        self,
        name: str,
        module: str,
        parameters: Mapping[str, Any],
        *,
        log: Path,
        environment: Mapping[str, str],
    ) -> None:
        command = [sys.executable, '-m', module, '--ros-args', *parameter_flags(parameters)]
        super().__init__(name, command, log=log, environment=environment)


def parameter_flags(parameters: Mapping[str, Any]) -> list[str]:
    """Return the arguments that set parameters of a node, to follow ``--ros-args``."""
    # JSON is YAML: a string stays a string, whatever it looks like.
    words = {name: json.dumps(value, ensure_ascii=False) for name, value in parameters.items()}
    return [part for name, word in words.items() for part in ('-p', f'{name}:={word}')]


def _end_with_parent() -> None:
    """Have this process killed when its parent is killed and cannot end it. Linux only."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def isolate(environment: Mapping[str, str]) -> dict[str, str]:
    """
    Return an environment that keeps nodes off other networks, unless the user has chosen one.

    :param environment: of the user; not changed.
    """
    domain = str(random.SystemRandom().choice(DOMAINS))
    return {'ROS_DOMAIN_ID': domain, **environment, **on_this_machine(environment)}


def for_camera(environment: Mapping[str, str]) -> dict[str, str]:
    """
    Return an environment in which large images get through, unless the user has chosen.

    Only for the process that publishes them; see the profile itself.
    """
    return {**environment, **transport_profile(environment)}


def require_ros() -> None:
    """
    Check that ROS 2 is here.

    :raises ConfigurationError: it is not.
    """
    for name in ('rclpy', 'vision_msgs.msg'):
        try:
            __import__(name)
        except (ImportError, PackageNotFoundError) as error:
            raise ConfigurationError(
                'ROS 2',
                [
                    f'cannot be used: {error}; source your ROS distribution and install its '
                    'vision_msgs, or call "make demo" in a checkout, which brings its own'
                ],
            ) from error
