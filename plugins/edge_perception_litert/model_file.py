# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Read the tensors of a TFLite file without the runtime, which a damaged file can crash.

Tables of its FlatBuffers are read by the number of a field, on the official runtime: of the two
schemas, the model and its metadata, a few fields each. Classes generated from them would be ten
thousand lines for that.

Source of the numbers: schema.fbs of LiteRT (TensorFlow Lite), version 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
import math
from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.contract import ArtifactError
from edge_perception.contract import Quantization
from edge_perception.contract import read_artifact
from edge_perception.contract import TensorSpec
from edge_perception_litert.errors import damaged
from edge_perception_litert.errors import EXPORT_AGAIN

# At byte 4 of every TFLite file.
IDENTIFIER = b'TFL3'
# Fields of the tables.
MODEL_OPERATOR_CODES, MODEL_SUBGRAPHS, MODEL_BUFFERS, MODEL_METADATA = 1, 2, 4, 6
SUBGRAPH_TENSORS, SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS, SUBGRAPH_OPERATORS = range(4)
CODE_OLD_BUILTIN, CODE_CUSTOM, _, CODE_BUILTIN = range(4)
TENSOR_SHAPE, TENSOR_TYPE, _, TENSOR_NAME, TENSOR_QUANTIZATION = range(5)
TENSOR_SHAPE_SIGNATURE = 7
QUANTIZATION_SCALE, QUANTIZATION_ZERO_POINT = 2, 3
CONV_2D, DEPTHWISE_CONV_2D = 3, 4  # numbers of operators
METADATA_NAME, METADATA_BUFFER = range(2)
BUFFER_DATA = 0
OPERATOR_CODE, OPERATOR_INPUTS = 0, 1

DTYPES = {
    **{0: 'float32', 1: 'float16', 2: 'int32', 3: 'uint8', 4: 'int64', 6: 'bool', 7: 'int16'},
    **{9: 'int8', 10: 'float64', 12: 'uint64', 15: 'uint32', 16: 'uint16'},
}


