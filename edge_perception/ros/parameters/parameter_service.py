# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The parameter services of the node, with refusals where those of rclpy raise or never end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.msg import SetParametersResult
from rclpy.parameter_service import ParameterService

# More than the node has with eight cameras and four engines; rclpy takes 1.5 ms for each.
MOST_PARAMETERS = 500
KNOWN_TYPES = range(ParameterType.PARAMETER_NOT_SET, ParameterType.PARAMETER_STRING_ARRAY + 1)


class BoundedParameterService(ParameterService):
    """
    Answer requests of a bounded size and of known types as rclpy does, and refuse all others.

    rclpy raises for a type that it does not know, and works on a request for as long as it is
    long, in the thread that serves everything else. Thread: the executor's.
    """

    def _describe_parameters_callback(self, request: Any, response: Any) -> Any:
        fits = _fits(request.names)
        return super()._describe_parameters_callback(request, response) if fits else response

    def _get_parameters_callback(self, request: Any, response: Any) -> Any:
        fits = _fits(request.names)
        return super()._get_parameters_callback(request, response) if fits else response

    def _get_parameter_types_callback(self, request: Any, response: Any) -> Any:
        fits = _fits(request.names)
        return super()._get_parameter_types_callback(request, response) if fits else response

    def _list_parameters_callback(self, request: Any, response: Any) -> Any:
        fits = _fits(request.prefixes)
        return super()._list_parameters_callback(request, response) if fits else response

    def _set_parameters_callback(self, request: Any, response: Any) -> Any:
        reason = _refusal(request.parameters)
        if not reason:
            return super()._set_parameters_callback(request, response)
        # One result for each parameter is the rule of the service; a bounded number of them.
        refused = SetParametersResult(successful=False, reason=reason)
        response.results = [refused] * min(len(request.parameters), MOST_PARAMETERS)
        return response

    def _set_parameters_atomically_callback(self, request: Any, response: Any) -> Any:
        reason = _refusal(request.parameters)
        if not reason:
            return super()._set_parameters_atomically_callback(request, response)
        response.result = SetParametersResult(successful=False, reason=reason)
        return response


def _fits(names: Sequence[str]) -> bool:
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
