# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One flight in Gazebo: simulator, bridge, faults, perception node and score, each a process."""

from __future__ import annotations

from collections.abc import Callable
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
from tools.gazebo.folder import GazeboError
from tools.gazebo.simulator import free_port
from tools.gazebo.simulator import Gazebo
from tools.gazebo.simulator import wait_for
from tools.processes import Process

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / 'config' / 'gazebo'
# Of wall time, for a node that loads its model and for the flight as a whole.
READY_PATIENCE_S = 90.0
FLIGHT_PATIENCE_S = 300.0
# The last results, and the last report of the node.
GRACE_S = 2.5
POLL_S = 0.1


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
    :param words: what the score printed.
    """

    passed: bool
    score: dict[str, object]
    words: str


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
        _wait(lambda: ' active,' in node.words, [node, score])
        if flight.faults:
            start('faults', *_faults(flight.faults), large_images=True)
        simulator = gazebo.run(world, port=port, log=flight.out / 'gazebo.log')
        stack.callback(simulator.kill)
        wait_for(simulator, port=port)
        bridge = start('bridge', *_bridge(port, gazebo), large_images=True)
        _wait(lambda: bridge.status == 0, [bridge, simulator, node, score], FLIGHT_PATIENCE_S)
        time.sleep(GRACE_S)
        status = score.interrupt()
        words = score.words
    file = flight.out / 'score.json'
    if status not in (0, 1) or not file.is_file():
        raise GazeboError(f'the score ended with status {status}; {score.last_words()}')
    return FlightOutcome(status == 0, json.loads(file.read_text(encoding='utf-8')), words)


def _wait(
    ready: Callable[[], bool], alive: Sequence[Process], patience_s: float = READY_PATIENCE_S
) -> None:
    """
    Wait until something is ready.

    :raises GazeboError: one of the processes ended meanwhile, or it takes too long.
    """
    end = time.monotonic() + patience_s
    while not ready():
        for process in alive:
            if process.status:
                raise GazeboError(
                    f'{process.name} ended with status {process.status}; {process.last_words()}'
                )
        if time.monotonic() > end:
            raise GazeboError(f'not ready after {patience_s:g} s; {alive[0].last_words()}')
        time.sleep(POLL_S)


def _node(flight: Flight) -> list[str]:
    topic = '/faulty/image_raw' if flight.faults else '/camera/image_raw'
    parameters = {
        'model': flight.model,
        'image_topic': topic,
        'autostart': 'true',
        'use_sim_time': 'true',
    }
    flags = [part for name, value in parameters.items() for part in ('-p', f'{name}:={value}')]
    return [sys.executable, '-m', 'edge_perception.ros.main', '--ros-args', *flags]


def _score(flight: Flight) -> list[str]:
    return [
        *(sys.executable, '-m', 'edge_perception.cli.main', 'score', '--use-sim-time'),
        *('--out', str(flight.out), '--thresholds', str(flight.thresholds)),
        *('--object-size', f'{flight.world.pad_size:g}', '--quiet-seconds', '1000'),
    ]


def _bridge(port: int, gazebo: Gazebo) -> list[str]:
    module = [sys.executable, '-m', 'tools.gazebo.bridge']
    return [*module, str(port), str(gazebo.descriptors), f'{DURATION_S:g}']


def _faults(faults: Sequence[str]) -> list[str]:
    value = json.dumps(list(faults))
    command = [
        sys.executable,
        '-m',
        'edge_perception.simulation.nodes.fault_injector',
        '--ros-args',
    ]
    return [*command, '-p', f'faults:={value}']
