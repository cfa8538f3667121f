# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Requests to the parameter services that no tool of ROS sends: refused, and the node goes on."""

from __future__ import annotations

import pytest
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import DescribeParameters
from rcl_interfaces.srv import GetParameters
from rcl_interfaces.srv import GetParameterTypes
from rcl_interfaces.srv import ListParameters
from rcl_interfaces.srv import SetParameters
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter

from edge_perception.ros.parameters import parameter_service
from edge_perception.ros.parameters.parameter_service import MOST_PARAMETERS

TOO_MANY = MOST_PARAMETERS + 1


def call(here, kind, name, request):
    client = here.tester.node.create_client(kind, f'/perception/{name}')
    return here.tester.call(client, request)


def threshold(here):
    request = GetParameters.Request(names=['score_threshold'])
    (value,) = call(here, GetParameters, 'get_parameters', request).values
    return value.double_value


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(parameter_service, 'PAUSE_S', 0.0)


def test_after_a_request_that_is_too_long_everything_else_runs_first(world, monkeypatch):
    monkeypatch.setattr(parameter_service, 'PAUSE_S', 3600.0)
    here = world()
    kinds = {
        'get_parameters': GetParameters,
        'list_parameters': ListParameters,
        'set_parameters': SetParameters,
    }
    clients = {
        name: here.tester.node.create_client(kind, f'/perception/{name}')
        for name, kind in kinds.items()
    }
    for client in clients.values():
        assert client.wait_for_service(30)
    request = GetParameters.Request(names=['score_threshold'] * TOO_MANY)
    here.tester.call(clients['get_parameters'], request)
    waiting = [client.call_async(kinds[name].Request()) for name, client in clients.items()]
    assert here.tester.transition('configure') and here.tester.transition('cleanup')
    assert not any(each.done() for each in waiting)


@pytest.mark.parametrize('kind', [10, 14, 255])
def test_a_value_of_an_unknown_type_is_refused(world, kind):
    here = world(score_threshold=0.3)
    wrong = ParameterMessage(name='score_threshold', value=ParameterValue(type=kind))
    request = SetParameters.Request(parameters=[wrong])
    (result,) = call(here, SetParameters, 'set_parameters', request).results
    assert not result.successful and f'type {kind}' in result.reason
    request = SetParametersAtomically.Request(parameters=[wrong])
    result = call(here, SetParametersAtomically, 'set_parameters_atomically', request).result
    assert not result.successful and 'score_threshold' in result.reason
    assert threshold(here) == 0.3


def test_a_request_with_too_many_parameters_is_refused_whole(world):
    here = world(score_threshold=0.3)
    many = [Parameter('score_threshold', value=0.5).to_parameter_msg()] * TOO_MANY
    request = SetParameters.Request(parameters=many)
    results = call(here, SetParameters, 'set_parameters', request).results
    assert results and not any(each.successful for each in results)
    request = SetParametersAtomically.Request(parameters=many)
    result = call(here, SetParametersAtomically, 'set_parameters_atomically', request).result
    assert not result.successful and str(TOO_MANY) in result.reason
    assert threshold(here) == 0.3


def test_questions_for_too_many_names_get_an_empty_answer(world):
    here = world(score_threshold=0.3)
    names = ['score_threshold'] * TOO_MANY
    for kind, name, request in (
        (GetParameters, 'get_parameters', GetParameters.Request(names=names)),
        (GetParameterTypes, 'get_parameter_types', GetParameterTypes.Request(names=names)),
        (DescribeParameters, 'describe_parameters', DescribeParameters.Request(names=names)),
        (ListParameters, 'list_parameters', ListParameters.Request(prefixes=names)),
    ):
        answer = call(here, kind, name, request)
        assert not any(getattr(answer, field, []) for field in ('values', 'types', 'descriptors'))
    assert threshold(here) == 0.3
