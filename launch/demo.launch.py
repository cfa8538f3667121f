# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Perception without a camera: ``ros2 launch edge_perception demo.launch.py``.

A rendered camera comes down to a landing pad, or shows pictures of yours, and the perception node
looks at them. Arguments of perception.launch.py are understood as well.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
import sys

from launch.actions import DeclareLaunchArgument
from launch.actions import ExecuteProcess
from launch.actions import IncludeLaunchDescription
from launch.actions import LogInfo
from launch.actions import OpaqueFunction
from launch.actions import Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from edge_perception.ros.parameters.parameter_headers import misspelled_arguments
from edge_perception.ros.system.process_environment import on_this_machine
from edge_perception.ros.system.process_environment import transport_profile
from launch import LaunchDescription

# Name, default, description.
ARGUMENTS = (
    ('model', 'landing_pad', 'path of a model folder, or name of a model'),
    (
        'source',
        '',
        'path of a picture, a folder of pictures or a video, or camera:NUMBER; '
        'empty: the landing pad',
    ),
    ('seconds', '0.0', 'how long the camera lives; 0: for ever'),
    ('field_of_view', '0.0', 'horizontal, of source, degrees; gives it intrinsics; 0: unknown'),
    ('pad_size', '1.0', 'side of the rendered pad, m: as large as the pad of the model'),
    ('discovery', 'localhost', 'localhost: everything stays on this machine; subnet: it does not'),
)
IMAGE_TOPIC = '/camera/image_raw'
CAMERA_PARAMETERS = ('source', 'seconds', 'field_of_view', 'pad_size')


def camera(context):
    given = {name: LaunchConfiguration(name).perform(context) for name in CAMERA_PARAMETERS}
    # JSON is YAML: a text stays a text, whatever it looks like.
    values = {'source': json.dumps(given.pop('source')), **given}
    flags = [part for name, value in values.items() for part in ('-p', f'{name}:={value}')]
    local = LaunchConfiguration('discovery').perform(context) == 'localhost'
    reach = on_this_machine(os.environ) if local else {}
    # Those of perception.launch.py it tells itself.
    own = {each: default for each, default, _ in ARGUMENTS if each not in ('model', 'discovery')}
    said = misspelled_arguments(context.argv, context.launch_configurations, own)
    return [
        *(LogInfo(msg=sentence) for sentence in said),
        ExecuteProcess(
            cmd=[
                sys.executable,
                '-m',
                'edge_perception.simulation.nodes.rendered_camera',
                '--ros-args',
                *flags,
            ],
            name='camera',
            additional_env={**reach, **transport_profile({**os.environ, **reach})},
            output='screen',
            on_exit=[Shutdown(reason='the camera has ended')],
        ),
    ]


def generate_launch_description():
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    perception = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(Path(__file__).with_name('perception.launch.py'))),
        launch_arguments={
            'model': LaunchConfiguration('model'),
            'image_topic': IMAGE_TOPIC,
        }.items(),
    )
    return LaunchDescription([*declared, perception, OpaqueFunction(function=camera)])
