# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Fly down to the landing pad in Gazebo: ``ros2 launch edge_perception gazebo.launch.py``.

Starts Gazebo, what brings it into ROS, the perception node and the score, which ends everything
and leaves its report in build/score.
"""

from __future__ import annotations

import atexit
import os
from pathlib import Path
import shutil
import tempfile

from launch.actions import DeclareLaunchArgument
from launch.actions import ExecuteProcess
from launch.actions import LogInfo
from launch.actions import OpaqueFunction
from launch.actions import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from edge_perception.ros.parameters.parameter_headers import misspelled_arguments
from edge_perception.ros.system.process_environment import transport_profile
from launch import LaunchDescription

# Name, default, description.
ARGUMENTS = (
    ('simulator', 'gz', 'gz (Garden and later), ignition (Fortress) or classic (Gazebo 11)'),
    ('world', 'grass', 'grass, asphalt or roof, or the path of a world of yours'),
    ('gui', 'true', 'show the world'),
    ('model', 'landing_pad', 'path of a model folder, or name of a model'),
    ('engine', '', 'name of the inference engine'),
    ('approach', '1', 'number of the way down'),
    ('pad_size', '1.0', 'side of the pad, m: as large as the pad of the model'),
)
SWITCHES = ('true', 'false', 'True', 'False')


def action(start):
    """Turn a start into an action of launch."""
    end = [Shutdown(reason=f'{start.name} has ended')] if start.ends_all else None
    common = {
        'additional_env': transport_profile(os.environ) if start.large_images else {},
        'output': 'screen',
        'on_exit': end,
    }
    if start.command:
        return ExecuteProcess(cmd=list(start.command), name=start.name, **common)
    return Node(
        package=start.package,
        executable=start.executable,
        name=start.name,
        exec_name=start.name,
        parameters=[dict(start.parameters)],
        **common,
    )


def flight(context):
    try:
        from edge_perception.simulation.nodes.gazebo_launch import missing
        from edge_perception.simulation.nodes.gazebo_launch import starts
    except ModuleNotFoundError as error:
        raise RuntimeError(f'the Python of ros2 launch lacks the package {error.name}') from None
    given = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    gui = given.pop('gui').lower() == 'true'
    if lacking := missing(given['simulator']):
        raise RuntimeError(lacking)
    folder = Path(tempfile.mkdtemp(prefix='edge_perception_gazebo_'))
    # When launch ends, everything that reads it has ended.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    defaults = {name: default for name, default, _ in ARGUMENTS}
    said = misspelled_arguments(context.argv, context.launch_configurations, defaults)
    return [
        *(LogInfo(msg=sentence) for sentence in said),
        *(action(start) for start in starts(folder, gui=gui, **given)),
    ]


def generate_launch_description():
    declared = [
        DeclareLaunchArgument(
            name,
            default_value=default,
            description=description,
            choices=SWITCHES if name == 'gui' else None,
        )
        for name, default, description in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=flight)])
