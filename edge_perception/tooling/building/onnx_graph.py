# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Look into an ONNX file without running it, by the library ``onnx``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from edge_perception.contract import ArtifactError
from edge_perception.contract import ModelDescription
from edge_perception.contract import TensorSpec
from edge_perception.contract.errors import in_words

LIBRARY = "the Python package 'onnx'"
REMEDY = 'install it: pip install onnx'
AGAIN = 'export or download it again'
STANDARD_DOMAINS = ('', 'ai.onnx', 'ai.onnx.ml')


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """
    What an ONNX file holds.

    :param opsets: version of each operator domain; the standard domain is called ``ai.onnx``.
    :param operators: how often each operator occurs, the most frequent first; sub-graphs count.
        Operators of other domains carry the domain, e.g. ``com.microsoft.QLinearAdd``.
    :param parameters: numbers in the stored weights.
    :param external_data: files beside the model that hold weights.
    """

    ir_version: int
    opsets: Mapping[str, int]
    producer: str
    operators: Mapping[str, int]
    parameters: int
    external_data: tuple[str, ...]
    description: ModelDescription


def can_read_graphs() -> bool:
    """Tell whether the library is there; quick, it is not imported."""
    return find_spec('onnx') is not None


def read_graph(path: Path) -> OnnxGraph:
    """
    Read the structure of an ONNX file; weights in other files are not opened.

    :raises ArtifactError: the file is no ONNX model, or the library ``onnx`` is missing.
    """
    onnx = _library(path)
    try:
        model = onnx.load(str(path), load_external_data=False)
    # The library lets the errors of its protobuf version through, which share no base.
    except Exception as error:
        reason = f'cannot be read as ONNX: {in_words(error)}'
        raise ArtifactError(path, reason=reason, remedy=AGAIN) from error
    if not model.graph.node and not model.graph.output:
        raise ArtifactError(path, reason='holds no ONNX graph', remedy=AGAIN)
    weights = [*model.graph.initializer]
    stored = {weight.name for weight in weights}
    return OnnxGraph(
        ir_version=model.ir_version,
        opsets={each.domain or 'ai.onnx': each.version for each in model.opset_import},
        producer=' '.join(filter(None, (model.producer_name, model.producer_version))),
        operators=dict(Counter(_operators(model.graph)).most_common()),
        parameters=sum(math.prod(weight.dims) for weight in weights),
        external_data=_external(weights),
        description=ModelDescription(
            # Old files repeat every weight among the inputs.
            inputs=_specs(onnx, (each for each in model.graph.input if each.name not in stored)),
            outputs=_specs(onnx, model.graph.output),
            metadata={each.key: each.value for each in model.metadata_props},
        ),
    )


def _library(path: Path) -> ModuleType:
    try:
        import onnx
    except ImportError as error:
        raise ArtifactError(path, reason=f'{LIBRARY} is missing', remedy=REMEDY) from error
    return onnx


def _operators(graph: Any) -> Iterator[str]:
    for node in graph.node:
        standard = node.domain in STANDARD_DOMAINS
        yield node.op_type if standard else f'{node.domain}.{node.op_type}'
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _operators(inner)


def _external(weights: Iterable[Any]) -> tuple[str, ...]:
    files = {
        entry.value
        for weight in weights
        for entry in weight.external_data
        if entry.key == 'location'
    }
    return tuple(sorted(files))


def _specs(onnx: ModuleType, values: Iterable[Any]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(value.name, _shape(value.type.tensor_type), _dtype(onnx, value.type))
        for value in values
    )


def _shape(tensor: Any) -> tuple[int, ...]:
    """Return the sizes, -1 for those that have a name or nothing instead of a number."""
    return tuple(
        size.dim_value if size.HasField('dim_value') and size.dim_value > 0 else -1
        for size in tensor.shape.dim
    )


def _dtype(onnx: ModuleType, kind: Any) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = onnx.helper.tensor_dtype_to_np_dtype(kind.tensor_type.elem_type)
    except (KeyError, TypeError):  # a sequence, a map, or a type that NumPy does not have
        return np.dtype(object)
    return dtype
