# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Asks the node for a service, a parameter and transitions, as a process, and takes the time."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
import json
from pathlib import Path
import sys
import time
from typing import Any

from lifecycle_msgs.srv import ChangeState
from lifecycle_msgs.srv import GetState
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

TIMEOUT_S = 10.0
PAUSE_S = 0.3


class Asker:
    """
    One kind of question after the other.

    :param target: fully qualified name of the node.
    """

    def __init__(self, node: Node, target: str) -> None:
        self._node = node
        self._state: Any = node.create_client(GetState, f'{target}/get_state')
        self._change: Any = node.create_client(ChangeState, f'{target}/change_state')
        self._set: Any = node.create_client(SetParameters, f'{target}/set_parameters')

    def meet(self) -> bool:
        """Wait for the services; False when they do not come."""
        clients = (self._state, self._change, self._set)
        return all(client.wait_for_service(TIMEOUT_S) for client in clients)

    def state(self) -> bool:
        """Ask for the state of the node."""
        answer = self._call(self._state, GetState.Request())
        return answer is not None and bool(answer.current_state.label)

    def parameter(self) -> bool:
        """Set a parameter."""
        wish = Parameter('score_threshold', value=0.1).to_parameter_msg()
        answer = self._call(self._set, SetParameters.Request(parameters=[wish]))
        return answer is not None and bool(answer.results[0].successful)

    def transition(self, label: str) -> bool:
        """Ask for a transition."""
        request = ChangeState.Request()
        request.transition.label = label
        answer = self._call(self._change, request)
        return answer is not None and bool(answer.success)

    def _call(self, client: Any, request: Any) -> Any:
        future = client.call_async(request)
        rclpy.spin_until_future_complete(self._node, future, timeout_sec=TIMEOUT_S)
        return future.result() if future.done() else None


def timed_ms(ask: Callable[[], bool]) -> float:
    """Return how long an answer took; infinite when there was none, or a refusal."""
    started = time.monotonic()
    answered = ask()
    return 1000 * (time.monotonic() - started) if answered else float('inf')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--target', required=True)
    parser.add_argument('--times', type=int, required=True)
    parser.add_argument('--begin', type=Path, required=True)
    parser.add_argument('--output', type=Path, required=True)
    wanted = parser.parse_args()
    rclpy.init()
    node = Node('asker')
    asker = Asker(node, wanted.target)
    if not asker.meet():
        print(f'{wanted.target} offers no services')
        return 1
    asker.state()
    print('ready', flush=True)
    while not wanted.begin.exists():
        time.sleep(PAUSE_S)
    found: dict[str, list[float]] = {'service': [], 'parameter': [], 'transition': []}
    for _ in range(wanted.times):
        time.sleep(PAUSE_S)
        found['service'].append(timed_ms(asker.state))
        time.sleep(PAUSE_S)
        found['parameter'].append(timed_ms(asker.parameter))
        for label in ('deactivate', 'activate'):
            time.sleep(PAUSE_S)
            found['transition'].append(timed_ms(partial(asker.transition, label)))
    wanted.output.write_text(json.dumps(found))
    node.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
