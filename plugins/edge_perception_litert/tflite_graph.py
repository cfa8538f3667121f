# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Small changes to a TFLite file after its conversion, by the schema that LiteRT brings."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.contract import BuildError
from edge_perception.contract import read_artifact

HEAVY = ('CONV_2D', 'DEPTHWISE_CONV_2D', 'TRANSPOSE_CONV', 'FULLY_CONNECTED', 'BATCH_MATMUL')


def read_model(path: Path) -> Any:
    """
    Return a TFLite file as objects.

    :raises BuildError: LiteRT is missing, or this is no such file.
    """
    try:
        content = read_artifact(path)
        model = load_schema().ModelT.InitFromPackedBuf(content, 0)
    except ImportError as error:
        raise BuildError(
            'the Python package ai-edge-litert is missing; install it: pip install ai-edge-litert'
        ) from error
    except Exception as error:
        raise BuildError(f'{path.name}: is not a TFLite file: {error}') from error
    for buffer in model.buffers:
        # Some tools put weights behind the FlatBuffer; they move when it is written again.
        if buffer.data is None and buffer.size:
            whole = np.frombuffer(content, np.uint8)
            buffer.data = whole[buffer.offset : buffer.offset + buffer.size]
            buffer.offset = buffer.size = 0
    return model


