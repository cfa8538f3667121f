# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``bench --node``: the node with a model, and a camera in another process, at rising rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
import json
import os
from pathlib import Path
import subprocess
from tempfile import TemporaryDirectory
import time
from typing import Any

from rich.text import Text

from edge_perception.cli import arguments
from edge_perception.cli.output.tables import new_table
from edge_perception.contract import InferenceError
from edge_perception.models.finding import Model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import option_parameter
from edge_perception.simulation.nodes.processes import Child
from edge_perception.simulation.nodes.processes import for_camera
from edge_perception.simulation.nodes.processes import interruptible
from edge_perception.simulation.nodes.processes import isolate
from edge_perception.simulation.nodes.processes import require_ros
from edge_perception.simulation.playback import find_peak
from edge_perception.simulation.playback import performance
from edge_perception.simulation.playback import PREFIX
from edge_perception.simulation.playback import Shown
from edge_perception.tooling.child_process import child_environment
from edge_perception.tooling.child_process import module_command
from edge_perception.tooling.notes import note
from edge_perception.tooling.progress import result_console
from edge_perception.tooling.progress import Step
from edge_perception.tooling.progress import steps

CAMERA = 'edge_perception.simulation.nodes.playback_camera'
IMAGES = '/camera/image_raw'
TARGET = '/perception'
# What a model says decides on which topic its answers are; the first that it has is listened to.
ANSWERS = (
    ('detections', 'detections'),
    ('classes', 'classification'),
    ('keypoints', 'keypoints'),
    ('mask', 'segmentation'),
    ('instances', 'instances'),
)
# Of the engine in the diagnostics of the node.
LOADED = ('engine', 'artifact', 'precision', 'device')
PEAK_RANGE_HZ = (2.0, 120.0)
PEAK_STEP_HZ = 2.0
# For discovery, the warm-up of the node, and the last answers.
PATIENCE_S = 90.0
POLL_S = 0.1
# What the node logs when it is active, and when it will not be.
ACTIVE, GAVE_UP = 'active, ', 'stays unconfigured'


@dataclass(frozen=True, slots=True)
class NodeBench:
    """
    What to show the node, and for how long.

    :param options: by engine.
    :param rates_hz: fixed rates; the peak is looked for before them.
    :param seconds: of each rate.
    """

    engine: str
    options: Mapping[str, Mapping[str, Any]]
    rates_hz: tuple[float, ...]
    seconds: float
    width: int
    height: int
    compressed: bool
    budget_ms: float


def bench_node(host: PluginHost, model: Model, request: NodeBench, *, as_json: bool) -> bool:
    """
    Print what the node does with a model.

    :return: False when it published a result over its budget, or no rate could be shown.
    :raises ConfigurationError: there is no ROS here.
    :raises InferenceError: the node or the camera ended early; the text has its last words.
    """
    require_ros()
    low_hz, high_hz = PEAK_RANGE_HZ
    with interruptible(), TemporaryDirectory() as folder, steps() as step:
        runs = _Runs(model, request, _answers(host, model), Path(folder), step)
        peak_hz = find_peak(runs.play, low_hz=low_hz, high_hz=high_hz, step_hz=PEAK_STEP_HZ)
        shown = {'peak': runs.play(peak_hz) if peak_hz else []}
        shown |= {f'{rate:g}fps': runs.play(rate) for rate in request.rates_hz}
    found = {name: performance(each) if each else {} for name, each in shown.items()}
    if as_json:
        values = {'peak_hz': peak_hz, 'over_budget': runs.over_budget, 'runs': found}
        arguments.print_json({**runs.loaded, **values})
    else:
        _print(found, peak_hz, runs, request)
    return not runs.over_budget and any(found.values())


