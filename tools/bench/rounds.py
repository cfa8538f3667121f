# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Bare loop, node and echo in turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
import json
from pathlib import Path
import time
from typing import Any

import psutil

from tools.bench.children import BenchmarkError
from tools.bench.children import Surroundings
from tools.bench.figures import answers_ms
from tools.bench.figures import Samples
from tools.bench.figures import Times
from tools.bench.settings import Settings
from tools.bench.settings import THREADS
from tools.bench.subjects import Subject

# Right after ``activate`` the middleware is still busy with discovery.
SETTLING_S = 2.0
# With more pictures unanswered than this share, a median says nothing.
LOST_AT_MOST = 0.1


@dataclass(frozen=True, slots=True)
class Measured:
    """
    Everything that was measured with one model; a number for each round.

    :param lost: pictures that were not answered: by the node, by the echo.
    :param boxes: in an answer, on average.
    :param stages_ms: medians of the stages of the bare loop.
    """

    samples: Samples = field(default_factory=Samples)
    lost: dict[str, list[int]] = field(default_factory=lambda: {'node': [], 'echo': []})
    rss_mb: list[float] = field(default_factory=list)
    idle_cpu_percent: list[float] = field(default_factory=list)
    boxes: list[int] = field(default_factory=list)
    stages_ms: list[dict[str, float]] = field(default_factory=list)


class Measurement:
    """
    Measures one model, a round at a time.

    :param workspace: folder for what the processes hand over.
    :param say: told what is going on.
    """

    def __init__(
        self,
        subject: Subject,
        *,
        settings: Settings,
        surroundings: Surroundings,
        workspace: Path,
        say: Callable[[str], None],
    ) -> None:
        self._subject = subject
        self._settings = settings
        self._surroundings = surroundings
        self._output = workspace / 'output.json'
        self._say = say
        self.measured = Measured()

    def round(self) -> None:
        """
        Measure bare loop, node and echo once.

        :raises BenchmarkError: one of them could not be measured.
        """
        bare = self._bare()
        self.measured.samples.bare.append(bare['samples_ms'])
        self.measured.boxes.append(bare['count'])
        self.measured.stages_ms.append(bare['stages_ms'])
        self._node()
        self._echo(bare['count'])

    def _bare(self) -> dict[str, Any]:
        self._say(f'{self._subject.name}: bare loop')
        self._output.unlink(missing_ok=True)
        pace = pace_arguments(self._subject, self._settings, self._output)
        arguments = ['--model', self._subject.folder, '--threads', THREADS, *pace]
        self._surroundings.run('tools.bench.bare_loop', arguments)
        values: dict[str, Any] = self._read()
        return values

    def _node(self) -> None:
        self._say(f'{self._subject.name}: node')
        arguments = node_arguments(self._subject, self._surroundings)
        with self._surroundings.running('edge_perception.ros.main', arguments) as child:
            child.wait_until_it_says('active, ')
            process = psutil.Process(child.process.pid)
            self.measured.idle_cpu_percent.append(self._idle_cpu_percent(process))
            times = self._film(self._surroundings.detections)
            self.measured.rss_mb.append(process.memory_info().rss / 1e6)
        self._keep('node', times)

    def _echo(self, boxes: int) -> None:
        self._say(f'{self._subject.name}: echo')
        results = f'{self._surroundings.namespace}/echo'
        arguments = [
            *('--images', self._surroundings.images, '--results', results),
            *('--boxes', boxes),
        ]
        with self._surroundings.running('tools.bench.echo_node', arguments):
            times = self._film(results)
        self._keep('echo', times)

    def _film(self, results: str) -> list[Times]:
        self._output.unlink(missing_ok=True)
        arguments = camera_arguments(
            self._subject,
            self._settings,
            self._surroundings,
            results=results,
            output=self._output,
        )
        self._surroundings.run('tools.bench.camera', arguments, camera=True)
        times: list[Times] = self._read()
        return times

    def _keep(self, who: str, times: list[Times]) -> None:
        samples_ms = answers_ms(times)
        lost = len(times) - len(samples_ms)
        if lost > LOST_AT_MOST * self._settings.frames:
            raise BenchmarkError(
                f'{self._subject.name}: {who} left {lost} of {self._settings.frames} pictures '
                'unanswered, expected nearly all of them answered; give the machine less to do'
            )
        getattr(self.measured.samples, who).append(samples_ms)
        self.measured.lost[who].append(lost)

    def _idle_cpu_percent(self, process: psutil.Process) -> float:
        """Return what an active node without images uses, in percent of a core."""
        time.sleep(SETTLING_S)
        started, used = time.monotonic(), _cpu_s(process)
        time.sleep(self._settings.idle_s)
        return 100 * (_cpu_s(process) - used) / (time.monotonic() - started)

    def _read(self) -> Any:
        return json.loads(self._output.read_text())


def node_arguments(subject: Subject, surroundings: Surroundings) -> list[object]:
    """Return the command line of the node: as users run it, with one thread for the engine."""
    parameters = {
        'model': subject.folder,
        'engine_options.onnxruntime.threads': THREADS,
        'image_topic': surroundings.images,
        'autostart': 'true',
    }
    flags = [part for name, value in parameters.items() for part in ('-p', f'{name}:={value}')]
    return ['--ros-args', '-r', f'__ns:={surroundings.namespace}', *flags]


def camera_arguments(
    subject: Subject,
    settings: Settings,
    surroundings: Surroundings,
    *,
    results: str,
    output: Path,
) -> list[object]:
    """
    Return the command line of the camera.

    :param results: topic of the answers.
    """
    topics = ['--images', surroundings.images, '--results', results]
    return [*topics, *pace_arguments(subject, settings, output)]


def pace_arguments(subject: Subject, settings: Settings, output: Path) -> list[object]:
    """Return what camera and bare loop have in common: pictures, pace, and where to write."""
    return [
        *('--pictures', subject.pictures, '--rate', settings.rate_hz),
        *('--warm-up', settings.warm_up_frames, '--frames', settings.frames),
        *('--output', output),
    ]


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
