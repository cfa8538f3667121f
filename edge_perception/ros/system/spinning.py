# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Spin nodes: in a thread beside what uses them, or in this one until the process is to end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
import queue
import sys
import threading
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

from edge_perception.contract import EdgePerceptionError
from edge_perception.ros.guard import CallbackGuard
from edge_perception.ros.guard import spin
from edge_perception.ros.parameters.unknown_parameters import warn_of_arguments
from edge_perception.ros.system.end_signals import EndSignals

END_PATIENCE_S = 30.0


class Spinner:
    """
    Spin nodes of a context of its own in a thread, as a process of its own would.

    Methods are called from any other thread.
    """

    def __init__(self) -> None:
        self.context = Context()
        rclpy.init(context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._thread = threading.Thread(target=self._spin, name='spinner', daemon=True)
        self._nodes: list[Node] = []

    def add(self, make: Callable[[Context], Node]) -> Any:
        """Make a node in the context, spin it from now on, and return it."""
        node = make(self.context)
        self._nodes.append(node)
        self._executor.add_node(node)
        if not self._thread.is_alive():
            self._thread.start()
        return node

    def call(self, function: Callable[[], Any]) -> Any:
        """Run a function in the thread of the executor and return what it returns."""
        answers: queue.Queue[Any] = queue.Queue()
        self._executor.create_task(lambda: answers.put(function()))
        return answers.get(timeout=END_PATIENCE_S)

    def close(self) -> None:
        """End the thread and destroy the nodes."""
        self._executor.shutdown()
        if self._thread.is_alive():
            self._thread.join(END_PATIENCE_S)
        while self._nodes:
            self._nodes.pop().destroy_node()
        rclpy.try_shutdown(context=self.context)

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()


def run_until_shutdown(make: Callable[[], Any], arguments: list[str] | None) -> int:
    """
    Run a node beside the perception node as a process, until it has finished or a signal comes.

    A signal ends it with status 0 at any moment. Thread: the main thread.

    :param make: makes the node; one with a future ``finished`` ends by itself, with that status.
    :param arguments: of the process, None for ``sys.argv``; those that ROS does not read are
        warned of.
    :return: exit status: 0, that of the node, or 2 when a parameter is wrong.
    """
    signals = EndSignals()
    signals.hold()
    try:
        rclpy.init(args=arguments)
        with signals.interrupting():
            return _spin_until_finished(make(), arguments, signals)
    except EdgePerceptionError as error:
        for code, sentence in error.sentences():
            print(f'error [{code}]: {sentence}', file=sys.stderr)  # noqa: T201
        return 2
    except (KeyboardInterrupt, ExternalShutdownException):
        # Ctrl-C and SIGTERM are the usual ways to end the process.
        return 0
    except Exception:
        # A signal takes the context away from whatever is at work.
        if not signals.came:
            raise
        return 0
    finally:
        rclpy.try_shutdown()


def _spin_until_finished(node: Any, arguments: list[str] | None, signals: EndSignals) -> int:
    warn_of_arguments(node, arguments)
    finished: Future = getattr(node, 'finished', Future())
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        guard = CallbackGuard(node.get_logger().error)
        spin(executor, finished, guard, ending=lambda: signals.came)
    finally:
        node.destroy_node()
        executor.shutdown()
    return int(finished.result() or 0) if finished.done() else 0
