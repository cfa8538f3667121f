# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Read from the weights of an artifact the precision in which it computes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edge_perception.contract import read_artifact

QUANTIZING = frozenset({'QuantizeLinear', 'QLinearConv', 'QLinearMatMul', 'ConvInteger'})


def precision_of(artifact: Path) -> str:
    """
    Return fp32, fp16 or int8; empty where the file does not say, or its library is missing.

    Integers among the weights mean int8, even if most layers compute in float.
    """
    reader = {'.onnx': _of_onnx, '.tflite': _of_tflite}.get(artifact.suffix)
    try:
        return reader(artifact) if reader else ''
    except ImportError:
        return ''
    except Exception:  # a damaged file: the engine that loads it says so better
        return ''


def _of_onnx(artifact: Path) -> str:
    import onnx

    graph = onnx.load(str(artifact), load_external_data=False).graph
    if any(node.op_type in QUANTIZING for node in graph.node):
        return 'int8'
    return _of_kinds(onnx.TensorProto.DataType.Name(each.data_type) for each in graph.initializer)


def _of_tflite(artifact: Path) -> str:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(read_artifact(artifact), 0)
    names = {value: name for name, value in vars(schema.TensorType).items()}
    return _of_kinds(
        names[tensor.type]
        for graph in model.subgraphs
        for tensor in graph.tensors
        # Weights have data; small ones of integers are shapes and indices.
        if getattr(model.buffers[tensor.buffer], 'data', None) is not None
    )


def _of_kinds(kinds: Iterable[str]) -> str:
    found = set(kinds)
    if found & {'INT8', 'UINT8'}:
        return 'int8'
    if 'FLOAT16' in found:
        return 'fp16'
    return 'fp32' if found & {'FLOAT', 'FLOAT32'} else ''
