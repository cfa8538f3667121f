# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Run the node, or the echo, with the cameras and other processes of a scenario."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import field
import json
import os
from pathlib import Path
import random
import sys
import time
from typing import Any
from typing import TypeAlias

import psutil

from edge_perception.ros.system.process_environment import DISCOVERY_VARIABLES
from edge_perception.ros.system.process_environment import on_this_machine
from edge_perception.ros.system.process_environment import PROFILE_VARIABLES
from edge_perception.ros.system.process_environment import transport_profile
from edge_perception.simulation.nodes.processes import DOMAINS
from edge_perception.simulation.nodes.processes import Process
from edge_perception.simulation.playback import Shown
from tools.benchmark.subjects import BenchmarkError
from tools.benchmark.subjects import ENGINE
from tools.benchmark.subjects import frames_in
from tools.benchmark.subjects import LENS
from tools.benchmark.subjects import ROOT
from tools.benchmark.subjects import Subject
from tools.benchmark.subjects import THREADS

# Until a process says that it is ready, and until the last answers and the report after them.
PATIENCE_S = 60.0
ENDING_S = 30.0
# Right after ``activate`` the middleware is still busy with discovery.
SETTLING_S = 2.0
RSS_PERIOD_S = 1.0
POLL_S = 0.1
Running: TypeAlias = 'AbstractContextManager[Process]'


@dataclass(frozen=True, slots=True)
class ImageStream:
    """
    What a camera shows.

    :param name: of the camera; empty for a node with a single one.
    :param budget_ms: 0 for that of the node.
    :param phase_s: from the beginning to its first image.
    """

    name: str
    rate_hz: float
    budget_ms: float = 0.0
    phase_s: float = 0.0


@dataclass(frozen=True, slots=True)
class OtherWork:
    """Processes that compute without a pause: from when, and for how long, in seconds."""

    processes: int
    at_s: float
    for_s: float


@dataclass(slots=True)
class Observed:
    """
    What was seen.

    :param begun_ns: monotonic time of the first image.
    :param shown: images of each camera and their answers.
    :param reports: the last diagnostics of each camera.
    :param rss_mb: memory of the node, with seconds since the first image.
    :param answers_ms: how long questions to the node took, by kind.
    :param idle_cpu_percent: of a core, active, before any image comes.
    """

    begun_ns: int = 0
    shown: dict[str, list[Shown]] = field(default_factory=dict)
    reports: dict[str, dict[str, str]] = field(default_factory=dict)
    rss_mb: list[tuple[float, float]] = field(default_factory=list)
    answers_ms: dict[str, list[float]] = field(default_factory=dict)
    idle_cpu_percent: float = 0.0


