# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The parameter services of the node, with refusals where those of rclpy raise or never end."""

from __future__ import annotations

from collections.abc import Sequence
import time
from typing import Any
from typing import cast

from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.parameter_service import ParameterService
from rclpy.qos import QoSProfile

# More than the node has with eight cameras and four engines; rclpy takes 1.5 ms for each.
MOST_PARAMETERS = 500
# After a longer request. rclpy makes objects of 10 000 parameters before anyone can refuse them,
# and nothing else runs meanwhile: six services in turn kept a camera silent for 2.6 s.
PAUSE_S = 1.0
# Requests to one service that wait; the oldest are given up. rclpy would keep a thousand.
MOST_WAITING = 10
KNOWN_TYPES = range(ParameterType.PARAMETER_NOT_SET, ParameterType.PARAMETER_STRING_ARRAY + 1)


class PausingGroup(MutuallyExclusiveCallbackGroup):
    """Callbacks of which none runs for a while after ``pause``. Thread: the executor's."""

    def __init__(self) -> None:
        super().__init__()
        self._until_s = 0.0

    def pause(self) -> None:
        """Let none run for ``PAUSE_S``; requests wait in the middleware meanwhile."""
        self._until_s = time.monotonic() + PAUSE_S

    def can_execute(self, entity: Any) -> bool:
        """Tell the executor whether a callback may run now."""
        return time.monotonic() >= self._until_s and super().can_execute(entity)


class _ServiceMaker:
    """A node whose services are in a group, with a short queue; all else is that of the node."""

    def __init__(self, node: Node, group: PausingGroup) -> None:
        self._node = node
        self._group = group

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)

    def create_service(self, kind: Any, name: str, callback: Any, **_: Any) -> Any:
        profile = QoSProfile(depth=MOST_WAITING)
        return self._node.create_service(
            kind, name, callback, qos_profile=profile, callback_group=self._group
        )


class BoundedParameterService(ParameterService):
    """
    Answer requests of a bounded size and of known types as rclpy does, and refuse all others.

    rclpy raises for a type that it does not know, and works on a request for as long as it is
    long, in the thread that serves everything else. Thread: the executor's.
    """

    def __init__(self, node: Node) -> None:
        self._group = PausingGroup()
        self._services = cast(Node, _ServiceMaker(node, self._group))
        super().__init__(self._services)  # which keeps a weak reference

    def _describe_parameters_callback(self, request: Any, response: Any) -> Any:
        fits = self._fits(request.names)
        return super()._describe_parameters_callback(request, response) if fits else response

    def _get_parameters_callback(self, request: Any, response: Any) -> Any:
        fits = self._fits(request.names)
        return super()._get_parameters_callback(request, response) if fits else response

    def _get_parameter_types_callback(self, request: Any, response: Any) -> Any:
        fits = self._fits(request.names)
        return super()._get_parameter_types_callback(request, response) if fits else response

    def _list_parameters_callback(self, request: Any, response: Any) -> Any:
        fits = self._fits(request.prefixes)
        return super()._list_parameters_callback(request, response) if fits else response

    def _set_parameters_callback(self, request: Any, response: Any) -> Any:
        reason = _refusal(request.parameters)
        if self._fits(request.parameters) and not reason:
            return super()._set_parameters_callback(request, response)
        # One result for each parameter is the rule of the service; a bounded number of them.
        refused = SetParametersResult(successful=False, reason=reason)
        response.results = [refused] * min(len(request.parameters), MOST_PARAMETERS)
        return response

    def _set_parameters_atomically_callback(self, request: Any, response: Any) -> Any:
        reason = _refusal(request.parameters)
        if self._fits(request.parameters) and not reason:
            return super()._set_parameters_atomically_callback(request, response)
        response.result = SetParametersResult(successful=False, reason=reason)
        return response

    def _fits(self, names: Sequence[object]) -> bool:
        if len(names) > MOST_PARAMETERS:
            self._group.pause()
        return len(names) <= MOST_PARAMETERS


def _refusal(parameters: Sequence[ParameterMessage]) -> str:
    """Return why none of the parameters is set, in words; empty when they can be tried."""
    if len(parameters) > MOST_PARAMETERS:
        return f'got {len(parameters)} parameters, expected at most {MOST_PARAMETERS} in a request'
    unknown = [each for each in parameters if each.value.type not in KNOWN_TYPES]
    return '; '.join(
        f'{each.name}: got type {each.value.type}, expected a type from {KNOWN_TYPES[0]} to '
        f'{KNOWN_TYPES[-1]} (rcl_interfaces/msg/ParameterType)'
        for each in unknown[:1]
    )
