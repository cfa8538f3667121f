# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Tiny TFLite networks with known results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import io
from pathlib import Path
from typing import Any
import zipfile

import numpy as np

SHAPE = (1, 4, 6, 3)  # of an image, as TFLite files have it
CUSTOM = 32  # BuiltinOperator.CUSTOM


@dataclass(frozen=True)
class LiteTensor:
    """
    One tensor.

    :param signature: the shape with -1 where it is open; None where it is fixed.
    :param scales: one stands for all channels, several for one channel each.
    :param axis: of the channels, for scales; None for the last.
    :param data: of a constant.
    """

    name: str
    shape: tuple[int, ...] = SHAPE
    dtype: str = 'float32'
    signature: tuple[int, ...] | None = None
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    data: np.ndarray | None = None
    axis: int | None = None


@dataclass(frozen=True)
class LiteOperator:
    """
    One operator.

    :param code: name of a built-in one, else of a custom one.
    :param inputs: names of tensors.
    :param options: name of an options class of the schema, and its values.
    """

    code: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: tuple[str, dict[str, Any]] | None = None
    version: int = 1
    custom_options: bytes = b''


def save(
    path: Path,
    operators: Sequence[LiteOperator],
    tensors: Sequence[LiteTensor],
    *,
    inputs: Sequence[str] = ('image',),
    outputs: Sequence[str] = ('result',),
    metadata: bytes = b'',
    files: dict[str, str] | None = None,
) -> Path:
    """
    Write a network.

    :param metadata: a FlatBuffer TFLITE_METADATA.
    :param files: appended as a zip.
    """
    from ai_edge_litert import schema_py_generated as schema
    import flatbuffers

    names = [each.name for each in tensors]
    graph = schema.SubGraphT()
    graph.tensors = [_tensor(schema, each, index + 1) for index, each in enumerate(tensors)]
    graph.inputs = [names.index(name) for name in inputs]
    graph.outputs = [names.index(name) for name in outputs]
    graph.operators = [
        _operator(schema, each, index, names) for index, each in enumerate(operators)
    ]
    model = schema.ModelT()
    model.version, model.subgraphs = 3, [graph]
    model.operatorCodes = [_code(schema, each) for each in operators]
    model.buffers = [_buffer(schema, None), *(_buffer(schema, each.data) for each in tensors)]
    if metadata:
        entry = schema.MetadataT()
        entry.name, entry.buffer = b'TFLITE_METADATA', len(model.buffers)
        model.metadata = [entry]
        model.buffers.append(_buffer(schema, np.frombuffer(metadata, np.uint8)))
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b'TFL3')
    path.write_bytes(bytes(builder.Output()) + _archive(files or {}))
    return path


def save_unary(
    path: Path,
    operator: str = 'NEG',
    shape=SHAPE,
    dtype='float32',
    metadata: bytes = b'',
    files: dict[str, str] | None = None,
    **tensor,
) -> Path:
    """Write one operator from ``image`` to ``result``, both alike."""
    return save(
        path,
        [LiteOperator(operator, ('image',), ('result',))],
        [
            LiteTensor('image', shape, dtype, **tensor),
            LiteTensor('result', shape, dtype, **tensor),
        ],
        metadata=metadata,
        files=files,
    )


def save_identity(path: Path, shape=SHAPE, dtype='float32', **tensor) -> Path:
    """Write a network that copies its input."""
    size = np.array(shape, np.int32)
    return save(
        path,
        [LiteOperator('RESHAPE', ('image', 'size'), ('result',))],
        [
            LiteTensor('image', shape, dtype, **tensor),
            LiteTensor('size', (len(shape),), 'int32', data=size),
            LiteTensor('result', shape, dtype, **tensor),
        ],
    )


def save_where(path: Path, shape=SHAPE) -> Path:
    """Write a network with an output of open shape: the indices of all numbers that are not 0."""
    return save(
        path,
        [
            LiteOperator('WHERE', ('image',), ('where',)),
            LiteOperator('NEG', ('image',), ('negative',)),
        ],
        [
            LiteTensor('image', shape),
            LiteTensor('where', (1, len(shape)), 'int64', signature=(-1, len(shape))),
            LiteTensor('negative', shape),
        ],
        outputs=('where', 'negative'),
    )


def _tensor(schema: Any, tensor: LiteTensor, buffer: int) -> Any:
    made = schema.TensorT()
    made.name, made.buffer = tensor.name.encode(), buffer
    made.shape = list(tensor.shape)
    made.shapeSignature = None if tensor.signature is None else list(tensor.signature)
    made.type = getattr(schema.TensorType, tensor.dtype.upper())
    if tensor.scales:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = list(tensor.scales)
        made.quantization.zeroPoint = list(tensor.zero_points)
        last = len(tensor.shape) - 1
        made.quantization.quantizedDimension = last if tensor.axis is None else tensor.axis
    return made


def _operator(schema: Any, operator: LiteOperator, index: int, names: list[str]) -> Any:
    made = schema.OperatorT()
    made.opcodeIndex = index
    made.inputs = [names.index(name) for name in operator.inputs]
    made.outputs = [names.index(name) for name in operator.outputs]
    if operator.options is not None:
        kind, values = operator.options
        made.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        made.builtinOptions = getattr(schema, f'{kind}T')()
        for name, value in values.items():
            setattr(made.builtinOptions, name, value)
    if operator.custom_options:
        made.customOptions = list(operator.custom_options)
    return made


def _code(schema: Any, operator: LiteOperator) -> Any:
    made = schema.OperatorCodeT()
    number = getattr(schema.BuiltinOperator, operator.code, CUSTOM)
    made.builtinCode, made.deprecatedBuiltinCode = number, min(number, 127)
    made.customCode = operator.code.encode() if number == CUSTOM else None
    made.version = operator.version
    return made


def _buffer(schema: Any, data: np.ndarray | None) -> Any:
    made = schema.BufferT()
    made.data = None if data is None else np.frombuffer(data.tobytes(), np.uint8)
    return made


def _archive(files: dict[str, str]) -> bytes:
    if not files:
        return b''
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w') as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return stream.getvalue()


def deadly(path: Path) -> None:
    """Crash whatever process prepares it: the operator looks for inputs that it does not have."""
    save_unary(path, 'TFLite_Detection_PostProcess')


def save_compiled(path: Path) -> Path:
    """Write what edgetpu_compiler makes of a network with operators that it does not know."""
    shape = (1, 4, 6, 3)
    return save(
        path,
        [
            LiteOperator('edgetpu-custom-op', ('image',), ('middle',)),
            LiteOperator('CAST', ('middle',), ('real',)),
            LiteOperator('NEG', ('real',), ('result',)),
        ],
        [
            LiteTensor('image', shape, 'uint8'),
            LiteTensor('middle', shape, 'uint8'),
            LiteTensor('real', shape),
            LiteTensor('result', shape),
        ],
    )
