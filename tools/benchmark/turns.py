# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Compare ways to serve the same cameras under overload, in turns, without ROS.

Each way is a worker with its threads as in the node, on the same engine, and a new frame of each
camera always waits.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
import time
from typing import Any

import cv2
import numpy as np

from edge_perception.contract import Decoder
from edge_perception.contract import Engine
from edge_perception.contract import Frame
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import parse_options
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
from edge_perception.runtime.throughput.batching import Batching
from edge_perception.runtime.throughput.batching import measure_batches
from edge_perception.runtime.worker import Worker
from edge_perception.simulation.playback import paced
from edge_perception.testing import FakeDecoder
from edge_perception.testing import FakeEngine
from edge_perception.testing.conformance.networks import TinyNetwork
from edge_perception.testing.conformance.onnx_files import save_onnx
from tools.benchmark.figures import Figures
from tools.benchmark.report import say
from tools.benchmark.subjects import ENGINE
from tools.benchmark.subjects import frames_in
from tools.benchmark.subjects import Images
from tools.benchmark.subjects import prepare

ROUNDS = 5
CAMERA_HZ = 120.0
SLEEPING_MS = 20.0
SIZES = {'vga': (640, 480), '1080p': (1920, 1080)}
SHOWN = 8
MEASURED = ('rate_hz', 'least_rate_hz', 'age_p50_ms', 'age_p99_ms', 'cpu_ms')
DENSE_CAMERAS = 4
# 144 MB of weights, more than caches hold.
DENSE = TinyNetwork('dense', height=8, width=8, channels=6000, classes=6001, open_batch=True)


@dataclass(slots=True)
class Stand:
    """
    What is served: cameras of one engine, shown these messages.

    :param convert: makes a message a frame.
    """

    pipelines: Sequence[Pipeline]
    messages: Sequence[Any]
    selection: Selection
    convert: Callable[[Any], Frame] = Frame


@dataclass(frozen=True, slots=True)
class Turn:
    """What one way did: frames in a second, their age, processor time of each."""

    rate_hz: float
    least_rate_hz: float
    age_p50_ms: float
    age_p99_ms: float
    cpu_ms: float
    # Of the engine, and of all around it.
    engine_ms: tuple[float, float]


@dataclass(frozen=True, slots=True)
class TwoWays:
    """
    Two ways to serve a stand.

    :param make: the stand; gets a folder for models.
    :param new: arguments of ``take_turn``; the old way is that without overlap and batches.
    :param camera_hz: rate of each camera.
    """

    make: Callable[[Path], Stand]
    new: dict[str, Any]
    camera_hz: float = CAMERA_HZ


def take_turn(
    stand: Stand, *, seconds: float, camera_hz: float, overlap: str = 'off', most: int = 1
) -> Turn:
    """Serve a stand for a while, at most so many cameras in a call of the engine."""
    engine = stand.pipelines[0].engine
    engine.activate()
    channels = [_channel(stand, number) for number in range(len(stand.pipelines))]
    worker: Worker[Any] = Worker(
        engine,
        channels,
        give_up=say,
        max_engine_failures=1,
        idle=lambda: None,
        clock=time.monotonic_ns,
        overlap=overlap,
        batching=Batching(measure_batches(engine, most=most, clock=time.monotonic_ns)),
    )
    worker.start()
    worker.resume()
    messages = cycle(stand.messages)
    began, cpu = time.monotonic(), time.process_time()
    for _ in paced(frames_in(seconds, camera_hz), rate_hz=camera_hz):
        for channel in channels:
            channel.accounts.receive()
            worker.submit(channel, next(messages), Deadline(time.monotonic_ns(), 0, 0))
    took, cpu = time.monotonic() - began, time.process_time() - cpu
    published = [channel.accounts.counts().published for channel in channels]
    worker.stop()
    worker.join(timeout_s=10)
    ages = [channel.age_ms.percentiles() for channel in channels]
    stages = {name: each.percentiles().p50 for name, each in channels[0].stage_ms.items()}
    infer_ms = stages.pop('infer')
    return Turn(
        rate_hz=sum(published) / took,
        least_rate_hz=min(published) / took,
        age_p50_ms=max(age.p50 for age in ages),
        age_p99_ms=max(age.p99 for age in ages),
        cpu_ms=1000 * cpu / max(sum(published), 1),
        engine_ms=(infer_ms, sum(stages.values())),
    )


def compare(name: str, workspace: Path, *, seconds: float) -> Figures:
    """
    Serve a stand both ways in turns, and return the gain and what each did, medians of all turns.

    ``limit`` is the gain that the old times permit by overlap: engine and the rest of a frame, by
    the longer one of the two. ``age_ratio`` compares the medians of the ages.
    """
    case = COMPARISONS.get(name) or TABLE[name]
    stand = case.make(workspace)
    turns: dict[str, list[Turn]] = {'old': [], 'new': []}
    for number in range(ROUNDS):
        say(f'{name}: turn {number + 1} of {ROUNDS}')
        for way, found in turns.items():
            ways = case.new if way == 'new' else {}
            found.append(take_turn(stand, seconds=seconds, camera_hz=case.camera_hz, **ways))
    figures: Figures = {}
    for way, found in turns.items():
        for what in MEASURED:
            figures[f'{name}.{way}_{what}'] = float(np.median([getattr(t, what) for t in found]))
    for ratio, what in (('gain', 'rate_hz'), ('age_ratio', 'age_p50_ms')):
        pairs = zip(turns['new'], turns['old'])  # next to each other, so that drift hits both
        ratios = [getattr(new, what) / getattr(old, what) for new, old in pairs]
        figures[f'{name}.{ratio}'] = float(np.median(ratios))
    infer, rest = (
        float(np.median([turn.engine_ms[part] for turn in turns['old']])) for part in (0, 1)
    )
    figures[f'{name}.limit'] = (infer + rest) / max(infer, rest)
    return figures