@dataclass(frozen=True, slots=True)
class ModelFile:
    """
    One model file.

    :param outputs: those whose shape is only known to the runtime have none.
    :param custom_operators: how often each occurs, by name.
    :param builtin_operators: how often each occurs, by number.
    :param metadata: what tools left in the file, by name.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    custom_operators: Mapping[str, int]
    builtin_operators: Mapping[int, int]
    metadata: Mapping[str, bytes]


def read_model(artifact: Path) -> bytes:
    """
    Return the content of a model file.

    :raises ArtifactError: as of ``read_artifact``, or the file is not TFLite.
    """
    content = read_artifact(artifact, again=EXPORT_AGAIN)
    if content[4:8] != IDENTIFIER:
        raise damaged(artifact)
    return content


def parse_model(content: bytes, *, artifact: Path) -> ModelFile:
    """
    Read tensors, operators and metadata.

    :raises ArtifactError: it is damaged, or a tensor is no tensor of numbers.
    """
    try:
        model = Table.root(content)
        graph = next(model.tables(MODEL_SUBGRAPHS))
        tensors = list(graph.tables(SUBGRAPH_TENSORS))
        custom, builtin = _operators(model, graph)
        return ModelFile(
            inputs=_specs(artifact, tensors, graph.numbers(SUBGRAPH_INPUTS)),
            outputs=_specs(artifact, tensors, graph.numbers(SUBGRAPH_OUTPUTS)),
            custom_operators=custom,
            builtin_operators=builtin,
            metadata=_metadata(model),
        )
    except ArtifactError:
        raise
    except Exception as error:  # offsets that lead out of the file
        raise damaged(artifact) from error


def check_filters(content: bytes, *, artifact: Path) -> None:
    """
    Refuse a filter in INT8 with fewer scales than it has channels where the input is float.

    Where each channel has a filter of its own, XNNPACK and LiteRT's own kernels take a scale for
    each as well and read beyond the only one: what comes out changes from run to run. Exports by
    onnx2tf with dynamic-range quantization have such files (seen with LiteRT 2.3).

    :param content: that ``parse_model`` has read.
    :raises ArtifactError: there is one.
    """
    model = Table.root(content)
    graph = next(model.tables(MODEL_SUBGRAPHS))
    tensors = list(graph.tables(SUBGRAPH_TENSORS))
    codes = [_builtin(each) for each in model.tables(MODEL_OPERATOR_CODES)]
    for operator in graph.tables(SUBGRAPH_OPERATORS):
        code = codes[operator.number(OPERATOR_CODE, 'Uint32')]
        if code not in (CONV_2D, DEPTHWISE_CONV_2D):
            continue
        inputs = operator.numbers(OPERATOR_INPUTS)[:2]
        if len(inputs) < 2:
            raise ArtifactError(
                artifact,
                reason='has a convolution (CONV_2D) without a filter',
                remedy='convert the model again',
            )
        image, weights = (tensors[index] for index in inputs)
        kinds = [DTYPES.get(each.number(TENSOR_TYPE, 'Int8')) for each in (image, weights)]
        parameters = weights.table(TENSOR_QUANTIZATION)
        if kinds != ['float32', 'int8'] or parameters is None:
            continue
        shape, seen = weights.numbers(TENSOR_SHAPE), image.numbers(TENSOR_SHAPE)
        depthwise = code == DEPTHWISE_CONV_2D
        channels = shape[3] if depthwise else shape[0]
        scales = len(parameters.numbers(QUANTIZATION_SCALE, 'Float32'))
        if scales != channels and (depthwise or shape[3] != seen[3]):
            raise ArtifactError(
                artifact,
                reason=f'has a filter of {channels} channels in INT8 with {scales} scales, of '
                'which LiteRT reads one for each channel',
                remedy='convert the model again with one scale for each channel, or in float or '
                'full INT8',
            )


def _builtin(code: Table) -> int:
    # The old field is a byte, and newer operators have larger numbers.
    return int(max(code.number(CODE_OLD_BUILTIN, 'Int8'), code.number(CODE_BUILTIN)))


def _operators(model: Table, graph: Table) -> tuple[Counter[str], Counter[int]]:
    codes = list(model.tables(MODEL_OPERATOR_CODES))
    used = Counter(
        each.number(OPERATOR_CODE, 'Uint32') for each in graph.tables(SUBGRAPH_OPERATORS)
    )
    custom: Counter[str] = Counter()
    builtin: Counter[int] = Counter()
    for index, count in used.items():
        name = codes[index].text(CODE_CUSTOM)
        if name:
            custom[name] += count
            continue
        builtin[_builtin(codes[index])] += count
    return custom, builtin


def _metadata(model: Table) -> dict[str, bytes]:
    buffers = list(model.tables(MODEL_BUFFERS))
    return {
        entry.text(METADATA_NAME): buffers[entry.number(METADATA_BUFFER, 'Uint32')].content(
            BUFFER_DATA
        )
        for entry in model.tables(MODEL_METADATA)
    }


def _specs(
    artifact: Path, tensors: Sequence[Table], indices: Sequence[int]
) -> tuple[TensorSpec, ...]:
    names = [tensors[index].text(TENSOR_NAME) for index in indices]
    return tuple(
        # A name has to tell the tensors of one side apart.
        _spec(artifact, tensors[index], name if name and names.count(name) == 1 else str(place))
        for place, (index, name) in enumerate(zip(indices, names))
    )


def _spec(artifact: Path, tensor: Table, name: str) -> TensorSpec:
    number = tensor.number(TENSOR_TYPE, 'Int8')
    if number not in DTYPES:
        raise ArtifactError(
            artifact,
            reason=f'{name!r} is a tensor of type {number}, expected a tensor of numbers',
            remedy='convert the model with plain tensors as its inputs and outputs',
        )
    dtype = np.dtype(DTYPES[number])
    fixed, signature = tensor.numbers(TENSOR_SHAPE), tensor.numbers(TENSOR_SHAPE_SIGNATURE)
    shape = tuple(signature if len(signature) == len(fixed) else fixed)
    return TensorSpec(name, shape, dtype, _quantization(tensor, dtype))


def _quantization(tensor: Table, dtype: np.dtype[np.generic]) -> Quantization | None:
    """Return scale and zero point; None also where channels have different ones."""
    parameters = tensor.table(TENSOR_QUANTIZATION)
    if parameters is None or dtype.kind not in 'iu':
        return None
    scales = parameters.numbers(QUANTIZATION_SCALE, 'Float32')
    zero_points = parameters.numbers(QUANTIZATION_ZERO_POINT, 'Int64')
    if len(scales) != 1 or len(zero_points) != 1 or not 0 < scales[0] < math.inf:
        return None
    return Quantization(scale=float(scales[0]), zero_point=int(zero_points[0]))


class Table:
    """
    One table. A field that is absent is empty, 0 or None, as in every FlatBuffer.

    Methods raise what the runtime raises where offsets lead out of the data: ValueError,
    TypeError, IndexError or struct.error.

    :param position: of the table in the data.
    """

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._table: Any = import_module('flatbuffers.table').Table(data, position)

    @classmethod
    def root(cls, data: bytes) -> Table:
        """Return the table in which everything begins."""
        return cls(data, int.from_bytes(data[:4], 'little'))

    def text(self, field: int) -> str:
        """Return a string; bytes that are not UTF-8 are replaced."""
        offset = self._offset(field)
        if not offset:
            return ''
        text: bytes = self._table.String(offset + self._table.Pos)
        return text.decode('utf-8', errors='replace')

    def number(self, field: int, kind: str = 'Int32', default: float = 0) -> Any:
        """Return a number; ``kind`` as FlatBuffers call it, e.g. ``Uint8``."""
        return self._table.GetSlot(_slot(field), default, _flags(kind))

    def numbers(self, field: int, kind: str = 'Int32') -> list[Any]:
        """Return a vector of numbers."""
        flags = _flags(kind)
        start, count = self._vector(field, flags.bytewidth)
        return [self._table.Get(flags, start + index * flags.bytewidth) for index in range(count)]

    def content(self, field: int) -> bytes:
        """Return a vector of bytes."""
        start, count = self._vector(field, 1)
        return self._data[start : start + count]

    def table(self, field: int) -> Table | None:
        """Return another table; None where there is none, as in a union without a value."""
        offset = self._offset(field)
        if not offset:
            return None
        return Table(self._data, self._table.Indirect(self._table.Pos + offset))

    def tables(self, field: int) -> Iterator[Table]:
        """Yield a vector of tables."""
        start, count = self._vector(field, 4)
        for index in range(count):
            yield Table(self._data, self._table.Indirect(start + 4 * index))

    def texts(self, field: int) -> list[str]:
        """Return a vector of strings."""
        start, count = self._vector(field, 4)
        found = (self._table.String(start + 4 * index) for index in range(count))
        return [text.decode('utf-8', errors='replace') for text in found]

    def _offset(self, field: int) -> int:
        return int(self._table.Offset(_slot(field)))

    def _vector(self, field: int, width: int) -> tuple[int, int]:
        """Return where the items of a vector begin, and how many there are."""
        offset = self._offset(field)
        if not offset:
            return 0, 0
        start, count = int(self._table.Vector(offset)), int(self._table.VectorLen(offset))
        # A length that is not true would otherwise be believed until the memory is full.
        if start + count * width > len(self._data):
            raise ValueError(f'a vector of {count} items leads out of the file')
        return start, count


def _slot(field: int) -> int:
    return 4 + 2 * field


def _flags(kind: str) -> Any:
    return getattr(import_module('flatbuffers.number_types'), f'{kind}Flags')
