# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Fly once in Gazebo: simulator, bridge, faults, perception node and score as processes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
import json
import os
from pathlib import Path
import sys
import time

from edge_perception.simulation.gazebo.worlds import DURATION_S
from edge_perception.simulation.gazebo.worlds import World
from edge_perception.simulation.gazebo.worlds import write_world
from edge_perception.simulation.nodes.processes import for_camera
from edge_perception.simulation.nodes.processes import isolate
from edge_perception.simulation.nodes.processes import parameter_flags
from edge_perception.simulation.nodes.processes import Process
from tools.gazebo.folder import GazeboError
from tools.gazebo.simulator import free_port
from tools.gazebo.simulator import Gazebo
from tools.gazebo.simulator import wait_for
from tools.gazebo.simulator import wait_until

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / 'config' / 'gazebo'
# Of wall time, for the flight as a whole.
FLIGHT_PATIENCE_S = 300.0
# The last results, and the last report of the node.
GRACE_S = 2.5
# For the score to write its report.
REPORT_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Flight:
    """
    What is flown.

    :param faults: for ``simulation.nodes.fault_injector``, which then is between camera and node;
        empty: nothing is.
    :param thresholds: for ``edge-perception score``.
    :param out: folder for report and logs.
    """

    world: World
    out: Path
    thresholds: Path = ROOT / 'config' / 'thresholds_landing_pad.yaml'
    model: str = 'landing_pad'
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FlightOutcome:
    """
    What came of it.

    :param passed: all thresholds were kept.
    :param score: the file ``score.json``.
    :param output: what the score printed.
    """

    passed: bool
    score: dict[str, object]
    output: str


def fly(flight: Flight, gazebo: Gazebo) -> FlightOutcome:
    """
    Fly once.

    :raises GazeboError: a process did not start or ended too early; nothing is left running.
    """
    flight.out.mkdir(parents=True, exist_ok=True)
    world = write_world(TEMPLATES, gazebo.media, world=flight.world, seen_as=gazebo.seen_as)
    paths = [str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]
    environment = {**os.environ, **isolate(os.environ), 'PYTHONPATH': os.pathsep.join(paths)}
    port = free_port()
    with ExitStack() as stack:

        def start(name: str, *command: str, large_images: bool = False) -> Process:
            variables = for_camera(environment) if large_images else environment
            process = Process(name, command, log=flight.out / f'{name}.log', environment=variables)
            stack.callback(process.kill)
            return process

        node = start('node', *_node(flight))
        score = start('score', *_score(flight))
        wait_until(lambda: ' active,' in node.output(), [node, score])
        if flight.faults:
            start('faults', *_faults(flight.faults), large_images=True)
        simulator = gazebo.run(world, port=port, log=flight.out / 'gazebo.log')
        stack.callback(simulator.kill)
        wait_for(simulator, port=port)
        arguments = (str(port), str(gazebo.descriptors), f'{DURATION_S:g}')
        bridge = start('bridge', *_module('tools.gazebo.bridge', *arguments), large_images=True)
        wait_until(
            lambda: bridge.status() == 0, [bridge, simulator, node, score], FLIGHT_PATIENCE_S
        )
        time.sleep(GRACE_S)
        status = score.end(REPORT_PATIENCE_S)
        output = score.output()
    file = flight.out / 'score.json'
    if status not in (0, 1) or not file.is_file():
        raise GazeboError(f'the score ended with status {status}; {score.explained()}')
    return FlightOutcome(status == 0, json.loads(file.read_text(encoding='utf-8')), output)


def _node(flight: Flight) -> list[str]:
    parameters = {
        'model': flight.model,
        'image_topic': '/faulty/image_raw' if flight.faults else '/camera/image_raw',
        'autostart': True,
        'use_sim_time': True,
    }
    return _module('edge_perception.ros.main', '--ros-args', *parameter_flags(parameters))


def _score(flight: Flight) -> list[str]:
    return _module(
        *('edge_perception.cli.main', 'score', '--use-sim-time', '--out', str(flight.out)),
        *('--thresholds', str(flight.thresholds), '--quiet-seconds', '1000'),
        *('--object-size', f'{flight.world.pad_size:g}'),
    )


def _faults(faults: Sequence[str]) -> list[str]:
    module = 'edge_perception.simulation.nodes.fault_injector'
    return _module(module, '--ros-args', *parameter_flags({'faults': faults}))


def _module(*arguments: str) -> list[str]:
    return [sys.executable, '-m', *arguments]
