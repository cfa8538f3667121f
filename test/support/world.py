# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A node with a fake engine and a tester, with the verbs of a user."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import ExitStack
import queue
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from rcl_interfaces.msg import Log
from rclpy.context import Context
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from edge_perception.ros.node import PerceptionNode
from edge_perception.runtime.accounts import FrameCounts
from test.support.graph import graph
from test.support.graph import MatchedPublisher
from test.support.graph import PATIENCE_S
from test.support.graph import Spinner
from test.support.graph import Tester
from test.support.graph import until

# As rclpy publishes it, so that a late subscription gets what was said before.
ROSOUT = QoSProfile(
    depth=1000,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


class World:
    """Node and tester, with the verbs of a user."""

    def __init__(self, node: PerceptionNode, tester: Tester, spinner: Spinner) -> None:
        self.node = node
        self.tester = tester
        self.spinner = spinner
        self.detections = tester.collect(Detection2DArray, '/perception/detections')
        self._log = tester.collect(Log, '/rosout', ROSOUT)

    def now(self) -> Any:
        return self.tester.node.get_clock().now().to_msg()

    def start(self) -> MatchedPublisher:
        """Configure and activate, and return the camera that the node listens to."""
        assert self.tester.transition('configure')
        camera = self.camera()
        assert self.tester.transition('activate')
        camera.wait(self.node)
        self.detections.wait(self.node)
        return camera

    def camera(self) -> MatchedPublisher:
        return self.tester.publisher(Image, '/image_raw')

    def result(self) -> Detection2DArray:
        """Return the next published result, waiting for it."""
        try:
            return self.detections.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise AssertionError(f'no result came; {self.counts()}') from None

    def counts(self) -> FrameCounts:
        assert self.node.session is not None
        return self.node.session.cameras[0].channel.accounts.counts()

    def counted(self, ready: Callable[[FrameCounts], bool]) -> FrameCounts:
        """Wait until the accounts of the node are as expected."""
        return until(self.counts, ready)

    def settled(self, received: int) -> FrameCounts:
        """Wait until so many frames have arrived and none is in flight."""
        return self.counted(lambda now: now.received == received and now.in_flight == 0)

    def logged(self, text: str) -> str:
        """Return the first line of the log that contains a text, waiting for it."""
        heard = []
        while True:
            try:
                heard.append(self._log.get(timeout=PATIENCE_S).msg)
            except queue.Empty:
                raise AssertionError(f'{text!r} was not said, but {heard}') from None
            if text in heard[-1]:
                return str(heard[-1])

    def heard(self) -> list[str]:
        """Return what the log says besides up to now."""
        lines = []
        while not self._log.empty():
            lines.append(str(self._log.get().msg))
        return lines

    def status(self, subject: str, words: str = '') -> DiagnosticStatus:
        """Return the next diagnostic of the camera or engine with some words in its message."""
        statuses = self.tester.collect(DiagnosticArray, '/diagnostics')
        heard = []
        while len(heard) < PATIENCE_S:  # one a second comes, whatever it says
            for status in statuses.get(timeout=PATIENCE_S).status:
                if status.name == f'/perception: {subject}':
                    heard.append(status.message)
                    if words in status.message:
                        return status
        raise AssertionError(f'{words!r} was not said of the {subject}, but {heard}')


def installed_node(values: dict[str, Any]) -> Callable[[Context], PerceptionNode]:
    """Return what makes a node with parameters and the plugins that are installed."""
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    return lambda context: PerceptionNode(context=context, parameter_overrides=overrides)


@contextmanager
def worlds() -> Iterator[Callable[[Callable[[Context], PerceptionNode]], World]]:
    """Give what makes a world of what makes a node; all of them end with the block."""
    with ExitStack() as stack:
        yield lambda make_node: World(*stack.enter_context(graph(make_node)))
