# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Spin a node so that an exception in a callback, ours or one of rclpy, does not end it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from traceback import extract_tb

from rclpy.executors import ExternalShutdownException
from rclpy.executors import SingleThreadedExecutor
from rclpy.task import Future

from edge_perception.contract.errors import named
from edge_perception.ros.log_once import LogOnce

# Different causes that are logged; all are counted.
LOGGED_CAUSES = 10
# So many failures with no callback in between that works: the executor itself is broken.
MOST_IN_A_ROW = 100


class CallbackGuard:
    """
    Count the callbacks of a node that raised, and log each cause once. Thread: the executor's.

    :param log: takes a sentence, e.g. the error method of a logger.
    """

    def __init__(self, log: Callable[[str], object]) -> None:
        self.failures = 0
        # The last cause, in words; empty while there is none.
        self.cause = ''
        self._log = LogOnce(log, variants={'callback': LOGGED_CAUSES})

    def failed(self, error: Exception) -> None:
        """Count a callback that raised, and log its cause if it is a new one."""
        self.failures += 1
        self.cause = f'{named(error)}{_place(error)}'
        self._log.say('callback', f'a callback failed and was skipped: {self.cause}')


def spin(
    executor: SingleThreadedExecutor,
    finished: Future,
    guard: CallbackGuard,
    *,
    ending: Callable[[], bool] = lambda: False,
) -> None:
    """
    Run callbacks until the future is done, which only a callback may do, or ROS is shut down.

    :param ending: tells whether a signal came: rclpy turns its ``KeyboardInterrupt`` into another
        exception where it comes within a call of its C++.
    :raises ExternalShutdownException: a signal came.
    :raises Exception: what the executor raises when not one of many callbacks in a row worked.
    """
    in_a_row = 0
    while executor.context.ok() and not finished.done():
        try:
            executor.spin_once()
            in_a_row = 0
        except ExternalShutdownException:
            raise
        except Exception as error:
            in_a_row += 1
            if in_a_row > MOST_IN_A_ROW or ending() or not executor.context.ok():
                raise
            guard.failed(error)


def _place(error: Exception) -> str:
    """Return where an exception comes from: the last line of its traceback."""
    frames = extract_tb(error.__traceback__, limit=-1)
    return ''.join(f' ({Path(each.filename).name}:{each.lineno})' for each in frames)
