# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""An exception in a callback is counted and said once, and the node goes on."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import subprocess
import sys

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Empty

from edge_perception.ros.guard import CallbackGuard
from edge_perception.ros.guard import MOST_IN_A_ROW
from edge_perception.ros.guard import spin
from test.support.graph import Spinner
from test.support.graph import Tester
from test.support.graph import until
from test.support.process import node_process


@pytest.fixture
def node() -> Iterator[Node]:
    context = rclpy.Context()
    rclpy.init(context=context)
    node = Node('guarded', context=context)
    yield node
    node.destroy_node()
    context.shutdown()


def deep(depth: int = 0) -> int:
    return deep(depth + 1) + 1


def divide() -> float:
    return 1 / 0


def by_timer(node: Node, callback: Callable[[], object]) -> None:
    node.create_timer(0.001, callback)


def by_guard_condition(node: Node, callback: Callable[[], object]) -> None:
    condition = node.create_guard_condition(callback)
    node.create_timer(0.001, condition.trigger)


def by_subscription(node: Node, callback: Callable[[], object]) -> None:
    node.create_subscription(Empty, 'topic', lambda _: callback(), 1)
    publisher = node.create_publisher(Empty, 'topic', 1)
    node.create_timer(0.001, lambda: publisher.publish(Empty()))


@pytest.mark.parametrize('register', [by_timer, by_guard_condition, by_subscription])
@pytest.mark.parametrize('failing', [deep, divide])
def test_failing_callbacks_are_counted_said_once_and_survived(node, register, failing):
    finished: Future = Future()
    said: list[str] = []
    guard = CallbackGuard(said.append)

    def finish() -> None:
        if guard.failures >= 5:
            finished.set_result(0)

    register(node, failing)
    node.create_timer(0.001, finish)
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    spin(executor, finished, guard)
    executor.shutdown()
    name = {deep: 'RecursionError', divide: 'ZeroDivisionError'}[failing]
    assert guard.failures >= 5
    assert name in guard.cause and 'test_guard.py' in guard.cause
    assert len(said) == 1 and name in said[0]


def test_an_executor_in_which_nothing_works_ends(node):
    class Broken(SingleThreadedExecutor):
        def spin_once(self, timeout_sec: float | None = None) -> None:
            raise OSError('no more files')

    guard = CallbackGuard(lambda _: None)
    executor = Broken(context=node.context)
    with pytest.raises(OSError):
        spin(executor, Future(), guard)
    executor.shutdown()
    assert guard.failures == MOST_IN_A_ROW


def test_what_a_signal_became_on_its_way_is_no_failure(node):
    class Interrupted(SingleThreadedExecutor):
        def spin_once(self, timeout_sec: float | None = None) -> None:
            raise RuntimeError('unable to convert call argument')

    guard = CallbackGuard(lambda _: None)
    executor = Interrupted(context=node.context)
    with pytest.raises(RuntimeError):
        spin(executor, Future(), guard, ending=lambda: True)
    executor.shutdown()
    assert guard.failures == 0


def test_a_clock_with_negative_seconds_does_not_end_the_process(tmp_path):
    spinner = Spinner()
    tester = Tester(spinner)
    reports = tester.collect(DiagnosticArray, '/diagnostics', 10)
    clock = tester.node.create_publisher(Clock, '/clock', 10)
    with node_process(tmp_path / 'log', use_sim_time=True) as process:
        assert tester.state() == 'unconfigured'

        def counted() -> bool:
            clock.publish(Clock(clock=Time(sec=-5)))
            report = reports.get(timeout=30)
            return any(each.name.endswith(': callbacks') for each in report.status)

        until(counted, bool)
        assert tester.state() == 'unconfigured'
        assert process.log.count('a callback failed and was skipped') == 1
        assert process.stop() == 0
    spinner.close()


def test_a_node_beside_the_perception_node_goes_on_as_well():
    # In a process of its own: it takes care of signals.
    code = """
from rclpy.node import Node
from rclpy.task import Future
from edge_perception.ros.system.spinning import run_until_shutdown

class Fails(Node):
    def __init__(self):
        super().__init__('fails')
        self.finished, self.times = Future(), 0
        self.create_timer(0.01, self.call)

    def call(self):
        self.times += 1
        if self.times == 1:
            raise ValueError('the first call fails')
        self.finished.set_result(3)

raise SystemExit(run_until_shutdown(Fails, []))
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 3, done.stderr
    assert 'the first call fails' in done.stderr and 'Traceback' not in done.stderr