@dataclass
class _Runs:
    """
    Plays the camera at rates, each time with a new node.

    :param answers: topic of the results.
    :param over_budget: late results of all runs.
    :param loaded: what the node reports of its engine.
    """

    model: Model
    request: NodeBench
    answers: str
    folder: Path
    step: Step
    over_budget: int = 0
    loaded: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environment = isolate({**os.environ, 'ROS_LOG_DIR': str(self.folder / 'ros')})

    def play(self, rate_hz: float) -> list[Shown]:
        """Show images at a rate, and return what became of them; nothing if it is too high."""
        self.step(f'{rate_hz:g} Hz', None)
        output, begin = self.folder / 'shown.json', self.folder / 'begin'
        output.unlink(missing_ok=True)
        begin.touch()
        node = Child(
            'node',
            'edge_perception.ros.main',
            self._parameters(),
            log=self.folder / 'node.log',
            environment={**os.environ, **self.environment},
        )
        try:
            _wait_until_active(node)
            if not self._film(node, self._order(rate_hz, output=output, begin=begin)):
                note(
                    f'at {rate_hz:g} Hz the camera did not get its images out in '
                    f'{self._patience_s:g} s, this machine is too slow for them'
                )
                return []
            if not output.exists():
                raise _failed(node)
        finally:
            node.end()
        values = json.loads(output.read_text())
        self.loaded = {name: values['engine'].get(name, '') for name in LOADED}
        shown = [Shown(*each) for each in values['shown']]
        limit_ns = self.request.budget_ms * 1e6
        ages = [each.published_age_ns for each in shown if each.published_age_ns is not None]
        self.over_budget += sum(age > limit_ns for age in ages) if limit_ns else 0
        return shown

    def _film(self, node: Child, order: str) -> bool:
        """Run the camera, and return whether it came to its end in time."""
        try:
            camera = subprocess.run(
                [*module_command(CAMERA), order],
                env=child_environment(for_camera({**os.environ, **self.environment})),
                capture_output=True,
                text=True,
                timeout=self._patience_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        if camera.returncode:
            words = (camera.stdout.splitlines()[-1:], camera.stderr.splitlines()[-1:])
            raise _failed(node, *words[0], *words[1])
        return True

    @property
    def _patience_s(self) -> float:
        return PATIENCE_S + self.request.seconds

    def _parameters(self) -> dict[str, Any]:
        return {
            'model': str(self.model.place.absolute()),
            'engine': self.request.engine,
            'image_topic': IMAGES,
            'latency_budget_ms': self.request.budget_ms,
            'allow_unverified': True,
            'autostart': True,
            **{
                option_parameter('engine', engine, name): value
                for engine, values in self.request.options.items()
                for name, value in values.items()
            },
        }

    def _order(self, rate_hz: float, *, output: Path, begin: Path) -> str:
        """Return the argument of the camera."""
        request = self.request
        values = {
            'topic': IMAGES,
            'results': f'{TARGET}/{self.answers}',
            'status': f'{TARGET}: camera',
            'rate': rate_hz,
            'frames': max(2, round(request.seconds * rate_hz)),
            'size': (request.width, request.height),
            'compressed': request.compressed,
            'begin': str(begin),
            'output': str(output),
        }
        return json.dumps(values)


def _wait_until_active(node: Child) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not any(ACTIVE in line for line in node.last_words()):
        gave_up = any(GAVE_UP in line for line in node.last_words())
        if gave_up or node.status() is not None or time.monotonic() > deadline:
            raise _failed(node)
        time.sleep(POLL_S)


def _failed(node: Child, *more: str) -> InferenceError:
    words = [line for line in node.last_words() if '[ERROR]' in line] or node.last_words()[-3:]
    return InferenceError('the node did not answer: ' + ' | '.join([*words, *more]))


def _answers(host: PluginHost, model: Model) -> str:
    tasks = set(getattr(host.decoders[model.manifest.decoder], 'tasks', ()))
    if model.manifest.object_points:
        tasks.add('detections')
    return next((topic for task, topic in ANSWERS if task in tasks), 'detections')


def _print(
    found: dict[str, dict[str, float]], peak_hz: float, runs: _Runs, request: NodeBench
) -> None:
    table = new_table('rate', 'sent', 'missed', 'mean ms', 'max ms', 'jitter ms')
    formats = {'NUM_FRAMES_SENT': '', 'NUM_MISSED_FRAMES': ''}
    formats |= dict.fromkeys(('MEAN_LATENCY', 'MAX_LATENCY', 'MEAN_JITTER'), '.1f')
    for name, metrics in found.items():
        if metrics:
            label = f'peak {peak_hz:g} Hz' if name == 'peak' else name.replace('fps', ' Hz')
            values = {key: metrics.get(PREFIX + key) for key in formats}
            cells = ['' if v is None else f'{v:{formats[key]}}' for key, v in values.items()]
            table.add_row(label, *cells)
    console = result_console()
    console.print(table)
    engine, *facts = (runs.loaded.get(name, '') for name in LOADED)
    if engine:
        words = f'engine {engine}: {", ".join(filter(None, facts))}'
        console.print(Text(words), soft_wrap=True)
    kind = 'compressed' if request.compressed else 'raw'
    console.print(
        f'{request.width}x{request.height} {kind}, budget {request.budget_ms:g} ms: '
        f'{runs.over_budget} results over it',
        highlight=False,
    )
