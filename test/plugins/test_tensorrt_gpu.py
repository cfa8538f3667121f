# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Builder and engine on a real GPU; writes the record that docs/records/README.md tells of."""

from __future__ import annotations

import json
from pathlib import Path
import time

from edge_perception_onnxruntime.engine import OnnxRuntimeEngineType
from edge_perception_onnxruntime.options import OnnxRuntimeOptions
from edge_perception_tensorrt.builder import TensorRtBuilder
from edge_perception_tensorrt.engine import TensorRtEngineType
from edge_perception_tensorrt.options import TensorRtBuilderOptions
from edge_perception_tensorrt.options import TensorRtOptions
import numpy as np
import pytest

from edge_perception.contract import BuildPlan
from edge_perception.contract import load_manifest
from edge_perception.tooling.building.simplify import to_half
from tools.model_folders import model_folder

RECORDS = Path(__file__).resolve().parents[2] / 'build' / 'records'
# Decibels between the outputs of float32 and those of a precision.
LEAST_SNR_DB = {'fp32': 80.0, 'fp16': 30.0}
RUNS = 200


@pytest.fixture(scope='module')
def gpu() -> TensorRtEngineType:
    engine_type = TensorRtEngineType()
    availability = engine_type.probe()
    if not availability.available:
        pytest.skip(f'no GPU with TensorRT: {availability.reason}')
    return engine_type


@pytest.mark.slow
@pytest.mark.parametrize('precision', LEAST_SNR_DB)
def test_a_plan_gives_what_the_reference_gives(gpu, shared_data, tmp_path, precision):
    folder = model_folder('yolox_nano', shared_data, tmp_path)
    manifest = load_manifest(folder / 'model.yaml')
    source = prepared = folder / manifest.source
    builder = TensorRtBuilder()
    if builder.source_form(precision) == 'float16':
        prepared = tmp_path / 'half.onnx'
        to_half(source, prepared)
    plan = BuildPlan(manifest, prepared, precision, options=TensorRtBuilderOptions())
    started = time.monotonic()
    report = builder.build(plan, tmp_path)
    build_s = time.monotonic() - started
    frame = (
        np.random.default_rng(1).uniform(0, 255, manifest.input.shape).astype(manifest.input.dtype)
    )
    options = OnnxRuntimeOptions()
    with OnnxRuntimeEngineType().create(manifest, source, options) as reference:
        name = reference.inputs[0].name
        wanted = {key: value.copy() for key, value in reference.infer({name: frame}).items()}
    with gpu.create(manifest, report.artifact, TensorRtOptions()) as engine:
        engine.warm_up()
        times_ms = []
        for _ in range(RUNS):
            engine.input_buffers()[name][:] = frame
            started = time.perf_counter()
            results = engine.infer(engine.input_buffers())
            times_ms.append((time.perf_counter() - started) * 1e3)
        snr_db = {key: signal_to_noise_db(wanted[key], results[key]) for key in wanted}
    write_record(
        f'{manifest.name}_{precision}',
        device=gpu.device_key(TensorRtOptions()),
        runtime=gpu.probe().runtime,
        snr_db=snr_db,
        build_s=round(build_s, 1),
        p50_ms=float(np.percentile(times_ms, 50)),
        p99_ms=float(np.percentile(times_ms, 99)),
    )
    assert min(snr_db.values()) >= LEAST_SNR_DB[precision]


def signal_to_noise_db(wanted: np.ndarray, got: np.ndarray) -> float:
    noise = float(np.square(wanted.astype(np.float64) - got).sum())
    signal = float(np.square(wanted.astype(np.float64)).sum())
    return float('inf') if noise == 0 else 10 * float(np.log10(signal / noise))


def write_record(name: str, **facts: object) -> None:
    RECORDS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(facts, indent=2)
    (RECORDS / f'tensorrt_{name}.json').write_text(text + '\n', encoding='utf-8')
