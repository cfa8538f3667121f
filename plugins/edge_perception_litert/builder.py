# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Build TFLite files: onnx2tf, in its own environment, converts; ai-edge-quantizer quantizes.

onnx2tf quantizes as well, but LiteRT refuses the files that 2.6.9 quantizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
import shutil
from typing import Any

import numpy as np

from edge_perception.contract import Availability
from edge_perception.contract import Builder
from edge_perception.contract import BuildError
from edge_perception.contract import BuildPlan
from edge_perception.contract import BuildReport
from edge_perception.contract import run_converter
from edge_perception.contract.builder import package_version
from edge_perception.contract.converter import tail
from edge_perception.contract.user_files import data_folder
from edge_perception_litert.int8_quantizer import quantize_int8
from edge_perception_litert.int8_quantizer import quiet_quantizer
from edge_perception_litert.tflite_graph import head_tensors
from edge_perception_litert.tflite_graph import layer_tensors
from edge_perception_litert.tflite_graph import read_model
from edge_perception_litert.tflite_graph import straighten_outputs
from edge_perception_litert.tflite_graph import write_model

VERSION = '2'  # rises when the same source would become another artifact
INSTALL = 'run: edge-perception toolchain install tflite'


class TfliteBuilder(Builder):
    """TFLite in float32, with float16 weights, or in INT8 with the head in float."""

    name = 'tflite'
    suffix = '.tflite'
    precisions = ('fp32', 'fp16', 'int8')
    engine = 'litert'
    keeps_float = True

    def probe(self) -> Availability:
        """Tell whether the converter is installed."""
        if not converter().is_file():
            return Availability(
                available=False, reason='its converter is not installed', remedy=INSTALL
            )
        return Availability(available=True, runtime=_requirement())

    def fingerprint(self, plan: BuildPlan) -> Mapping[str, str]:
        """Return the versions; a TFLite file runs on any device."""
        marks = {'builder': VERSION, 'converter': _requirement() or 'missing', 'device': 'any'}
        if plan.precision != 'fp32':
            marks['quantizer'] = package_version('ai-edge-quantizer') or 'missing'
        return marks

    def build(self, plan: BuildPlan, workspace: Path) -> BuildReport:
        """Convert, put the outputs straight, quantize."""
        artifact = workspace / f'{plan.manifest.name}_{plan.precision}{self.suffix}'
        notes = convert(plan, artifact)
        versions = {'converter': _requirement()}
        if plan.precision != 'fp32':
            notes += quantize(plan, artifact)
            versions['ai-edge-quantizer'] = package_version('ai-edge-quantizer')
        return BuildReport(artifact, versions, tuple(notes))


def converter() -> Path:
    """Return where the toolchain has its command, installed or not."""
    return data_folder() / 'toolchains' / 'tflite' / 'bin' / 'onnx2tf'


def convert(plan: BuildPlan, artifact: Path) -> list[str]:
    """
    Write a TFLite in float32, and return what was done to it.

    :raises BuildError: the converter fails.
    """
    made = artifact.parent / 'converted'
    made.mkdir(exist_ok=True)
    # A copy, because the converter writes its simplified version over what it is given.
    source = plan.copy_source(made / 'source.onnx')
    command = [converter(), '-i', source, '-o', made, '-n']
    said = run_converter(command, artifact.parent, subject=plan.manifest.name)
    found = sorted(made.glob('*_float32.tflite'))
    if not found:
        raise BuildError(f'onnx2tf made no file of {plan.manifest.name}: {tail(said)}')
    model = read_model(found[0])
    changed = straighten_outputs(model, _output_shapes(plan.source))
    write_model(model, artifact)
    shutil.rmtree(made)
    return [f'{changed} outputs are transposed back to the order of the ONNX'] if changed else []


def quantize(plan: BuildPlan, artifact: Path) -> tuple[str, ...]:
    """
    Convert the weights of a TFLite to float16, or all of it to INT8; return notes for the user.

    :raises BuildError: the quantizer is missing or fails.
    """
    if find_spec('ai_edge_quantizer') is None:
        raise BuildError(
            'the Python package ai-edge-quantizer is missing; install it: '
            'pip install ai-edge-quantizer'
        )
    model = read_model(artifact)
    head = head_tensors(model) if plan.head else []
    kept = layer_tensors(model, plan.keep_float)
    if plan.precision == 'fp16':
        _half(plan, artifact)
        return ('weights are in float16; LiteRT computes with them in float32',)
    samples = list(_channels_last(plan))
    try:
        notes = quantize_int8(artifact, samples=samples, in_float=[*head, *kept])
    except BuildError as error:
        raise _failed(plan, str(error)) from error
    more = f', and {len(kept)} that lost too much in INT8' if kept else ''
    return (f'{len(head)} operators behind the last convolutions stay in float{more}', *notes)


def _failed(plan: BuildPlan, words: str) -> BuildError:
    return BuildError(
        f'ai-edge-quantizer cannot quantize {plan.manifest.name}: {words}; take --precision fp16, '
        'or INT8 of another target'
    )


def _half(plan: BuildPlan, artifact: Path) -> None:
    """Convert weights to float16; the float16 of onnx2tf has operators that LiteRT lacks."""
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer import quantizer
    from ai_edge_quantizer import recipe

    worker = quantizer.Quantizer(str(artifact))
    weights = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    names = recipe.TFLOperationName
    for name in (names.CONV_2D, names.DEPTHWISE_CONV_2D, names.FULLY_CONNECTED):
        worker.update_quantization_recipe(
            regex='.*',
            operation_name=name,
            op_config=qtyping.OpQuantizationConfig(
                weight_tensor_config=weights,
                compute_precision=qtyping.ComputePrecision.FLOAT,
                explicit_dequantize=True,
            ),
            algorithm_key=recipe.AlgorithmName.FLOAT_CASTING,
        )
    try:
        with quiet_quantizer():
            result = worker.quantize(enable_progress_bar=False, enable_progress_report=False)
    except Exception as error:
        raise _failed(plan, ' '.join(str(error).split())[:300]) from error
    artifact.write_bytes(bytes(result.quantized_model))


def _channels_last(plan: BuildPlan) -> Iterator[dict[str, Any]]:
    """Yield the samples in the layout of the converted model."""
    assert plan.samples is not None
    for sample in plan.samples():
        yield {
            name: np.ascontiguousarray(
                tensor.transpose(0, 2, 3, 1) if plan.manifest.input.layout == 'nchw' else tensor
            )
            for name, tensor in sample.items()
        }


def _output_shapes(source: Path) -> dict[str, list[int]]:
    import onnx

    graph = onnx.load(str(source), load_external_data=False).graph
    return {
        each.name: [int(size.dim_value) for size in each.type.tensor_type.shape.dim]
        for each in graph.output
    }


def _requirement() -> str:
    """Return what the toolchain was installed from, e.g. onnx2tf==2.6.9."""
    try:
        return ' '.join((converter().parents[1] / 'requirements.txt').read_text().split())
    except OSError:
        return ''
