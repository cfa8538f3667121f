# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The launch file passes on what the node knows, and starts it where ROS can launch."""

from __future__ import annotations

import ast
import dataclasses
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from edge_perception.ros.node_config import NodeConfig
from test.models import model_folder
from test.support.graph import Spinner
from test.support.graph import Tester
from test.support.graph import until

# What ``ros2 launch FILE ARGUMENTS`` does; the command itself may be missing.
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

source = PythonLaunchDescriptionSource(sys.argv[1])
arguments = [argument.split(':=') for argument in sys.argv[2:]]
service = LaunchService()
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)])
)
sys.exit(service.run())
"""


@pytest.fixture(scope='module')
def launch_file(repository):
    return repository / 'launch' / 'perception.launch.py'


def constant(path, name: str) -> Any:
    """Return a constant of a module without importing what it needs."""
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == name:
            return ast.literal_eval(statement.value)
    raise AssertionError(f'no {name} in {path.name}')


def test_arguments_that_become_parameters_are_parameters_of_the_node(launch_file):
    passed = {
        *constant(launch_file, 'TEXT_PARAMETERS'),
        *constant(launch_file, 'SWITCH_PARAMETERS'),
    }
    declared = {field.name for field in dataclasses.fields(NodeConfig)} | {'use_sim_time'}
    assert passed <= declared
    names = {name for name, _, _ in constant(launch_file, 'ARGUMENTS')}
    assert passed <= names
    assert {'namespace', 'params_file', 'autostart', 'use_respawn', 'log_level'} <= names


def test_launch_starts_an_active_node(launch_file, shared_data, tmp_path):
    pytest.importorskip('launch_ros', reason='launch_ros is not installed (not on PyPI)')
    if 'edge_perception' not in os.environ.get('AMENT_PREFIX_PATH', ''):
        pytest.skip('no colcon workspace with edge_perception is sourced, launch cannot find it')
    folder = model_folder('yolox_nano', shared_data, tmp_path)
    spinner = Spinner()
    command = [sys.executable, '-c', LAUNCH, str(launch_file), f'model:={folder}']
    process = subprocess.Popen([*command, 'namespace:=drone1', 'use_respawn:=false'])
    try:
        tester = Tester(spinner, target='/drone1/perception')
        until(tester.state, lambda state: state == 'active')
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        spinner.close()
