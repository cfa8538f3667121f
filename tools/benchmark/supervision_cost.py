# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure the cost of a supervised engine: ``python -m tools.benchmark.supervision_cost``.

Frame by frame in turns, each written into the engine's input memory, at the rate of a camera.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
import os
import signal
import time

import numpy as np

from edge_perception.contract import Engine
from edge_perception.contract import RestartingError
from edge_perception.models.assembly import assemble
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from edge_perception.supervision.supervised_engine import SupervisedEngine
from edge_perception.supervision.supervisor import PROCESSES
from edge_perception.supervision.supervisor import SUPERVISED
from edge_perception.supervision.supervisor import Supervision
from tools.benchmark.subjects import prepare
from tools.benchmark.subjects import ROOT

SHARES = (5, 50, 95, 99)


def measure(model: str, frames: int, rate_hz: float) -> dict[str, list[float]]:
    """Return milliseconds of each frame by where the engine runs."""
    folder = prepare(model, ROOT / 'build' / 'bench' / 'work').folder
    host, options = PluginHost(), {'onnxruntime': {'threads': 1}}
    with ExitStack() as ends:
        engines: dict[str, Engine] = {}
        for process in PROCESSES:
            request = Request(
                str(folder), 'onnxruntime', options, supervision=Supervision(process)
            )
            engines[process] = assemble(host, request).pipeline.engine
            ends.callback(engines[process].deactivate)
        times: dict[str, list[float]] = {process: [] for process in PROCESSES}
        pixels = np.random.default_rng(0).random(engines[PROCESSES[0]].inputs[0].shape)
        image = pixels.astype(np.float32)
        for number in range(frames):
            # Neither is always the first, who finds the caches cold.
            for process in PROCESSES[:: 1 if number % 2 else -1]:
                engine = engines[process]
                started = time.perf_counter()
                buffers = engine.input_buffers()
                for buffer in buffers.values():
                    np.copyto(buffer, image)
                engine.infer(buffers)
                times[process].append((time.perf_counter() - started) * 1e3)
                time.sleep(1 / rate_hz / 2)
    return times


def outages(model: str, times: int) -> dict[str, list[float]]:
    """Return seconds from what happens to the process to the next good frame, by signal."""
    folder = prepare(model, ROOT / 'build' / 'bench' / 'work').folder
    found: dict[str, list[float]] = {}
    for how in (signal.SIGKILL, signal.SIGSTOP):
        for _ in range(times):  # in a new supervisor, whose first restart is at once
            supervision = Supervision(SUPERVISED)
            request = Request(str(folder), 'onnxruntime', supervision=supervision)
            with assemble(PluginHost(), request).pipeline.engine as engine:
                engine.warm_up(20)
                assert isinstance(engine, SupervisedEngine)
                started = time.monotonic()
                os.kill(engine.process_id, how)
                while True:
                    try:
                        engine.warm_up(1)
                    except RestartingError:
                        time.sleep(0.01)
                    else:
                        # A frame that was answered before the signal arrived is none.
                        if engine.health()['worker_restarts']:
                            break
                found.setdefault(how.name, []).append(time.monotonic() - started)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', default='yolox_nano')
    parser.add_argument('--frames', type=int, default=1000)
    parser.add_argument('--rate', type=float, default=15.0)
    parser.add_argument('--outages', type=int, default=5, help='how often the process is ended')
    wanted = parser.parse_args()
    times = measure(wanted.model, wanted.frames, wanted.rate)
    for process, each in times.items():
        values = np.percentile(each, SHARES)
        words = ', '.join(f'p{share} {value:.2f} ms' for share, value in zip(SHARES, values))
        print(f'{process:<12} {words}')
    here, there = (np.array(times[process]) for process in PROCESSES)
    print(f'more at the median: {np.median(there) - np.median(here):.2f} ms')
    print(f'median of the differences: {np.median(there - here):.2f} ms')
    for name, seconds in outages(wanted.model, wanted.outages).items():
        low, high = min(seconds), max(seconds)
        print(f'{name}: no result for {np.median(seconds):.2f} s ({low:.2f} to {high:.2f} s)')


if __name__ == '__main__':
    main()
