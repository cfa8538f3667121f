# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
What a TFLite file says of itself, read without the runtime, which a damaged file can kill.

Source of the numbers: schema.fbs of LiteRT (TensorFlow Lite), version 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
import math
from pathlib import Path

import numpy as np

from edge_perception.contract import ArtifactError
from edge_perception.contract import Quantization
from edge_perception.contract import TensorSpec
from edge_perception_litert.errors import damaged
from edge_perception_litert.flatbuffer import Table

# Fields of the tables.
MODEL_OPERATOR_CODES, MODEL_SUBGRAPHS, MODEL_BUFFERS, MODEL_METADATA = 1, 2, 4, 6
SUBGRAPH_TENSORS, SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS, SUBGRAPH_OPERATORS = range(4)
CODE_OLD_BUILTIN, CODE_CUSTOM, _, CODE_BUILTIN = range(4)
TENSOR_SHAPE, TENSOR_TYPE, _, TENSOR_NAME, TENSOR_QUANTIZATION = range(5)
TENSOR_SHAPE_SIGNATURE = 7
QUANTIZATION_SCALE, QUANTIZATION_ZERO_POINT = 2, 3
METADATA_NAME, METADATA_BUFFER = range(2)
BUFFER_DATA = 0
OPERATOR_CODE = 0

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
        # The old field is a byte, and newer operators have larger numbers.
        old, new = codes[index].number(CODE_OLD_BUILTIN, 'Int8'), codes[index].number(CODE_BUILTIN)
        builtin[max(old, new)] += count
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
            reason=f'{name!r} is a tensor of type {number}, expected one of numbers',
            remedy='convert the model with plain tensors as its inputs and outputs',
        )
    dtype = np.dtype(DTYPES[number])
    fixed, signature = tensor.numbers(TENSOR_SHAPE), tensor.numbers(TENSOR_SHAPE_SIGNATURE)
    shape = tuple(signature if len(signature) == len(fixed) else fixed)
    return TensorSpec(name, shape, dtype, _quantization(tensor, dtype))


def _quantization(tensor: Table, dtype: np.dtype[np.generic]) -> Quantization | None:
    """Return how whole numbers stand for real ones; None also where channels differ in that."""
    parameters = tensor.table(TENSOR_QUANTIZATION)
    if parameters is None or dtype.kind not in 'iu':
        return None
    scales = parameters.numbers(QUANTIZATION_SCALE, 'Float32')
    zero_points = parameters.numbers(QUANTIZATION_ZERO_POINT, 'Int64')
    if len(scales) != 1 or len(zero_points) != 1 or not 0 < scales[0] < math.inf:
        return None
    return Quantization(scale=float(scales[0]), zero_point=int(zero_points[0]))