def write_model(model: Any, path: Path) -> None:
    """Write a TFLite file."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b'TFL3')
    path.write_bytes(bytes(builder.Output()))


def straighten_outputs(model: Any, shapes: Mapping[str, Sequence[int]]) -> int:
    """
    Transpose outputs back to the shapes that they have in the ONNX, and return how many.

    The converter puts channels last everywhere and drops a transpose at the end; decoders expect
    what the ONNX gives.

    :param shapes: of the outputs of the ONNX, by name.
    :raises BuildError: an output is missing, or has a shape that no such transpose explains.
    """
    graph = model.subgraphs[0]
    changed = 0
    by_name = {graph.tensors[index].name.decode(): index for index in graph.outputs}
    for name, shape in shapes.items():
        if name not in by_name:
            raise BuildError(
                f'the converter gave the outputs {", ".join(by_name)}, expected one named {name}; '
                'rename the outputs of the ONNX to plain words'
            )
        index = by_name[name]
        got = [int(size) for size in graph.tensors[index].shape]
        order = _order_back(got, list(shape))
        if order is None:
            raise BuildError(
                f'output {name!r}: the converter made {got} of {list(shape)}, which is no '
                'transpose of it'
            )
        if order != list(range(len(order))):
            _append_transpose(model, index, order, list(shape))
            changed += 1
    return changed


def output_names(model: Any) -> list[str]:
    """Return the names of the outputs, in their order."""
    graph = model.subgraphs[0]
    return [tensor_name(graph, index) for index in graph.outputs]


def rename_outputs(model: Any, names: Sequence[str]) -> None:
    """Give the outputs the names that decoders use; rename other tensors that have these names."""
    graph = model.subgraphs[0]
    outputs = [graph.tensors[int(index)] for index in graph.outputs]
    for tensor in graph.tensors:
        if tensor.name.decode() in names:
            tensor.name += b'/inside'
    for tensor, name in zip(outputs, names):
        tensor.name = name.encode()


def head_tensors(model: Any) -> list[str]:
    """Return the names of what is computed behind the last convolutions."""
    graph = model.subgraphs[0]
    kinds = operator_names(model)
    leads_on: set[int] = set()
    names = []
    for operator in reversed(graph.operators):
        heavy = kinds[operator.opcodeIndex] in HEAVY
        if heavy or leads_on.intersection(int(each) for each in operator.outputs):
            leads_on.update(int(each) for each in operator.inputs)
        else:
            names += [graph.tensors[each].name.decode() for each in operator.outputs]
    return names


def layer_tensors(model: Any, nodes: Sequence[str]) -> list[str]:
    """
    Return the names of what convolutions and their activations give.

    :param nodes: names of nodes of the ONNX; the converter names the weights of a convolution
        after its node.
    """
    graph, kinds = model.subgraphs[0], operator_names(model)
    wanted = tuple(f'{node}_' for node in nodes)
    constant = {
        index
        for index, tensor in enumerate(graph.tensors)
        if getattr(model.buffers[tensor.buffer], 'data', None) is not None
    }
    inside: set[int] = set()
    names = []
    for operator in graph.operators:
        inputs = [int(each) for each in operator.inputs if int(each) >= 0]
        read = set(inputs) - constant
        heavy = kinds[operator.opcodeIndex] in HEAVY
        if heavy and wanted:
            weights = [graph.tensors[each].name.decode() for each in inputs if each in constant]
            chosen = any(name.startswith(wanted) for name in weights)
        else:
            chosen = bool(read) and read <= inside and not heavy
        if chosen:
            inside.update(int(each) for each in operator.outputs)
            names += [graph.tensors[int(each)].name.decode() for each in operator.outputs]
    return names


def tensors_of_kinds(model: Any, chosen: Callable[[str], bool]) -> list[str]:
    """Return the names of what operators give whose kind is chosen."""
    graph, kinds = model.subgraphs[0], operator_names(model)
    return [
        tensor_name(graph, each)
        for operator in graph.operators
        if chosen(kinds[operator.opcodeIndex])
        for each in operator.outputs
    ]


def tensor_name(graph: Any, index: int) -> str:
    """Return the name of a tensor."""
    return str(graph.tensors[int(index)].name.decode())


def _order_back(got: list[int], wanted: list[int]) -> list[int] | None:
    """Return the axes of a transpose from channels last to channels first; None if none fits."""
    if len(got) >= 3:
        order = [0, len(got) - 1, *range(1, len(got) - 1)]
        if [got[axis] for axis in order] == wanted:
            return order
    return list(range(len(got))) if got == wanted else None


def _append_transpose(model: Any, index: int, order: list[int], shape: list[int]) -> None:
    schema = load_schema()
    graph = model.subgraphs[0]
    model.buffers.append(_buffer(schema, np.array(order, np.int32)))
    axes = schema.TensorT()
    axes.name = graph.tensors[index].name + b'/order'
    axes.shape, axes.type = [len(order)], schema.TensorType.INT32
    axes.buffer = len(model.buffers) - 1
    straight = schema.TensorT()
    straight.name, straight.type = graph.tensors[index].name, graph.tensors[index].type
    straight.shape, straight.buffer = shape, 0
    graph.tensors[index].name += b'/channels_last'
    graph.tensors += [axes, straight]
    new = len(graph.tensors) - 1
    operator = schema.OperatorT()
    operator.opcodeIndex = _transpose_code(schema, model)
    operator.inputs, operator.outputs = [index, new - 1], [new]
    operator.builtinOptionsType = schema.BuiltinOptions.TransposeOptions
    operator.builtinOptions = schema.TransposeOptionsT()
    graph.operators.append(operator)
    graph.outputs = [new if int(each) == index else int(each) for each in graph.outputs]
    for signature in model.signatureDefs or ():
        for output in signature.outputs:
            if output.tensorIndex == index:
                output.tensorIndex = new


def _buffer(schema: Any, values: Any) -> Any:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    return buffer


def _transpose_code(schema: Any, model: Any) -> int:
    kind = schema.BuiltinOperator.TRANSPOSE
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == kind:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = kind
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def operator_names(model: Any) -> list[str]:
    """Return the kind of each operator code."""
    names = {value: name for name, value in vars(load_schema().BuiltinOperator).items()}
    return [
        str(names.get(max(code.builtinCode, code.deprecatedBuiltinCode), ''))
        for code in model.operatorCodes
    ]


def load_schema() -> Any:
    """Return the classes of a TFLite file."""
    from ai_edge_litert import schema_py_generated

    return schema_py_generated
