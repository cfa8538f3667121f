# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Start the perception node: ``ros2 launch edge_perception perception.launch.py model:=MODEL``.

An argument left empty is not passed on: the parameter file decides, then the preset, else the
node. The arguments that are parameters of the node come from the schema of its parameters, so
that nothing has to be imported that the Python of ``ros2 launch`` may lack.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
import sys

from launch.actions import DeclareLaunchArgument
from launch.actions import LogInfo
from launch.actions import OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from rclpy.context import Context
import yaml

from edge_perception.ros.parameters.parameter_headers import below_namespace
from edge_perception.ros.parameters.parameter_headers import misspelled_arguments
from edge_perception.ros.parameters.parameter_headers import parameter_tree
from edge_perception.ros.system.process_environment import on_this_machine
from edge_perception.ros.system.process_environment import transport_profile
from edge_perception.ros.system.shared_files import find_shared
from launch import LaunchDescription

SCHEMA = 'config/parameters.schema.json'
# Name, default, description of what is no parameter of the node.
ARGUMENTS = (
    ('preset', '', 'parameters that suit a machine, from config/'),
    ('params_file', '', 'YAML file with more parameters'),
    ('debug', 'false', 'draw every image on ~/debug_image, and say how to look at it'),
    ('bridge', '', 'who takes the target: an autopilot, MAVROS or Nav2; starts target_bridge'),
    ('bridge_connection', '', 'of an autopilot: udp:HOST:PORT or serial:DEVICE:BAUD'),
    ('discovery', 'localhost', 'localhost: the node talks to this machine; subnet: to others too'),
    ('use_sim_time', '', 'true: take the time from /clock'),
    ('name', 'perception', 'name of the node, also that which heads its part of a params_file'),
    ('namespace', '', 'namespace of the node'),
    ('use_respawn', 'true', 'start the node again whenever it ends'),
    ('log_level', 'info', 'debug, info, warn, error or fatal'),
)
# Where the node decides otherwise: by itself it waits for a lifecycle manager.
DEFAULTS = {'autostart': 'true'}
PRESETS = ('', 'coral', 'intel', 'jetson', 'multi_camera', 'myriad', 'raspberry_pi')
BRIDGES = ('', 'ardupilot', 'px4', 'px4_vte', 'mavros', 'nav2_docking')
# Anything else would silently mean false.
SWITCHES = ('true', 'false', 'True', 'False')
# As rcl reads them; it ends the node at any other, which would be started again for ever.
LOG_LEVELS = ('debug', 'info', 'warn', 'error', 'fatal')
CHOICES = {
    'preset': PRESETS,
    'bridge': BRIDGES,
    'discovery': ('localhost', 'subnet'),
    'debug': SWITCHES,
    'use_respawn': SWITCHES,
    'use_sim_time': ('', *SWITCHES),
    'log_level': (*LOG_LEVELS, *map(str.upper, LOG_LEVELS)),
}


def node_parameters():
    schema = json.loads(find_shared(SCHEMA).read_text(encoding='utf-8'))
    declared = schema['properties']['/**']['properties']['ros__parameters']['properties']
    return {name: each for name, each in declared.items() if each.get('x-launch-argument')}


def as_argument(name, declared):
    default = DEFAULTS.get(name, '')
    choices = SWITCHES if declared['type'] == 'boolean' else declared.get('enum', ())
    return DeclareLaunchArgument(
        name,
        default_value=default,
        description=declared['description'],
        choices=list(dict.fromkeys((default, *choices))) if choices else None,
    )


def explicit_parameters(given):
    values = {
        name: value_of(name, given[name], declared['type'])
        for name, declared in node_parameters().items()
        if given[name]
    }
    if given['use_sim_time']:
        values['use_sim_time'] = is_true(given['use_sim_time'])
    if is_true(given['debug']):
        values['debug.max_rate'] = 0.0
    if given['bridge']:
        values['stage_options.target.enabled'] = True
    return values


def parameter_files(given):
    files = [str(find_shared(f'config/{given["preset"]}.yaml'))] if given['preset'] else []
    if given['params_file']:
        path = Path(given['params_file']).expanduser()
        if not path.is_file():
            raise RuntimeError(f'params_file: no file {path}; give its absolute path')
        check_yaml(path)
        files.append(str(below_namespace(path, given['whole_namespace'])))
    return files


def whole_namespace(context, namespace):
    """Return the namespace of the node with those that launch files around this one push."""
    around = LaunchConfiguration('ros_namespace', default='').perform(context)
    parts = (namespace,) if namespace.startswith('/') else (around, namespace)
    return '/'.join(filter(None, (part.strip('/') for part in parts)))


