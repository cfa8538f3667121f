# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Fly down to the landing pad in Gazebo: ``ros2 launch edge_perception gazebo.launch.py``.

Starts Gazebo, what brings it into ROS, the perception node and the score, which ends everything
and leaves its report in build/score.
"""

from __future__ import annotations

import os
from pathlib import Path
import tempfile

from launch.actions import DeclareLaunchArgument
from launch.actions import ExecuteProcess
from launch.actions import LogInfo
from launch.actions import OpaqueFunction
from launch.actions import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from edge_perception.ros.parameters.parameter_headers import misspelled_arguments
from edge_perception.ros.system.process_environment import for_large_images
from edge_perception.simulation.nodes.gazebo_launch import starts
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
        'additional_env': for_large_images(os.environ) if start.large_images else {},
        'output': 'screen',
        'on_exit': end,
    }
    if start.command:
        return ExecuteProcess(cmd=list(start.command), **common)
    return Node(
        package=start.package,
        executable=start.executable,
        name=start.name,
        parameters=[dict(start.parameters)],
        **common,
    )


def flight(context):
    given = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    gui = given.pop('gui').lower() == 'true'
    folder = Path(tempfile.mkdtemp(prefix='edge_perception_gazebo_'))
    said = misspelled_arguments(context.argv, [name for name, _, _ in ARGUMENTS])
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
