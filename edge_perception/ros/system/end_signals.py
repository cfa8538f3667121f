# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Take SIGINT and SIGTERM as one request to end, however early and however often they come.

Imports nothing that takes time, so that a process can begin with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
import signal
import sys
from types import FrameType
import warnings

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class EndSignals:
    """
    Handle the signals that end a process. Thread: the main thread.

    Until ``hold`` a signal ends the process at once with status 0: it owns nothing yet. After it a
    signal is noted, and rclpy shuts its context down. Within ``interrupting`` the first one raises
    ``KeyboardInterrupt``, so that a long ``configure`` ends; further ones never do.
    """

    def __init__(self) -> None:
        self.came = False
        self._held = self._raises = False
        for number in SIGNALS:
            signal.signal(number, self._handle)

    def hold(self) -> None:
        """Note signals from now on instead of ending at once."""
        self._held = True

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Let the first signal raise ``KeyboardInterrupt``; also one that came before."""
        try:
            self._raises = True
            if self.came:
                raise KeyboardInterrupt
            yield
        finally:
            self._raises = False

    def ignore(self) -> None:
        """Ignore signals from now on, while the interpreter ends; they would kill it."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._held:
            os._exit(0)
        first, self.came = not self.came, True
        # What is raised inside a callback of the interpreter would print a traceback, and rclpy
        # warns of what it could not take down.
        sys.unraisablehook = lambda unraisable: None
        warnings.simplefilter('ignore')
        if first and self._raises:
            raise KeyboardInterrupt
