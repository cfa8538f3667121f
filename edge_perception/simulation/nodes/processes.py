# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The processes of the demonstration: none of them outlives it."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
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


class Child:
    """
    A ROS node in a process, and a process group, of its own.

    :param name: for sentences.
    :param log: gets all that it prints.
    :raises ConfigurationError: the log cannot be written.
    """

    def __init__(
        self,
        name: str,
        module: str,
        parameters: Mapping[str, Any],
        *,
        log: Path,
        environment: Mapping[str, str],
    ) -> None:
        self.name = name
        self._log = log
        # JSON is YAML: a text stays a text, whatever it looks like.
        flags = [
            part
            for key, value in parameters.items()
            for part in ('-p', f'{key}:={json.dumps(value, ensure_ascii=False)}')
        ]
        with writing(log):
            file = log.open('w', encoding='utf-8')
        with file:
            self._process = subprocess.Popen(
                [sys.executable, '-m', module, '--ros-args', *flags],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches the demonstration only, which ends the others in order.
                start_new_session=True,
                preexec_fn=_end_with_parent if sys.platform == 'linux' else None,
            )

    def status(self) -> int | None:
        """Return the exit status, None while it runs."""
        return self._process.poll()

    def last_words(self) -> list[str]:
        """Return the end of what it printed."""
        text = self._log.read_text(encoding='utf-8', errors='replace')
        return [line for line in text.splitlines() if line.strip()][-LAST_WORDS:]

    def end(self) -> None:
        """End the process; by force, with whatever it has started, when it does not listen."""
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(END_PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _end_with_parent() -> None:
    """Have this process ended when the demonstration is killed and cannot end it. Linux only."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


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
    Return what keeps the demonstration off other people's networks, unless the user has chosen.

    :param environment: of the user; not changed.
    """
    wishes = {**environment, **on_this_machine(environment)}
    wishes.setdefault('ROS_DOMAIN_ID', str(random.SystemRandom().choice(DOMAINS)))
    return wishes


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
