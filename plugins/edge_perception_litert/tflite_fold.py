# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Quantize operators that LiteRT computes in INT8 and ai-edge-quantizer cannot quantize.

It does not know LEAKY_RELU, and fails on the constant of a PADV2. Left in float they stand between
a DEQUANTIZE and a QUANTIZE, at each of the 48 activations of NanoDet.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np

from edge_perception_litert.tflite_graph import load_schema
from edge_perception_litert.tflite_graph import operator_names
from edge_perception_litert.tflite_graph import tensor_name

# First version of each operator that takes INT8.
FOLDED: Mapping[str, int] = {'LEAKY_RELU': 2, 'PADV2': 2}
LOWEST, HIGHEST = -128, 127  # of INT8


def padded_tensors(model: Any) -> dict[str, str]:
    """Return the name of what each PADV2 gives, and of what it takes."""
    graph, kinds = model.subgraphs[0], operator_names(model)
    return {
        tensor_name(graph, operator.outputs[0]): tensor_name(graph, operator.inputs[0])
        for operator in graph.operators
        if kinds[operator.opcodeIndex] == 'PADV2'
    }


def fold_operators(model: Any) -> None:
    """Quantize float operators that stand between INT8 operators."""
    graph, kinds = model.subgraphs[0], operator_names(model)
    # Backwards, because a padding hands its QUANTIZE to what is before it.
    for operator in reversed(list(graph.operators)):
        kind = kinds[operator.opcodeIndex]
        quantize = _only_reader(graph, operator.outputs[0])
        if kind not in FOLDED or quantize is None or kinds[quantize.opcodeIndex] != 'QUANTIZE':
            continue
        if kind == 'PADV2':
            _pad_in_8_bits(model, operator, quantize)
        elif not _compute_in_8_bits(graph, kinds, operator, quantize):
            continue
        code = model.operatorCodes[operator.opcodeIndex]
        code.version = max(code.version, FOLDED[kind])


def _compute_in_8_bits(graph: Any, kinds: list[str], operator: Any, quantize: Any) -> bool:
    """Take an operator of one input from between its DEQUANTIZE and its QUANTIZE."""
    source = int(operator.inputs[0])
    before = next((each for each in graph.operators if source in map(int, each.outputs)), None)
    if before is None or kinds[before.opcodeIndex] != 'DEQUANTIZE':
        return False
    operator.inputs, operator.outputs = before.inputs, quantize.outputs
    _remove(graph, quantize)
    if not any(source in map(int, each.inputs) for each in graph.operators):
        _remove(graph, before)
    return True


def _pad_in_8_bits(model: Any, operator: Any, quantize: Any) -> None:
    """Quantize before the padding instead of behind it; the one does nothing to the other."""
    graph = model.subgraphs[0]
    outcome, plain = int(quantize.outputs[0]), int(operator.inputs[0])
    narrow = copy(graph.tensors[outcome])
    narrow.name = graph.tensors[plain].name + b'/in_8_bits'
    narrow.shape = graph.tensors[plain].shape
    narrow.shapeSignature = graph.tensors[plain].shapeSignature
    graph.tensors += [narrow, _constant(model, int(operator.inputs[2]), narrow.quantization)]
    index = len(graph.tensors) - 2
    quantize.inputs, quantize.outputs = [plain], [index]
    operator.inputs = [index, int(operator.inputs[1]), index + 1]
    operator.outputs = [outcome]
    _remove(graph, quantize)
    place = next(i for i, each in enumerate(graph.operators) if each is operator)
    graph.operators.insert(place, quantize)


def _constant(model: Any, index: int, quantization: Any) -> Any:
    """Return a constant of one number, quantized to INT8."""
    schema = load_schema()
    old = model.subgraphs[0].tensors[index]
    (value,) = np.frombuffer(bytes(model.buffers[old.buffer].data), np.float32)
    level = np.rint(float(value) / float(quantization.scale[0])) + int(quantization.zeroPoint[0])
    buffer = schema.BufferT()
    buffer.data = np.array([np.clip(level, LOWEST, HIGHEST)], np.int8).view(np.uint8)
    model.buffers.append(buffer)
    made = copy(old)
    made.name, made.buffer = old.name + b'/in_8_bits', len(model.buffers) - 1
    made.type, made.quantization = schema.TensorType.INT8, quantization
    return made


def _only_reader(graph: Any, tensor: int) -> Any:
    """Return the operator that reads a tensor, if there is no other and it is no output."""
    if int(tensor) in map(int, graph.outputs):
        return None
    readers = [each for each in graph.operators if int(tensor) in map(int, each.inputs)]
    return readers[0] if len(readers) == 1 else None


def _remove(graph: Any, operator: Any) -> None:
    graph.operators = [each for each in graph.operators if each is not operator]