def check_yaml(path):
    """Refuse a file that the node could not read: it would be started again for ever."""
    try:
        content = parameter_tree(path)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RuntimeError(f'params_file: {path}: {" ".join(str(error).split())}') from None
    if not isinstance(content, dict):
        raise RuntimeError(
            f'params_file: {path} holds no parameters; expected a mapping that begins with the '
            'name of the node or /**'
        )
    # What is YAML, and yet no parameters, such as a list of an integer and a string.
    arguments = ['--ros-args', '--params-file', str(path)]
    context = Context()
    try:
        context.init(arguments, initialize_logging=False)
        context.shutdown()
    except Exception as error:  # rclpy has another exception in each release
        words = ' '.join(str(error).split()).partition(', at /')[0].rpartition('Error: ')[2]
        raise RuntimeError(
            f'params_file: {path}: {words}; expected the name of the node or /**, below it '
            'ros__parameters, and below that names with values'
        ) from None


def surroundings(given):
    reach = on_this_machine(os.environ) if given['discovery'] == 'localhost' else {}
    return {**reach, **transport_profile({**os.environ, **reach})}, bool(reach)


def sentences(given, kept_here):
    if kept_here:
        yield 'perception talks to this machine only; discovery:=subnet reaches other machines'
    if is_true(given['debug']):
        camera = '/<camera>' if given['cameras'] else ''
        parts = filter(None, (given['whole_namespace'], f'{given["name"]}{camera}'))
        topic = f'/{"/".join(parts)}/debug_image'
        yield f'debug: ros2 run rqt_image_view rqt_image_view {topic}'


def is_true(text):
    return text.lower() == 'true'


def value_of(name, text, kind):
    if kind == 'boolean':
        return is_true(text)
    if kind == 'array':
        return [each.strip() for each in text.split(',')]
    if kind == 'string':
        # As a value of its type: launch would take a folder named 7 for a number.
        return ParameterValue(text, value_type=str)
    try:
        return int(text) if kind == 'integer' else float(text)
    except ValueError:
        words = {'integer': 'an integer', 'number': 'a float'}
        raise RuntimeError(f'{name}: got {text!r}, expected {words[kind]}') from None


def bridge_parameters(given):
    camera = given['cameras'].split(',')[0].strip()
    topic = '/'.join(filter(None, (given['name'], camera, 'target_measurement')))
    # Presets are for the perception node alone; they stand before the user's file.
    files = parameter_files(given)[bool(given['preset']) :]
    values = {'bridge': given['bridge'], 'connection': given['bridge_connection']}
    if given['use_sim_time']:
        values['use_sim_time'] = is_true(given['use_sim_time'])
    given_values = {name: value for name, value in values.items() if value != ''}
    return [{'measurement_topic': topic}, *files, given_values]


def node_of(given, variables, executable, name, parameters):
    return Node(
        package='edge_perception',
        executable=executable,
        name=name,
        # What its lines in the output begin with; the default is the same for every node of ours.
        exec_name='.'.join(filter(None, (*given['whole_namespace'].split('/'), name))),
        namespace=given['namespace'],
        parameters=parameters,
        arguments=['--ros-args', '--log-level', given['log_level']],
        additional_env=variables,
        respawn=is_true(given['use_respawn']),
        respawn_delay=2.0,
        output='screen',
        # Colors where a person looks, and none in a file or a pipe.
        emulate_tty=sys.stdout.isatty(),
    )


def perception_node(context):
    defaults = {name: DEFAULTS.get(name, '') for name in node_parameters()}
    defaults |= {name: default for name, default, _ in ARGUMENTS}
    given = {name: LaunchConfiguration(name).perform(context) for name in defaults}
    given['whole_namespace'] = whole_namespace(context, given['namespace'])
    variables, kept_here = surroundings(given)
    # What comes later wins.
    parameters = [*parameter_files(given), explicit_parameters(given)]
    nodes = [node_of(given, variables, 'perception_node', given['name'], parameters)]
    if given['bridge']:
        parameters = bridge_parameters(given)
        nodes.append(node_of(given, variables, 'target_bridge', 'target_bridge', parameters))
    misspelled = misspelled_arguments(context.argv, context.launch_configurations, defaults)
    said = [*misspelled, *sentences(given, kept_here)]
    return [*(LogInfo(msg=sentence) for sentence in said), *nodes]


def generate_launch_description():
    declared = [as_argument(name, declared) for name, declared in node_parameters().items()]
    declared += [
        DeclareLaunchArgument(
            name, default_value=default, description=description, choices=CHOICES.get(name)
        )
        for name, default, description in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=perception_node)])
