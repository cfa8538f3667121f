# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
List the processes that ``launch/gazebo.launch.py`` starts.

Apart from the launch file, so that it can be tested where nothing can be launched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
import shutil
import sys
from typing import Any

from edge_perception.contract import ConfigurationError
from edge_perception.ros.system.shared_files import find_shared
from edge_perception.ros.system.shared_files import has_package
from edge_perception.simulation import landing_pad as pad
from edge_perception.simulation.gazebo.worlds import GROUNDS
from edge_perception.simulation.gazebo.worlds import SIMULATORS
from edge_perception.simulation.gazebo.worlds import World
from edge_perception.simulation.gazebo.worlds import write_world

# Gaps of classic.sdf, filled with what gazebo_ros brings into ROS.
CAMERA_PLUGIN = """
          <plugin name="{name}" filename="libgazebo_ros_camera.so">
            <camera_name>{name}</camera_name>
            <frame_name>{name}_optical_frame</frame_name>
          </plugin>
"""
TRUTH_PLUGIN = """
      <plugin name="truth" filename="libgazebo_ros_p3d.so">
        <ros><remapping>odom:=ground_truth/odometry</remapping></ros>
        <body_name>body</body_name>
        <frame_name>world</frame_name>
        <update_rate>0</update_rate>
      </plugin>
"""


@dataclass(frozen=True, slots=True)
class Start:
    """
    Something to start.

    :param command: empty where a node of a package is meant.
    :param ends_all: everything ends when it ends.
    :param large_images: it publishes them, see ``process_environment.transport_profile``.
    """

    name: str
    command: tuple[str, ...] = ()
    package: str = ''
    executable: str = ''
    parameters: Mapping[str, Any] = field(default_factory=dict)
    ends_all: bool = False
    large_images: bool = False


def missing(simulator: str) -> str:
    """Return what a simulator needs and this machine lacks, in words; empty when nothing does."""
    if simulator not in SIMULATORS:
        return ''  # said with everything else that is wrong
    classic = simulator == 'classic'
    programs = ['gzserver'] if classic else [_program(simulator)[0]]
    packages = ['gazebo_ros', 'gazebo_plugins'] if classic else ['ros_gz_bridge']
    lacking = [f'the program {each}' for each in programs if not shutil.which(each)]
    lacking += [f'the ROS package {each}' for each in packages if not has_package(each)]
    if not lacking:
        return ''
    words = ' and '.join(lacking)
    return f'simulator {simulator}: {words} not found; install Gazebo and its bridge to ROS'


def _program(simulator: str) -> tuple[str, str]:
    return ('ign', 'gazebo') if simulator == 'ignition' else ('gz', 'sim')


def starts(
    folder: Path,
    *,
    simulator: str,
    world: str,
    gui: bool,
    model: str,
    engine: str,
    approach: str,
    pad_size: str,
) -> list[Start]:
    """
    Return everything that belongs to a flight.

    :param folder: gets the world and its images.
    :param simulator: one of ``SIMULATORS``.
    :param world: one of ``GROUNDS``, or the path of a world with the same topics.
    :param approach: number of the way down.
    :param pad_size: side of the pad in meters.
    :raises ConfigurationError: with everything that is wrong.
    """
    problems = _problems(simulator=simulator, world=world, approach=approach, pad_size=pad_size)
    if problems:
        raise ConfigurationError('launch arguments', problems)
    way, size = int(approach), float(pad_size)
    file = Path(world)
    if world in GROUNDS:
        file = _write(folder, simulator, World(ground=world, approach=way, pad_size=size))
    simulated = _classic(file, gui) if simulator == 'classic' else _modern(simulator, file, gui)
    if simulator != 'classic':
        simulated.append(_module('approach_pilot', approach=way, pad_size=size))
    return [*simulated, *_perception(model, engine, size)]


def _problems(*, simulator: str, world: str, approach: str, pad_size: str) -> list[str]:
    problems = []
    if simulator not in SIMULATORS:
        problems.append(f'simulator: got {simulator!r}, expected one of {", ".join(SIMULATORS)}')
    if world not in GROUNDS and not Path(world).is_file():
        grounds = ', '.join(GROUNDS)
        problems.append(f'world: got {world!r}, expected one of {grounds}, or a file')
    if not approach.isdecimal():
        problems.append(f'approach: got {approach!r}, expected an integer')
    try:
        World(pad_size=float(pad_size))
    except ValueError:
        expected = f'{pad.SMALLEST:g} to {pad.LARGEST:g} m'
        problems.append(f'pad_size: got {pad_size!r}, expected {expected}')
    return problems


def _write(folder: Path, simulator: str, world: World) -> Path:
    plugins = {
        'down_plugin': CAMERA_PLUGIN.format(name='camera'),
        'front_plugin': CAMERA_PLUGIN.format(name='front_camera'),
        'truth_plugin': TRUTH_PLUGIN,
    }
    templates = find_shared('config/gazebo/classic.sdf').parent
    return write_world(templates, folder, world=world, simulator=simulator, plugins=plugins)


def _classic(world: Path, gui: bool) -> list[Start]:
    # libgazebo_ros_init publishes /clock.
    server = ('gzserver', '--verbose', str(world), '-s', 'libgazebo_ros_init.so')
    started = [Start('gzserver', server, ends_all=True, large_images=True)]
    return [*started, Start('gzclient', ('gzclient',))] if gui else started


def _modern(simulator: str, world: Path, gui: bool) -> list[Start]:
    program = _program(simulator)
    screen = () if gui else ('-s', '--headless-rendering')
    bridge = {'config_file': str(find_shared('config/gazebo/bridge.yaml'))}
    return [
        Start('gazebo', (*program, '-r', *screen, str(world)), ends_all=True),
        Start(
            'bridge',
            package='ros_gz_bridge',
            executable='parameter_bridge',
            parameters={**bridge, 'use_sim_time': True},
            large_images=True,
        ),
    ]


def _perception(model: str, engine: str, pad_size: float) -> list[Start]:
    parameters = {
        'model': model,
        'engine': engine,
        'image_topic': '/camera/image_raw',
        'autostart': True,
        'use_sim_time': True,
    }
    score = (
        *(sys.executable, '-m', 'edge_perception.cli.main', 'score', '--use-sim-time'),
        *('--object-size', f'{pad_size:g}'),
    )
    return [
        _module('pad_truth'),
        Start(
            'perception',
            package='edge_perception',
            executable='perception_node',
            # Empty: the node decides.
            parameters={name: value for name, value in parameters.items() if value != ''},
            large_images=True,  # those of ~/debug_image
        ),
        Start('score', score, ends_all=True),
    ]


def _module(name: str, **parameters: Any) -> Start:
    """Return a node of ours that has no executable of its own."""
    values = {'use_sim_time': 'true', **parameters}
    flags = [part for key, value in values.items() for part in ('-p', f'{key}:={value}')]
    module = f'edge_perception.simulation.nodes.{name}'
    command = (sys.executable, '-m', module, '--ros-args', *flags)
    return Start(name, command)
