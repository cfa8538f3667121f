# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the tools of ROS see of the parameters, and what they may do with them, over DDS."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
import subprocess
import sys

import pytest
from rcl_interfaces.msg import ParameterDescriptor
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import DescribeParameters
from rcl_interfaces.srv import GetParameters
from rcl_interfaces.srv import ListParameters
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter

from edge_perception.ros.parameters.camera_parameters import camera_specs
from edge_perception.ros.parameters.reading import node_specs
from tools.reference_tables import own_host

LISTS = ('classes', 'cameras')


def call(here, kind, name, request):
    return here.tester.call(here.tester.node.create_client(kind, f'/perception/{name}'), request)


def set_one(here, name, value, kind=None):
    message = Parameter(name, kind, value).to_parameter_msg()
    request = SetParameters.Request(parameters=[message])
    (result,) = call(here, SetParameters, 'set_parameters', request).results
    return result


def describe(here, *names: str) -> list[ParameterDescriptor]:
    request = DescribeParameters.Request(names=names)
    return call(here, DescribeParameters, 'describe_parameters', request).descriptors


def test_no_name_is_a_dotted_beginning_of_another(world):
    # ros2 param dump makes nested mappings of the names.
    here = world(cameras=['front', 'down'])
    listed = call(here, ListParameters, 'list_parameters', ListParameters.Request()).result.names
    ours = [
        spec.name
        for each in node_specs(own_host().engines, own_host().stages).values()
        for spec in each
    ]
    names = {*listed, *ours, *camera_specs(['front'])}
    assert {'engine', 'front.rotate', 'engine_options.litert.threads'} <= names
    clashes = [
        pair for pair in combinations(sorted(names), 2) if f'{pair[1]}.'.startswith(f'{pair[0]}.')
    ]
    assert clashes == []


@pytest.mark.parametrize('name', ['model', 'debug', 'use_sim_time', 'qos_overrides'])
def test_a_camera_is_not_called_as_parameters_are(world, name):
    here = world(cameras=['front', name])
    assert not here.tester.transition('configure')
    here.logged(f'cameras: got {name!r}, expected')
    assert not here.node.has_parameter(f'{name}.rotate')


def test_tools_see_types_and_ranges(world):
    here = world(cameras=['front'], max_detections='many', score_threshold=7.0)
    numbers, thresholds, camera, classes, switch = describe(
        here,
        *('max_detections', 'score_threshold', 'front.latency_budget_ms', 'classes'),
        'publish_late',
    )
    assert numbers.type == ParameterType.PARAMETER_INTEGER
    assert [each.from_value for each in numbers.integer_range] == [-1]
    (span,) = thresholds.floating_point_range
    assert (span.from_value, span.to_value) == (-1.0, 1.0)
    (span,) = camera.floating_point_range
    assert (span.from_value, span.to_value) == (-1.0, 86_400_000.0)
    assert classes.type == ParameterType.PARAMETER_STRING_ARRAY
    assert switch.type == ParameterType.PARAMETER_BOOL
    assert not (switch.integer_range or switch.floating_point_range)
    # They hide no mistake: all of them are said.
    assert not here.tester.transition('configure')
    here.logged('score_threshold: got 7.0, expected -1 or a float from 0 to 1')
    here.logged("max_detections: got 'many', expected -1 or an integer")


def test_an_empty_list_is_one_of_strings(world):
    here = world()
    request = GetParameters.Request(names=LISTS)
    values = call(here, GetParameters, 'get_parameters', request).values
    assert {value.type for value in values} == {ParameterType.PARAMETER_STRING_ARRAY}
    here.start()
    # What ros2 param set takes [] for.
    assert set_one(here, 'classes', [], Parameter.Type.BOOL_ARRAY).successful


@pytest.mark.parametrize('name', LISTS)
@pytest.mark.parametrize('value', [0, 1.5, True, 'x', [1.5], [True], [b'x']])
def test_what_is_no_list_of_strings_is_refused_in_words(world, name, value):
    here = world()
    here.start()
    result = set_one(here, name, value)
    assert not result.successful
    assert result.reason.startswith(f'{name}: got ')
    assert set_one(here, 'score_threshold', 0.5).successful, 'the node goes on'


def test_classes_may_be_given_by_their_indices(world):
    here = world(classes=[0])
    here.start()
    (camera,) = here.node.session.cameras
    assert camera.channel.selection.class_ids == {0}
    assert set_one(here, 'classes', ['thing']).successful
    assert set_one(here, 'classes', [0]).successful
    assert camera.channel.selection.class_ids == {0}
    assert not set_one(here, 'classes', [7]).successful, 'the model has no such class'


@pytest.mark.parametrize('name', ['score_threshold', 'classes', 'engine', 'use_sim_time'])
def test_a_parameter_is_not_deleted(world, name):
    here = world()
    here.start()
    result = set_one(here, name, None, Parameter.Type.NOT_SET)
    assert not result.successful
    assert result.reason.startswith(f'{name}: cannot be deleted')
    assert here.node.has_parameter(name)


DECLARATION = """
from dataclasses import dataclass
from pathlib import Path
import sys

from edge_perception.ros.parameters import node_parameters
from edge_perception.ros.parameters.declaration import parameter


@dataclass(frozen=True, slots=True)
class Extended(node_parameters.NodeConfig):
    gamma: float = parameter(
        1.0, 'gamma of the image', minimum=0.5, maximum=4.0,
        live=True, per_camera=True, launch=True,
    )


node_parameters.NodeConfig = Extended

import rclpy

from edge_perception.ros.parameters.reading import Parameters
from edge_perception.ros.system import shared_files
from test.support.launch_stubs import LaunchFile
from tools import parameter_files
from tools import reference_tables

rclpy.init(args=['--ros-args', '-p', 'cameras:=[front, down]', '-p', 'front.gamma:=2.0'])
parameters = Parameters(rclpy.create_node('perception'), engines={}, stages={})
given = parameters.read()
assert given.problems == []
gammas = {name: config.gamma for name, config in given.cameras.items()}
assert gammas == {'front': 2.0, 'down': 1.0}, gammas
assert parameters.check('gamma', 5.0) and not parameters.late('down.gamma')
assert parameters.read({'gamma': 3.0}).cameras['down'].gamma == 3.0

yaml = parameter_files.default_yaml()
assert 'gamma: 1.0' in yaml and 'front.gamma: -1.0' in yaml
tables = reference_tables.tables()
assert '`gamma`' in tables['parameters'] and '`<name>.gamma`' in tables['camera-parameters']
assert '`gamma`' in tables['launch-parameters']

folder = Path(sys.argv[1])
for path, text in parameter_files.files().items():
    (folder / path.name).write_text(text)
shared_files.find_shared = lambda name: folder / Path(name).name
launch_file = LaunchFile(Path('launch/perception.launch.py'))
(node,) = [each for each in launch_file.start(gamma='2.5') if each.kind == 'Node']
assert node.keywords['parameters'][-1]['gamma'] == 2.5
"""


def test_a_parameter_is_one_declaration(repository, tmp_path: Path):
    command = [sys.executable, '-c', DECLARATION, str(tmp_path)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
