# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Two perception nodes in a launch file of yours: namespaces, names, topics and a remapping."""

from __future__ import annotations

from launch.actions import GroupAction
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import SetRemap
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

# Results of the front camera go where the rest of the robot expects them.
REMAPPED = {'front': {'~/detections': '/obstacles/detections'}, 'down': {}}
ARGUMENTS = {
    'front': {'model': '/models/yolox_nano', 'score_threshold': '0.4'},
    'down': {'model': 'landing_pad', 'latency_budget_ms': '150'},
}


def perception(camera):
    file = PathJoinSubstitution(
        [FindPackageShare('edge_perception'), 'launch', 'perception.launch.py']
    )
    given = {
        'namespace': 'drone1',
        'name': f'{camera}_perception',
        'image_topic': f'/drone1/{camera}/image_raw',
        **ARGUMENTS[camera],
    }
    return GroupAction(
        [
            *(SetRemap(src=source, dst=target) for source, target in REMAPPED[camera].items()),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(file), launch_arguments=given.items()
            ),
        ]
    )


def generate_launch_description():
    return LaunchDescription([perception('front'), perception('down')])
