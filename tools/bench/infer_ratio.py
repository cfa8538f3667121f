# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
What the contract adds to an engine: our ``infer`` beside the vendor's own loop, in turns.

Both fill their input, compute on one thread and read their output; both are alive in the same
process and take turns frame by frame, so that a machine whose speed drifts hits them alike.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import json
from pathlib import Path
import sys
import time
from typing import Any

import numpy as np

from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import Engine
from edge_perception.contract import Tensor
from edge_perception.models.artifacts import ArtifactWish
from edge_perception.models.assembly import assemble
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request

# Fills the input, computes, and returns the first output.
Loop = Callable[[Tensor], Tensor]
WARM_UP = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', required=True)
    parser.add_argument('--engine', required=True, choices=sorted(VENDOR_LOOPS))
    parser.add_argument('--frames', type=int, default=300)
    parser.add_argument('--output', type=Path)
    wanted = parser.parse_args()
    try:
        figures = measure(wanted.model, wanted.engine, frames=wanted.frames)
    except EdgePerceptionError as error:
        print(error, file=sys.stderr)
        return 1
    if wanted.output:
        wanted.output.write_text(json.dumps(figures))
    for name, value in figures.items():
        print(f'{wanted.engine}.{name}: {value:.3f}')
    return 0


def measure(model: str, engine_name: str, *, frames: int) -> dict[str, float]:
    """
    Return the medians of both in milliseconds and their ratio.

    :raises EdgePerceptionError: the engine cannot run the model here.
    """
    request = Request(
        model=model,
        engine=engine_name,
        engine_options={engine_name: {'threads': 1}},
        artifact=ArtifactWish(allow_unverified=True),
    )
    assembled = assemble(PluginHost(), request)
    engine = assembled.pipeline.engine
    loops = {
        'ours': _our_loop(engine),
        'vendor': VENDOR_LOOPS[engine_name](assembled.artifact.path),
    }
    random = np.random.default_rng(0)
    picture = (random.random(engine.inputs[0].shape) * 255).astype(engine.inputs[0].dtype)
    np.testing.assert_allclose(loops['ours'](picture), loops['vendor'](picture), rtol=1e-3)
    times: dict[str, list[int]] = {name: [] for name in loops}
    for number in range(WARM_UP + frames):
        # Who comes second finds warmer caches, so they swap places.
        for name in sorted(loops, reverse=bool(number % 2)):
            started = time.perf_counter_ns()
            loops[name](picture)
            elapsed = time.perf_counter_ns() - started
            if number >= WARM_UP:
                times[name].append(elapsed)
    engine.deactivate()
    ours, vendor = (float(np.median(times[name])) / 1e6 for name in ('ours', 'vendor'))
    return {'infer_ms': ours, 'vendor_ms': vendor, 'infer_ratio': ours / vendor}


def _our_loop(engine: Engine) -> Loop:
    image, output = engine.inputs[0].name, engine.outputs[0].name

    def loop(picture: Tensor) -> Tensor:
        buffers = engine.input_buffers()
        np.copyto(buffers[image], picture)
        return engine.infer(buffers)[output]

    return loop


def _onnxruntime(artifact: Path) -> Loop:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(artifact), settings, providers=['CPUExecutionProvider']
    )
    name = session.get_inputs()[0].name
    memory: dict[str, Any] = {}

    def loop(picture: Tensor) -> Tensor:
        mine = memory.setdefault(name, np.empty_like(picture))
        np.copyto(mine, picture)
        return np.asarray(session.run(None, memory)[0])

    return loop


def _openvino(artifact: Path) -> Loop:
    import openvino

    core = openvino.Core()
    settings = {
        'PERFORMANCE_HINT': 'LATENCY',
        'INFERENCE_NUM_THREADS': 1,
        'INFERENCE_PRECISION_HINT': 'f32',
    }
    request = core.compile_model(core.read_model(str(artifact)), 'CPU', settings)
    infer = request.create_infer_request()

    def loop(picture: Tensor) -> Tensor:
        np.copyto(infer.get_input_tensor(0).data, picture)
        infer.infer()
        return np.asarray(infer.get_output_tensor(0).data)

    return loop


def _litert(artifact: Path) -> Loop:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(artifact), num_threads=1)
    interpreter.allocate_tensors()
    image = interpreter.get_input_details()[0]['index']
    output = interpreter.get_output_details()[0]['index']

    def loop(picture: Tensor) -> Tensor:
        interpreter.set_tensor(image, picture)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(output))

    return loop


VENDOR_LOOPS: dict[str, Callable[[Path], Loop]] = {
    'litert': _litert,
    'onnxruntime': _onnxruntime,
    'openvino': _openvino,
}


if __name__ == '__main__':
    sys.exit(main())
