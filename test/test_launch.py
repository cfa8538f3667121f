# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The launch files started by launch itself, with launch_ros."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from test.support.graph import Spinner
from test.support.graph import Tester
from test.support.graph import until
from tools.model_folders import model_folder

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


@pytest.fixture
def launchable():
    pytest.importorskip('launch_ros', reason='launch_ros is not installed (not on PyPI)')
    if 'edge_perception' not in os.environ.get('AMENT_PREFIX_PATH', ''):
        pytest.skip('no colcon workspace with edge_perception is sourced, launch cannot find it')


@pytest.mark.slow
def test_launch_starts_an_active_node(launchable, repository, shared_data, tmp_path):
    folder = model_folder('yolox_nano', shared_data, tmp_path)
    spinner = Spinner()
    launch_file = repository / 'launch' / 'perception.launch.py'
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


@pytest.mark.slow
def test_the_demonstration_launched(launchable, repository):
    pytest.importorskip('launch_testing', reason='launch_testing is not installed (not on PyPI)')
    file = repository / 'test' / 'launch_tests' / 'demo.py'
    command = [sys.executable, '-m', 'launch_testing.launch_test', str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, cwd=repository)
    assert done.returncode == 0, done.stdout + done.stderr
