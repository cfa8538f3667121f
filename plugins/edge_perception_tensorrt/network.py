# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Parse the ONNX of a build, and check its input and its quantization."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge_perception.contract import BuildError
from edge_perception.contract import check_input
from edge_perception.contract import ModelManifest
from edge_perception.contract import TensorMismatchError
from edge_perception.contract import TensorSpec
from edge_perception_tensorrt.library import logged_errors
from edge_perception_tensorrt.library import vendor_logger
from edge_perception_tensorrt.library import version_numbers
from edge_perception_tensorrt.loaded_plan import DTYPES

if TYPE_CHECKING:
    import tensorrt as trt

# From here on the flags for precision are deprecated, and gone in 11: a model is computed in the
# types that its ONNX has.
STRONGLY_TYPED_SINCE = (10, 12)
SHOWN_ERRORS = 3


def is_strongly_typed(version: str) -> bool:
    """Tell whether this TensorRT computes in the types of the ONNX."""
    return version_numbers(version) >= STRONGLY_TYPED_SINCE


def parse_network(
    builder: trt.Builder, source: Path, version: str
) -> tuple[trt.INetworkDefinition, trt.OnnxParser]:
    """
    Read an ONNX file and its external data.

    :return: the model, and the parser, which owns its weights.
    :raises BuildError: TensorRT cannot read it.
    """
    import tensorrt as trt

    network = builder.create_network(_creation_flags(version))
    parser = trt.OnnxParser(network, vendor_logger())
    logged_errors.clear()
    if not parser.parse_from_file(str(source)):
        raise BuildError(
            f'{source}: TensorRT {version} cannot read it: {_parser_errors(parser)}; export the '
            'model with opset 17 or lower and standard operators, or use another target'
        )
    return network, parser


def _creation_flags(version: str) -> int:
    import tensorrt as trt

    flags = trt.NetworkDefinitionCreationFlag
    if is_strongly_typed(version):
        # TensorRT 11 knows no other networks, and may forget the flag.
        wanted = getattr(flags, 'STRONGLY_TYPED', None)
    else:
        # Before TensorRT 10 a model had an implicit batch unless told otherwise.
        wanted = (
            getattr(flags, 'EXPLICIT_BATCH', None) if version_numbers(version) < (10,) else None
        )
    return 0 if wanted is None else 1 << int(wanted)


def _parser_errors(parser: trt.OnnxParser) -> str:
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    texts = [f'node {error.node()}: {" ".join(error.desc().split())}' for error in errors]
    texts = list(dict.fromkeys(texts))
    more = f' (and {len(texts) - SHOWN_ERRORS} more)' if len(texts) > SHOWN_ERRORS else ''
    return '; '.join(texts[:SHOWN_ERRORS]) + more or logged_errors.text()


def image_input(network: trt.INetworkDefinition, manifest: ModelManifest) -> TensorSpec:
    """
    Return the only input of a model, with every size known.

    :raises BuildError: it is not what the manifest says, or there are others.
    """
    specs = []
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        if tensor.dtype.name not in DTYPES:
            raise BuildError(
                f'input {tensor.name!r}: is of type {tensor.dtype.name}, expected one that NumPy '
                'has; export the model with float32 inputs'
            )
        specs.append(TensorSpec(tensor.name, tuple(tensor.shape), DTYPES[tensor.dtype.name]))
    try:
        image = check_input(manifest, tuple(specs))
    except TensorMismatchError as error:
        raise BuildError(str(error)) from error
    others = [spec.name for spec in specs if spec.name != image.name]
    if others:
        raise BuildError(
            f'input {others[0]!r}: got it beside the image {image.name!r}, expected the image '
            'alone; export the model with the image as its only input'
        )
    return image


def open_inputs(network: trt.INetworkDefinition) -> bool:
    """Tell whether an input has a size that is only known at run time."""
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    return any(-1 in tuple(tensor.shape) for tensor in inputs)


def has_quantized_layers(network: trt.INetworkDefinition) -> bool:
    """Tell whether a model says itself what is computed in int8."""
    import tensorrt as trt

    layers = (network.get_layer(index) for index in range(network.num_layers))
    return any(layer.type == trt.LayerType.QUANTIZE for layer in layers)
