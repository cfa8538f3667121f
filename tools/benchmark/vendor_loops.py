# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Compare our ``infer`` with the vendor's own loop, in turns: what the contract adds.

Both fill their input, compute on one thread and read their output; both are alive in the same
process and take turns frame by frame, so that a machine whose speed drifts hits them alike.
"""

from __future__ import annotations

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
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.assembly import assemble
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request

# Fills the input, computes, and returns the first output.
Loop = Callable[[Tensor], Tensor]
WARM_UP = 20
FRAMES = 300


def main() -> int:
    """Print the figures of a model and an engine in JSON."""
    model, engine = sys.argv[1:]
    try:
        print(json.dumps(measure(model, engine)))
    except EdgePerceptionError as error:
        print(error)
        return 1
    return 0


def measure(model: str, engine_name: str) -> dict[str, float]:
    """
    Return the medians of both in milliseconds and their ratio.

    :raises EdgePerceptionError: the engine cannot run the model here.
    """
    request = Request(
        model=model,
        engine=engine_name,
        engine_options={engine_name: {'threads': 1}},
        artifact=ArtifactRequest(allow_unverified=True),
    )
    assembled = assemble(PluginHost(), request)
    engine = assembled.pipeline.engine
    loops = {
        'ours': _our_loop(engine),
        'vendor': VENDOR_LOOPS[engine_name](assembled.artifact.path),
    }
    random = np.random.default_rng(0)
    image = (random.random(engine.inputs[0].shape) * 255).astype(engine.inputs[0].dtype)
    np.testing.assert_allclose(loops['ours'](image), loops['vendor'](image), rtol=1e-3)
    times: dict[str, list[int]] = {name: [] for name in loops}
    for number in range(WARM_UP + FRAMES):
        # Who comes second finds warmer caches, so they swap places.
        for name in sorted(loops, reverse=bool(number % 2)):
            started = time.perf_counter_ns()
            loops[name](image)
            elapsed = time.perf_counter_ns() - started
            if number >= WARM_UP:
                times[name].append(elapsed)
    engine.deactivate()
    ours, vendor = (float(np.median(times[name])) / 1e6 for name in ('ours', 'vendor'))
    return {'infer_ms': ours, 'vendor_ms': vendor, 'infer_ratio': ours / vendor}


def _our_loop(engine: Engine) -> Loop:
    name, output = engine.inputs[0].name, engine.outputs[0].name

    def loop(image: Tensor) -> Tensor:
        buffers = engine.input_buffers()
        np.copyto(buffers[name], image)
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

    def loop(image: Tensor) -> Tensor:
        mine = memory.setdefault(name, np.empty_like(image))
        np.copyto(mine, image)
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

    def loop(image: Tensor) -> Tensor:
        np.copyto(infer.get_input_tensor(0).data, image)
        infer.infer()
        return np.asarray(infer.get_output_tensor(0).data)

    return loop


def _litert(artifact: Path) -> Loop:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(artifact), num_threads=1)
    interpreter.allocate_tensors()
    index = interpreter.get_input_details()[0]['index']
    output = interpreter.get_output_details()[0]['index']

    def loop(image: Tensor) -> Tensor:
        interpreter.set_tensor(index, image)
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
