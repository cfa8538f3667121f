# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
End a process that hangs, so that respawn can take over, and report while it does.

Three fences, because one that needs the interpreter's lock cannot see who holds it:

1. A thread looks twice a second whether the executor still runs callbacks.
2. ``faulthandler`` ends the process when that thread is kept from looking; it needs no lock.
3. A shell that waits for the first byte of a pipe ends the process some seconds after a signal.
   Python writes the byte in its signal handler, which needs no lock either.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
import faulthandler
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

from rclpy.context import Context

PERIOD_S = 0.5
# Nothing but a vendor's library holds the interpreter's lock for longer than a moment; reading a
# large engine may take some seconds.
LOCK_LIMIT_S = 60.0
# From a signal to the end, whatever is at work.
END_LIMIT_S = 4
# The executor is silent for so long: somebody should be told.
REPORT_AFTER_S = 2.0


class Watchdog:
    """
    Watch the executor from a thread of its own.

    :param limit_s: how long the executor may be silent now, seconds.
    :param overdue: told while it is silent and the process is not ended yet; in this thread.
    :param end: ends the process with a status.
    """

    def __init__(
        self,
        context: Context,
        *,
        limit_s: Callable[[], float],
        overdue: Callable[[float], None],
        end: Callable[[int], Any] = os._exit,
    ) -> None:
        self._context = context
        self._limit_s = limit_s
        self._overdue = overdue
        self._end = end
        self._stopped = threading.Event()
        self._beat_s = time.monotonic()
        self._signaled_s: float | None = None
        self._thread = threading.Thread(target=self._run, name='watchdog', daemon=True)
        self._thread.start()

    def beat(self) -> None:
        """Note that callbacks run. Thread: the executor's."""
        self._beat_s = time.monotonic()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(PERIOD_S):
            faulthandler.dump_traceback_later(LOCK_LIMIT_S, exit=True)
            self._look(time.monotonic())
        faulthandler.cancel_dump_traceback_later()

    def _look(self, now_s: float) -> None:
        silent_s = now_s - self._beat_s
        if not self._context.ok():
            self._signaled_s = self._signaled_s or now_s
            if now_s - self._signaled_s > END_LIMIT_S:
                self._end_now(f'did not end within {END_LIMIT_S} s of a signal')
        elif silent_s > self._limit_s():
            self._end_now(f'no callback ran for {silent_s:.0f} s; it ends to be started again')
        else:
            tell_systemd('WATCHDOG=1')
            if silent_s > REPORT_AFTER_S:
                self._overdue(silent_s)

    def _end_now(self, sentence: str) -> None:
        sys.stderr.write(f'perception_node: {sentence}\n')
        sys.stderr.flush()
        faulthandler.dump_traceback()
        self._end(1)


def end_after_signals() -> None:
    """
    Have this process killed some seconds after SIGINT or SIGTERM, should it not end by itself.

    Called in the main thread when ``EndSignals`` has put handlers of Python in place, without
    which nothing is written, and before ``rclpy.init``, which passes signals on to them.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    # With the process the pipe closes, before or after the first byte, and the shell ends.
    command = f'test -n "$(head -c 1)" && ! timeout {END_LIMIT_S} cat >/dev/null && kill -9 $PPID'
    with suppress(OSError):  # without a shell the first two fences are left
        subprocess.Popen(
            ['/bin/sh', '-c', command],
            stdin=read,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    os.close(read)


def tell_systemd(state: str) -> None:
    """Tell systemd a state by the protocol of sd_notify(3), where it started this process."""
    address = os.environ.get('NOTIFY_SOCKET', '')
    if not address:
        return
    if address.startswith('@'):
        address = '\0' + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(state.encode(), address)