def table_rows(workspace: Path, *, seconds: float) -> Iterator[str]:
    """Give the lines of the table of both ways in Markdown, as they are measured."""
    yield '| | frames/s | gain | limit | age p50 ms | age p99 ms | CPU ms a frame |'
    yield '|---|---|---|---|---|---|---|'
    for name in TABLE:
        found = compare(name, workspace, seconds=seconds)
        both = {
            what: ' / '.join(f'{found[f"{name}.{way}_{what}"]:.1f}' for way in ('old', 'new'))
            for what in MEASURED
        }
        ratios = ' | '.join(f'{found[f"{name}.{what}"]:.2f}' for what in ('gain', 'limit'))
        ages = f'{both["age_p50_ms"]} | {both["age_p99_ms"]} | {both["cpu_ms"]}'
        yield f'| {name} | {both["rate_hz"]} | {ratios} | {ages} |'


def _channel(stand: Stand, number: int) -> CameraChannel[Any]:
    return CameraChannel(
        str(number),
        stand.pipelines[number],
        hooks=CameraHooks(
            convert=stand.convert,
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

    def convert(image: Images) -> Frame:
        time.sleep(SLEEPING_MS / 2000)
        return Frame(image)

    pipeline = _pipeline(engine, decoder, manifest)
    return Stand([pipeline], [np.zeros((64, 64, 3), np.uint8)], Selection(), convert)


def _yolox_nano(
    workspace: Path, *, size: tuple[int, int] = SIZES['vga'], jpeg: bool = False, threads: int = 1
) -> Stand:
    subject = prepare('yolox_nano', workspace)
    options = {ENGINE: {'threads': threads}}
    request = Request(model=str(subject.folder), engine=ENGINE, engine_options=options)
    assembled = assemble(PluginHost(), request)
    images = [cv2.resize(image, size) for image in np.load(subject.images)[:SHOWN]]
    if not jpeg:
        return Stand([assembled.pipeline], images, assembled.selection)
    coded = [cv2.imencode('.jpg', image)[1] for image in images]

    def decode(message: Images) -> Frame:
        image = cv2.imdecode(message, cv2.IMREAD_COLOR)
        assert image is not None
        return Frame(image.astype(np.uint8, copy=False))

    return Stand([assembled.pipeline], coded, assembled.selection, decode)


def _dense(workspace: Path, *, threads: int = 1) -> Stand:
    """Return four cameras of a network whose time is that of reading its weights, once a call."""
    path = workspace / f'{DENSE.name}.onnx'
    save_onnx(DENSE, path)
    engine_type = PluginHost().engines[ENGINE]
    options = parse_options(engine_type.options_type, {'threads': threads}, owner=ENGINE)
    engine = engine_type.create(DENSE.manifest, path, options)
    decoder = FakeDecoder(DENSE.manifest, outputs=engine.outputs, options=Options())
    pipelines = [_pipeline(engine, decoder, DENSE.manifest) for _ in range(DENSE_CAMERAS)]
    return Stand(pipelines, [np.zeros((480, 640, 3), np.uint8)], Selection())


def _pipeline(engine: Engine, decoder: Decoder, manifest: ModelManifest) -> Pipeline:
    (spec,) = engine.inputs
    preprocessor = Preprocessor(manifest.input, spec=spec)
    return Pipeline(engine, decoder=decoder, preprocessor=preprocessor, input_name=spec.name)


AUTO = {'overlap': 'auto'}
ON = {'overlap': 'on'}
BATCHES = {'most': DENSE_CAMERAS}
COMPARISONS = {
    'sleeping_overlap': TwoWays(_sleeping, AUTO),
    # What ``auto`` comes to, without its trials, which would be a large part of a turn.
    'yolox_nano_overlap': TwoWays(_yolox_nano, ON),
    'yolox_nano_15hz': TwoWays(_yolox_nano, AUTO, camera_hz=15.0),
    'dense_batch': TwoWays(_dense, BATCHES),
}
# Overlap by the number of threads, size and format; batches by the number of threads.
TABLE = {
    f'yolox_nano, threads {threads}, {name} {"jpeg" if jpeg else "raw"}': TwoWays(
        partial(_yolox_nano, size=size, jpeg=jpeg, threads=threads), ON
    )
    for threads in (1, 2)
    for name, size in SIZES.items()
    for jpeg in (False, True)
}
TABLE |= {
    f'dense, four cameras, threads {threads}': TwoWays(partial(_dense, threads=threads), BATCHES)
    for threads in (1, 2)
}
