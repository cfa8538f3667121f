# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Start the perception node: ``ros2 launch edge_perception perception.launch.py model:=MODEL``.

An argument left empty is not passed on: the parameter file decides, or else the node.
"""

from __future__ import annotations

from launch.actions import DeclareLaunchArgument
from launch.actions import OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription

# Name, default, description.
ARGUMENTS = (
    ('model', '', 'path of a model folder, or name of a model'),
    ('engine', '', 'name of the inference engine'),
    ('image_topic', '', 'topic of the camera'),
    ('autostart', 'true', 'configure and activate at start, and after a respawn'),
    ('use_sim_time', '', 'true: take the time from /clock'),
    ('params_file', '', 'YAML file with more parameters'),
    ('namespace', '', 'namespace of the node'),
    ('use_respawn', 'true', 'start the node again whenever it ends'),
    ('log_level', 'info', 'debug, info, warn, error or fatal'),
)
TEXT_PARAMETERS = ('model', 'engine', 'image_topic')
# Anything else would silently mean false.
SWITCHES = ('true', 'false', 'True', 'False', '')
SWITCH_PARAMETERS = ('autostart', 'use_sim_time')


def perception_node(context):
    given = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    parameters = {name: given[name] for name in TEXT_PARAMETERS if given[name]}
    switches = [name for name in SWITCH_PARAMETERS if given[name]]
    parameters.update({name: given[name].lower() == 'true' for name in switches})
    return [
        Node(
            package='edge_perception',
            executable='perception_node',
            name='perception',
            namespace=given['namespace'],
            # Explicit arguments come last and win over the file.
            parameters=[given['params_file']] * bool(given['params_file']) + [parameters],
            arguments=['--ros-args', '--log-level', given['log_level']],
            respawn=given['use_respawn'].lower() == 'true',
            respawn_delay=2.0,
            output='screen',
            emulate_tty=True,
        )
    ]


def generate_launch_description():
    declared = [
        DeclareLaunchArgument(
            name,
            default_value=default,
            description=description,
            choices=SWITCHES if name in (*SWITCH_PARAMETERS, 'use_respawn') else None,
        )
        for name, default, description in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=perception_node)])