class Harness:
    """
    Runs one node after the other, in a ROS domain and a namespace of their own.

    Nothing else on the network takes part, whatever the user has set.

    :param workspace: folder for what the processes hand over (work/) and print (logs/).
    """

    def __init__(self, workspace: Path) -> None:
        self._namespace = f'/bench_{os.getpid()}'
        self._target = f'{self._namespace}/perception'
        self._work, self._logs = workspace / 'work', workspace / 'logs'
        for folder in (self._work, self._logs):
            folder.mkdir(parents=True, exist_ok=True)
        chosen = (*DISCOVERY_VARIABLES, *PROFILE_VARIABLES)
        clean = {name: value for name, value in os.environ.items() if name not in chosen}
        clean['ROS_DOMAIN_ID'] = str(random.SystemRandom().choice(DOMAINS))
        clean['ROS_LOG_DIR'] = str(self._logs / 'ros')
        clean['PYTHONPATH'] = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])
        self._environment = clean | on_this_machine(clean)

    @contextmanager
    def running(
        self, name: str, module: str, *arguments: object, camera: bool = False
    ) -> Iterator[Process]:
        """
        Run a module as a process that is gone afterwards.

        :param name: of its log.
        :param camera: it publishes images, so it gets the profile of Fast DDS for that.
        """
        environment = self._environment
        if camera:
            environment = environment | transport_profile(environment)
        process = Process(
            name,
            [sys.executable, '-m', module, *map(str, arguments)],
            log=self._logs / f'{name}.log',
            environment=environment,
        )
        try:
            yield process
        finally:
            process.end(ENDING_S)

    def finished(self, module: str, *arguments: object) -> str:
        """
        Run a module as a process to its end, and return the last line that it prints.

        :raises BenchmarkError: it failed, with all that it printed.
        """
        with self.running(module.rpartition('.')[2], module, *arguments) as process:
            status = process.wait(None)
        if status:
            raise BenchmarkError(process.output().strip())
        return process.output().strip().splitlines()[-1]

    def run(
        self,
        subject: Subject,
        streams: Sequence[ImageStream],
        *,
        seconds: float,
        warm_up_s: float = 0.0,
        idle_s: float = 0.0,
        work: OtherWork | None = None,
        questions: int = 0,
        echo: int | None = None,
        node: Sequence[object] = ('edge_perception.ros.main',),
    ) -> Observed:
        """
        Show images to a node for a while.

        :param warm_up_s: before what is observed.
        :param idle_s: how long the active node is watched before any image comes.
        :param questions: how often each kind of question is asked of the node meanwhile.
        :param echo: boxes or classes in an answer of the echo, which takes the place of the node.
        :param node: module of the node, and arguments before those of ROS.
        :raises BenchmarkError: a process failed.
        """
        observed, begin = Observed(), self._clean() / 'begin'
        with ExitStack() as stack:
            running = stack.enter_context(self._node(subject, streams, node, echo))
            wait_for(running, 'active, ')
            process = psutil.Process(running.pid)
            observed.idle_cpu_percent = _idle_cpu_percent(process, idle_s) if idle_s else 0.0
            helpers = [self._camera(subject, each, seconds, warm_up_s, begin) for each in streams]
            helpers += [self._asker(questions, begin)] if questions else []
            children = [stack.enter_context(helper) for helper in helpers]
            for child in children:
                wait_for(child, 'ready')
            begin.touch()
            observed.begun_ns = time.monotonic_ns()
            self._watch(observed, process, children, work, patience_s=warm_up_s + seconds)
        self._collect(observed, streams, warm_up_s)
        return observed

    def _clean(self) -> Path:
        """Remove what an earlier run handed over, and return the folder."""
        for left in (self._work / 'begin', *self._work.glob('*.json')):
            left.unlink(missing_ok=True)
        return self._work

    def _collect(
        self, observed: Observed, streams: Sequence[ImageStream], warm_up_s: float
    ) -> None:
        """Read what the processes have written."""
        for each in streams:
            seen, warm_up = self._read(each.name), round(warm_up_s * each.rate_hz)
            observed.reports[each.name] = seen['report']
            observed.shown[each.name] = [Shown(*values) for values in seen['shown'][warm_up:]]
        if self._output('asker').exists():
            observed.answers_ms = self._read('asker')

    def _watch(
        self,
        observed: Observed,
        node: psutil.Process,
        children: Sequence[Process],
        work: OtherWork | None,
        *,
        patience_s: float,
    ) -> None:
        """Wait until all children have ended, with the other work at its time."""
        with ExitStack() as stack:
            while any(child.status() is None for child in children):
                since_s = (time.monotonic_ns() - observed.begun_ns) / 1e9
                if len(observed.rss_mb) * RSS_PERIOD_S <= since_s:
                    observed.rss_mb.append((since_s, node.memory_info().rss / 1e6))
                if work is not None and since_s >= work.at_s:
                    # Computes until its time is over.
                    setup = f'import time; end = time.monotonic() + {work.for_s}'
                    code = ('-n', 1, '-r', 1, '-s', setup, 'while time.monotonic() < end: pass')
                    for number in range(work.processes):
                        stack.enter_context(self.running(f'work_{number}', 'timeit', *code))
                    work = None
                if since_s > patience_s + ENDING_S:
                    raise BenchmarkError(f'the cameras did not end in {since_s:.0f} s')
                time.sleep(POLL_S)
        for child in children:
            if child.status():
                raise BenchmarkError(f'{child.name} failed: {child.output().strip()}')

    def _camera(
        self, subject: Subject, stream: ImageStream, seconds: float, warm_up_s: float, begin: Path
    ) -> Running:
        frames = round(warm_up_s * stream.rate_hz) + frames_in(seconds, stream.rate_hz)
        order = {
            'topic': self._images(stream),
            'results': self._results(subject, stream),
            'status': f'{self._target}: {f"{stream.name} camera".strip()}',
            'images': subject.images,
            'focal': LENS.focal,
            'rate': stream.rate_hz,
            'frames': max(2, frames),
            'phase': stream.phase_s,
            'begin': begin,
            'output': self._output(stream.name),
        }
        module = 'edge_perception.simulation.nodes.playback_camera'
        name, words = f'camera_{stream.name}', json.dumps(order, default=str)
        return self.running(name, module, words, camera=True)

    def _asker(self, times: int, begin: Path) -> Running:
        order = {'target': self._target, 'times': times, 'begin': begin}
        return self._helper('asker', output=self._output('asker'), **order)

    def _helper(self, name: str, **order: object) -> Running:
        return self.running(name, 'tools.benchmark.nodes', name, json.dumps(order, default=str))

    def _node(
        self,
        subject: Subject,
        streams: Sequence[ImageStream],
        node: Sequence[object],
        echo: int | None,
    ) -> Running:
        if echo is None:
            flags = self._node_flags(subject, streams)
            return self.running('node', str(node[0]), *node[1:], *flags)
        topics = {self._images(each): self._results(subject, each) for each in streams}
        return self._helper('echo', topics=topics, count=echo)

    def _node_flags(self, subject: Subject, streams: Sequence[ImageStream]) -> list[str]:
        """Return the arguments of the node: as users run it, with one thread for the engine."""
        names = [each.name for each in streams if each.name]
        parameters: dict[str, object] = {
            'model': subject.folder,
            f'engine_options.{ENGINE}.threads': THREADS,
            'autostart': 'true',
        }
        if names:
            parameters['cameras'] = f'[{", ".join(names)}]'
        for each in streams:
            prefix = f'{each.name}.' if each.name else ''
            parameters[f'{prefix}image_topic'] = self._images(each)
            if each.budget_ms:
                parameters[f'{prefix}latency_budget_ms'] = float(each.budget_ms)
        flags = [part for name, value in parameters.items() for part in ('-p', f'{name}:={value}')]
        return ['--ros-args', '-r', f'__ns:={self._namespace}', *flags]

    def _images(self, stream: ImageStream) -> str:
        return '/'.join(filter(None, (self._namespace, stream.name, 'image_raw')))

    def _results(self, subject: Subject, stream: ImageStream) -> str:
        return '/'.join(filter(None, (self._target, stream.name, subject.answers)))

    def _output(self, name: str) -> Path:
        return self._work / f'{name or "camera"}.json'

    def _read(self, name: str) -> Any:
        return json.loads(self._output(name).read_text())


def _idle_cpu_percent(process: psutil.Process, idle_s: float) -> float:
    time.sleep(SETTLING_S)
    process.cpu_percent()
    return float(process.cpu_percent(idle_s))


def wait_for(process: Process, text: str) -> None:
    """
    Wait until a process has printed something.

    :raises BenchmarkError: it did not, or has ended.
    """
    deadline = time.monotonic() + PATIENCE_S
    while text not in process.output():
        if time.monotonic() > deadline or process.status() is not None:
            words = process.output().strip()
            raise BenchmarkError(f'expected {text!r} from {process.name}, got: {words}')
        time.sleep(POLL_S)
