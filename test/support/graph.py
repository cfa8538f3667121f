# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A real ROS graph for tests: the node in one thread, a tester with its own context in another."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
import gc
import queue
import threading
from typing import Any
import weakref

from lifecycle_msgs.srv import ChangeState
from lifecycle_msgs.srv import GetState
from rclpy.context import Context
from rclpy.node import Node
from rclpy.publisher import Publisher

from edge_perception.ros.system import spinning

# How long anything may take before a test gives up; nothing waits so long when all is well.
PATIENCE_S = 30.0
ASK_AGAIN_S = 2.0
POLL_S = 0.005
# Nodes that were closed and not collected yet.
LEFT: weakref.WeakSet[Node] = weakref.WeakSet()


GOALS = {
    'configure': 'inactive',
    'activate': 'active',
    'deactivate': 'inactive',
    'cleanup': 'unconfigured',
}


class Spinner(spinning.Spinner):
    """Forgets its nodes at once when it is closed."""

    def close(self) -> None:
        LEFT.update(self._nodes)
        super().close()
        forget()


def forget() -> None:
    """
    Collect the nodes that were closed.

    A node of rclpy is part of cycles and lives until they are collected; until then the log of the
    next node with its name goes out through the publisher of the old one, to nobody. A test that
    is still at work may hold one, so it is done before each new graph as well.
    """
    if LEFT:
        gc.collect()


class Tester:
    """The other side: publishes images, collects results, drives the lifecycle."""

    __test__ = False  # not a test class, whatever its name begins with

    def __init__(self, spinner: Spinner, target: str = '/perception') -> None:
        self.node: Node = spinner.add(lambda context: Node('tester', context=context))
        self._target = target
        self._change = self.node.create_client(ChangeState, f'{target}/change_state')
        self._state = self.node.create_client(GetState, f'{target}/get_state')

    def publisher(self, message_type: type, topic: str, qos: Any = 10) -> MatchedPublisher:
        return MatchedPublisher(self.node, message_type, topic, qos)

    def collect(self, message_type: type, topic: str, qos: Any = 10) -> Collected:
        """Return a queue that receives every message of a topic."""
        return Collected(self.node, message_type, topic, qos)

    def meet(self, node: Node) -> None:
        """Wait until the node knows our clients, which may be later than we know its services."""
        if not hasattr(node, 'count_clients'):  # only from Jazzy on
            return
        for service in ('change_state', 'get_state'):
            name = f'{self._target}/{service}'
            until(lambda name=name: node.count_clients(name), bool)

    def transition(self, label: str) -> bool:
        """Ask for a transition and wait for the answer."""
        request = ChangeState.Request()
        request.transition.label = label
        if self.call(self._change, request).success:
            return True
        # Its answer may have been lost and the second request refused.
        return self.state() == GOALS[label]

    def state(self) -> str:
        return str(self.call(self._state, GetState.Request()).current_state.label)

    def call(self, client: Any, request: Any) -> Any:
        """
        Call a service and return the answer.

        Asks again when no answer comes: a request that is sent right after discovery may be lost
        (4 of 20 runs on a loaded machine), and so may its answer. The first answer counts: a
        server answers in the order of the requests.
        """
        assert client.wait_for_service(timeout_sec=PATIENCE_S), f'no {client.srv_name}'
        answered = threading.Event()
        futures = []
        for _ in range(int(PATIENCE_S / ASK_AGAIN_S)):
            futures.append(client.call_async(request))
            futures[-1].add_done_callback(lambda _: answered.set())
            if answered.wait(ASK_AGAIN_S):
                return next(future.result() for future in futures if future.done())
        raise AssertionError(f'{client.srv_name} did not answer')


class Collected(queue.Queue):  # type: ignore[type-arg]
    """Every message of a topic, in the order of arrival."""

    def __init__(self, node: Node, message_type: type, topic: str, qos: Any) -> None:
        super().__init__()
        self._node = node
        self._subscription = node.create_subscription(message_type, topic, self.put, qos)

    def wait(self, publisher_node: Node) -> None:
        """Wait until the topic's publisher of a node and we know each other."""
        topic = self._subscription.topic_name
        publisher = until(lambda: endpoint(publisher_node.publishers, topic), bool)
        until(publisher.get_subscription_count, bool)
        until(_publishers_of(self._subscription, self._node), bool)


def _publishers_of(subscription: Any, node: Node) -> Callable[[], int]:
    """Return what counts the publishers that a subscription, before Jazzy its node, knows."""
    if hasattr(subscription, 'get_publisher_count'):
        return subscription.get_publisher_count  # type: ignore[no-any-return]
    return lambda: node.count_publishers(subscription.topic_name)


def endpoint(endpoints: Any, topic: str) -> Any:
    """Return the publisher or subscription of a topic, None when there is none."""
    return next((each for each in list(endpoints) if each.topic_name == topic), None)


def until(read: Callable[[], Any], ready: Callable[[Any], bool]) -> Any:
    """Read until the value is as expected, and return it."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_S / POLL_S)):
        value = read()
        if ready(value):
            return value
        pause.wait(POLL_S)
    raise AssertionError(f'still {value}')


class MatchedPublisher:
    """A publisher that knows when somebody listens."""

    def __init__(self, node: Node, message_type: type, topic: str, qos: Any) -> None:
        self._publisher: Publisher = node.create_publisher(message_type, topic, qos)
        self._node = node

    def wait(self, subscriber_node: Node) -> None:
        """Wait until the topic's subscription of a node and we know each other."""
        topic = self._publisher.topic_name
        subscription = until(lambda: endpoint(subscriber_node.subscriptions, topic), bool)
        until(_publishers_of(subscription, subscriber_node), bool)
        until(self._publisher.get_subscription_count, bool)

    def wait_for_nobody(self) -> None:
        """Wait until nobody listens any more."""
        until(self._publisher.get_subscription_count, lambda count: count == 0)

    def publish(self, message: Any) -> None:
        self._publisher.publish(message)

    def destroy(self, subscriber_node: Node) -> None:
        """Stop publishing, and wait until a node has noticed."""
        topic = self._publisher.topic_name
        self._node.destroy_publisher(self._publisher)
        subscription = endpoint(subscriber_node.subscriptions, topic)
        until(_publishers_of(subscription, subscriber_node), lambda count: count == 0)


@contextmanager
def graph(make_node: Callable[[Context], Node]) -> Iterator[tuple[Any, Tester, Spinner]]:
    """Run a node against a tester; yields node, tester and the spinner of the node."""
    forget()
    spinners = Spinner(), Spinner()
    try:
        node = spinners[0].add(make_node)
        tester = Tester(spinners[1])
        tester.meet(node)
        yield node, tester, spinners[0]
    finally:
        node = tester = None
        for spinner in spinners:
            spinner.close()
