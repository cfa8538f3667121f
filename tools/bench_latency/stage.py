# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Puts a node, its cameras and whatever else a scenario needs on the stage, and writes it down."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import field
import json
from pathlib import Path
import time
from typing import Any

import psutil

from edge_perception.simulation.playback import Shown
from tools.bench.children import BenchmarkError
from tools.bench.children import Surroundings
from tools.bench_latency.engine import ENGINE
from tools.bench_latency.engine import THREADS

# For the last answers and the report after them.
ENDING_S = 30.0
POLL_S = 0.2
RSS_PERIOD_S = 1.0


@dataclass(frozen=True, slots=True)
class Eye:
    """
    A camera of a scenario.

    :param phase_s: from the beginning to its first image.
    """

    name: str
    rate_hz: float
    budget_ms: float
    width: int = 640
    height: int = 480
    compressed: bool = False
    phase_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Hog:
    """Processes that compute without a pause: from when, and for how long, in seconds."""

    processes: int
    at_s: float
    for_s: float


@dataclass(slots=True)
class Played:
    """
    What was seen.

    :param shown: images of each camera and their answers.
    :param reports: the last diagnostics of each camera.
    :param begun_ns: monotonic time of the first image.
    :param rss_mb: memory of the node, with seconds since then.
    :param answers_ms: how long questions to the node took, by kind.
    """

    begun_ns: int
    shown: dict[str, list[Shown]] = field(default_factory=dict)
    reports: dict[str, dict[str, str]] = field(default_factory=dict)
    rss_mb: list[tuple[float, float]] = field(default_factory=list)
    answers_ms: dict[str, list[float]] = field(default_factory=dict)


class Stage:
    """
    Plays scenarios, one after the other.

    :param workspace: folder for what the processes hand over.
    """

    def __init__(self, workspace: Path) -> None:
        self._surroundings = Surroundings(workspace / 'logs')
        self._work = workspace / 'work'
        self._work.mkdir(parents=True, exist_ok=True)
        self._target = f'{self._surroundings.namespace}/perception'

    def play(
        self,
        model: Path,
        eyes: Sequence[Eye],
        *,
        seconds: float,
        hog: Hog | None = None,
        questions: int = 0,
        echo: bool = False,
    ) -> Played:
        """
        Run a node with cameras for a while.

        :param questions: how often everything is asked of the node meanwhile.
        :param echo: a node that answers without looking takes the place of ours.
        :raises BenchmarkError: a process failed.
        """
        begin = self._work / 'begin'
        begin.unlink(missing_ok=True)
        with ExitStack() as stack:
            node = stack.enter_context(self._echo(eyes) if echo else self._node(model, eyes))
            node.wait_until_it_says('active, ')
            children = [
                stack.enter_context(self._camera(eye, seconds=seconds, begin=begin))
                for eye in eyes
            ]
            if questions:
                children.append(stack.enter_context(self._asker(questions, begin=begin)))
            for child in children:
                child.wait_until_it_says('ready')
            begin.touch()
            played = Played(begun_ns=time.monotonic_ns())
            self._watch(played, node.process.pid, children, seconds=seconds, hog=hog)
        for eye in eyes:
            values = json.loads(self._output(eye.name).read_text())
            played.shown[eye.name] = [Shown(*each) for each in values['shown']]
            played.reports[eye.name] = values['report']
        if questions:
            played.answers_ms = json.loads(self._output('asker').read_text())
        return played

    def _watch(
        self, played: Played, pid: int, children: Sequence[Any], *, seconds: float, hog: Hog | None
    ) -> None:
        """Wait until all children have ended, with the hogs at their time."""
        node = psutil.Process(pid)
        with ExitStack() as stack:
            while True:
                since_s = (time.monotonic_ns() - played.begun_ns) / 1e9
                if len(played.rss_mb) * RSS_PERIOD_S <= since_s:
                    played.rss_mb.append((since_s, node.memory_info().rss / 1e6))
                if hog is not None and since_s >= hog.at_s:
                    for number in range(hog.processes):
                        stack.enter_context(
                            self._surroundings.running(
                                'tools.bench_latency.hog', [hog.for_s], name=f'hog_{number}'
                            )
                        )
                    hog = None
                if all(child.process.poll() is not None for child in children):
                    break
                if since_s > seconds + ENDING_S:
                    raise BenchmarkError(f'the cameras did not end in {since_s:.0f} s')
                time.sleep(POLL_S)
        for child in children:
            if child.process.returncode:
                raise BenchmarkError(f'a process failed: {child.said()}')

    def _node(self, model: Path, eyes: Sequence[Eye]) -> Any:
        return self._surroundings.running(
            'edge_perception.ros.main', self._node_arguments(model, eyes), name='node'
        )

    def _echo(self, eyes: Sequence[Eye]) -> Any:
        arguments = [
            *('--images', *map(self._images, eyes)),
            *('--results', *map(self._results, eyes)),
        ]
        return self._surroundings.running('tools.bench_latency.echo', arguments)

    def _camera(self, eye: Eye, *, seconds: float, begin: Path) -> Any:
        output = self._output(eye.name)
        output.unlink(missing_ok=True)
        arguments = [
            *('--topic', self._images(eye), '--results', self._results(eye)),
            *('--status', f'{self._target}: {eye.name} camera'),
            *('--rate', eye.rate_hz, '--frames', max(2, round(seconds * eye.rate_hz))),
            *('--phase', eye.phase_s),
            *('--width', eye.width, '--height', eye.height),
            *(('--compressed',) if eye.compressed else ()),
            *('--begin', begin, '--output', output),
        ]
        return self._surroundings.running(
            'edge_perception.simulation.nodes.playback_camera',
            arguments,
            camera=True,
            name=f'camera_{eye.name}',
        )

    def _asker(self, times: int, *, begin: Path) -> Any:
        output = self._output('asker')
        output.unlink(missing_ok=True)
        arguments = [
            *('--target', self._target, '--times', times),
            *('--begin', begin, '--output', output),
        ]
        return self._surroundings.running('tools.bench_latency.asker', arguments)

    def _node_arguments(self, model: Path, eyes: Sequence[Eye]) -> list[object]:
        parameters: dict[str, object] = {
            'model': model,
            f'engine_options.{ENGINE}.threads': THREADS,
            'cameras': f'[{", ".join(eye.name for eye in eyes)}]',
            'autostart': 'true',
        }
        for eye in eyes:
            parameters[f'{eye.name}.image_topic'] = self._images(eye)
            parameters[f'{eye.name}.latency_budget_ms'] = float(eye.budget_ms)
        flags = [part for name, value in parameters.items() for part in ('-p', f'{name}:={value}')]
        return ['--ros-args', '-r', f'__ns:={self._surroundings.namespace}', *flags]

    def _images(self, eye: Eye) -> str:
        return f'{self._surroundings.namespace}/{eye.name}/image_raw'

    def _results(self, eye: Eye) -> str:
        return f'{self._target}/{eye.name}/classification'

    def _output(self, name: str) -> Path:
        return self._work / f'{name}.json'
