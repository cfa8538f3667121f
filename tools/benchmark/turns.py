# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Compare ways to serve the same cameras under overload, in turns, without ROS.

Each way is a worker with its threads as in the node, on the same engine. A new frame of each camera
always waits.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
import time
from typing import Any

import numpy as np

from edge_perception.contract import Calibration
from edge_perception.contract import Frame
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Selection
from edge_perception.models.assembly import assemble
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from edge_perception.runtime.budget import Deadline
from edge_perception.runtime.camera_channel import CameraChannel
from edge_perception.runtime.camera_channel import CameraHooks
from edge_perception.runtime.camera_channel import CameraPolicy
from edge_perception.runtime.pipeline import Pipeline
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.runtime.worker import Worker
from edge_perception.testing import FakeDecoder
from edge_perception.testing import FakeEngine
from tools.benchmark.figures import Figures
from tools.benchmark.report import say
from tools.benchmark.subjects import ENGINE
from tools.benchmark.subjects import LENS
from tools.benchmark.subjects import prepare
from tools.benchmark.subjects import THREADS

ROUNDS = 3
CAMERA_HZ = 120.0
SLEEPING_MS = 20.0


@dataclass(slots=True)
class Stand:
    """
    What is served: cameras of one engine, shown these frames.

    :param convert_s: how long each takes to be read, besides.
    """

    pipelines: Sequence[Pipeline]
    frames: Sequence[Frame]
    selection: Selection
    convert_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """What one way did: frames in a second, their age, processor time of each, the stages."""

    rate_hz: float
    least_rate_hz: float
    age_p50_ms: float
    age_p99_ms: float
    cpu_ms: float
    stages_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class TwoWays:
    """
    Two ways to serve a stand.

    :param make: the stand; gets a folder for models.
    :param old: arguments of the worker, and ``new``.
    """

    make: Callable[[Path], Stand]
    old: dict[str, Any]
    new: dict[str, Any]


def take_turn(stand: Stand, *, seconds: float, **ways: Any) -> Turn:
    """Serve a stand for a while."""
    engine = stand.pipelines[0].engine
    engine.activate()
    channels = [_channel(stand, number) for number in range(len(stand.pipelines))]
    worker: Worker[Frame] = Worker(
        engine,
        channels,
        give_up=say,
        max_engine_failures=1,
        idle=lambda: None,
        clock=time.monotonic_ns,
        **ways,
    )
    worker.start()
    worker.resume()
    frames = cycle(stand.frames)
    began, cpu = time.monotonic(), time.process_time()
    while time.monotonic() < began + seconds:
        for channel in channels:
            channel.accounts.receive()
            worker.submit(channel, next(frames), Deadline(time.monotonic_ns(), 0, 0))
        time.sleep(1 / CAMERA_HZ)
    took, cpu = time.monotonic() - began, time.process_time() - cpu
    published = [channel.accounts.counts().published for channel in channels]
    worker.stop()
    worker.join(timeout_s=10)
    ages = [channel.age_ms.percentiles() for channel in channels]
    stages = channels[0].stage_ms
    return Turn(
        rate_hz=sum(published) / took,
        least_rate_hz=min(published) / took,
        age_p50_ms=max(age.p50 for age in ages),
        age_p99_ms=max(age.p99 for age in ages),
        cpu_ms=1000 * cpu / max(sum(published), 1),
        stages_ms={name: window.percentiles().p50 for name, window in stages.items()},
    )


def compare(name: str, workspace: Path, *, seconds: float) -> Figures:
    """
    Serve a stand both ways in turns, and return the gain and what each did, medians of turns.

    ``limit`` is the gain that the old times permit: all parts of a frame one after the other, by
    the longer one of engine and the rest.
    """
    case = COMPARISONS[name]
    stand = case.make(workspace)
    turns: dict[str, list[Turn]] = {'old': [], 'new': []}
    for number in range(ROUNDS):
        say(f'{name}: turn {number + 1} of {ROUNDS}')
        for way, found in turns.items():
            found.append(take_turn(stand, seconds=seconds, **getattr(case, way)))
    figures: Figures = {}
    for way, found in turns.items():
        for what in ('rate_hz', 'least_rate_hz', 'age_p50_ms', 'age_p99_ms', 'cpu_ms'):
            figures[f'{name}.{way}_{what}'] = float(np.median([getattr(t, what) for t in found]))
    figures[f'{name}.gain'] = figures[f'{name}.new_rate_hz'] / figures[f'{name}.old_rate_hz']
    infer = float(np.median([turn.stages_ms['infer'] for turn in turns['old']]))
    whole = 1000 / figures[f'{name}.old_rate_hz']
    figures[f'{name}.limit'] = whole / max(infer, whole - infer)
    return figures


def _channel(stand: Stand, number: int) -> CameraChannel[Frame]:
    def convert(frame: Frame) -> Frame:
        if stand.convert_s:
            time.sleep(stand.convert_s)
        return frame

    return CameraChannel(
        str(number),
        stand.pipelines[number],
        hooks=CameraHooks(
            convert=convert,
            compose=lambda queued, result: lambda: None,
            report=lambda reason, sentence: say(f'{reason}: {sentence}'),
            afterwards=lambda queued, result: None,
        ),
        selection=stand.selection,
        policy=CameraPolicy(),
        clock=time.monotonic_ns,
    )


class _SleepingDecoder(FakeDecoder):
    """Takes half of the other work."""

    def _decode(self, *given: Any) -> Any:
        time.sleep(SLEEPING_MS / 2000)
        return super()._decode(*given)


def _sleeping(workspace: Path) -> Stand:
    """Return an accelerator that leaves the processor alone, with as much work around it."""
    recipe = InputRecipe(width=64, height=64)
    manifest = ModelManifest(name='sleeping', source='', decoder='fake', input=recipe)
    engine = FakeEngine(manifest, lambda: time.sleep(SLEEPING_MS / 1000))
    decoder = _SleepingDecoder(manifest, outputs=engine.outputs, options=Options())
    pipeline = Pipeline(
        engine,
        decoder=decoder,
        preprocessor=Preprocessor(recipe, spec=engine.inputs[0]),
        input_name=engine.inputs[0].name,
    )
    frame = Frame(np.zeros((64, 64, 3), np.uint8))
    return Stand([pipeline], [frame], Selection(), convert_s=SLEEPING_MS / 2000)


def _yolox_nano(workspace: Path) -> Stand:
    subject = prepare('yolox_nano', workspace)
    options = {ENGINE: {'threads': THREADS}}
    request = Request(model=str(subject.folder), engine=ENGINE, engine_options=options)
    assembled = assemble(PluginHost(), request)
    lens = Calibration(LENS.width, LENS.height, k=tuple(LENS.matrix.ravel()), d=LENS.distortion)
    assembled.pipeline.suppliers = {'calibration': lambda frame: lens}
    frames = [Frame(image) for image in np.load(subject.images)]
    return Stand([assembled.pipeline], frames, assembled.selection)


SERIAL = {'overlap': 'off'}
COMPARISONS = {
    'sleeping_overlap': TwoWays(_sleeping, SERIAL, {'overlap': 'auto'}),
    'yolox_nano_overlap': TwoWays(_yolox_nano, SERIAL, {'overlap': 'auto'}),
}
