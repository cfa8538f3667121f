# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Processes that do not outlive the one that has started them."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
import ctypes
import os
from pathlib import Path
import signal
import subprocess

LAST_WORDS = 12  # lines
END_PATIENCE_S = 60.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Opened here, because little is allowed between fork and exec.
_libc = ctypes.CDLL(None)


class Process:
    """
    A process in a group of its own, which ends with us, even when we are killed.

    :param name: for sentences.
    :param log: gets all that it prints.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self._log = log
        with log.open('wb') as file:
            self._process = subprocess.Popen(
                list(command),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs."""
        return self._process.poll()

    @property
    def words(self) -> str:
        """All that it has printed."""
        return self._log.read_text(encoding='utf-8', errors='replace')

    def last_words(self) -> str:
        """Return the end of what it printed, for a sentence."""
        lines = [line for line in self.words.splitlines() if line.strip()][-LAST_WORDS:]
        return '\n  '.join([f'the last lines of {self._log}:', *lines])

    def interrupt(self) -> int:
        """Let it come to its end as with Ctrl-C, and return its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(END_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def wait(self, patience_s: float | None) -> int | None:
        """Return the exit status; None when it still runs after so long (None = no limit)."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_s)
        return self.status

    def kill(self) -> None:
        """End it and all that it has started, at once."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _end_with_parent() -> None:
    """Have this process killed when we are."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
