# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Write an ONNX as every builder can take it: checked, fixed shapes, folded, a usual opset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
import logging
import os
from pathlib import Path
from typing import Any
import warnings

from edge_perception.contract import BuildError
from edge_perception.contract import ModelManifest
from edge_perception.contract.errors import in_words
from edge_perception.models.digests import external_files

# What TensorRT 8.6 to 11 and OpenVINO 2022.3 read alike.
OPSET = 17
OLDEST_OPSET = 7
# The first in which weights are quantized by channel; a file from there on may keep its own.
QUANTIZABLE_OPSET = 13
# Every build needs these.
PACKAGES = ('onnx', 'onnxslim', 'onnxruntime')


def simplify(source: Path, target: Path, manifest: ModelManifest) -> str:
    """
    Write the simplified ONNX, weights inside, and return what was done in words.

    :param manifest: gives the sizes that the file leaves open.
    :raises BuildError: the file is no ONNX, its weights are missing, it has another shape than the
        manifest, or an opset that is too new or too old.
    """
    onnx = library('onnx')
    onnxslim = library('onnxslim')
    _check_weights(source)
    try:
        model = onnx.load(str(source))
    except Exception as error:  # protobuf, file system, weights: no base in common
        words = in_words(error)[:300]
        raise BuildError(
            f'{source}: is not an ONNX file, or is damaged: {words}; export it again'
        ) from error
    _check_versions(onnx, source, model)
    _check_operators(onnx, source, model)
    nodes = len(model.graph.node)
    _drop_weights_from_inputs(model)
    _fix_shapes(source, model, manifest)
    try:
        with quiet():
            model = _slimmed(onnx, onnxslim, model)
    except Exception as error:
        raise BuildError(
            f'{source}: cannot be brought to opset {OPSET}: {in_words(error)[:300]}; '
            f'export it with opset {OPSET}'
        ) from error
    _name_nodes(model)
    save(onnx, model, target)
    return f'simplified from {nodes} to {len(model.graph.node)} operators, opset {_opset(model)}'


def to_half(source: Path, target: Path) -> None:
    """
    Write a float16 version of a simplified ONNX; inputs and outputs stay as they are.

    :raises BuildError: the library is missing, or an operator cannot be converted.
    """
    onnx = library('onnx')
    float16 = library('onnxconverter_common.float16')
    try:
        with warnings.catch_warnings():
            # One for each weight that is too small for float16; the gate tells whether it matters.
            warnings.simplefilter('ignore')
            model = float16.convert_float_to_float16(
                onnx.load(str(source)), keep_io_types=True, disable_shape_infer=False
            )
    except Exception as error:
        problem = f'cannot be converted to float16: {in_words(error)[:300]}'
        raise BuildError(f'{source.name}: {problem}') from error
    # The types that were written down for what lies between two converted nodes are old ones.
    del model.graph.value_info[:]
    save(onnx, model, target)


def library(name: str) -> Any:
    """
    Return a module that the offline tools need.

    :raises BuildError: it is missing, with what to install.
    """
    # Merely importing ONNX Runtime 1.31 stores an event for its vendor, unless this is set.
    os.environ['ORT_DISABLE_TELEMETRY'] = '1'
    try:
        with quiet():
            return import_module(name)
    except ImportError as error:
        # What a package needs in turn comes with it.
        package = name.partition('.')[0].replace('_', '-')
        needed = ' '.join(PACKAGES) if package in PACKAGES else package
        missing = (error.name or name).partition('.')[0]
        raise BuildError(
            f'the Python package {missing} is missing; install it: pip install {needed}'
        ) from error


def save(onnx: Any, model: Any, target: Path) -> None:
    """
    Write an ONNX file.

    :raises BuildError: it does not fit on the disk, or exceeds what one file can hold.
    """
    try:
        onnx.save(model, str(target))
    except OSError as error:
        raise BuildError(
            f'{target}: cannot be written: {error.strerror or error}; free some space or set '
            'XDG_CACHE_HOME to another disk'
        ) from error
    except ValueError as error:  # protobuf: more than 2 GiB
        raise BuildError(f'{target}: is too big for one file: {in_words(error)[:300]}') from error


def _check_weights(source: Path) -> None:
    try:
        external_files(source)
    except Exception as error:
        raise BuildError(str(error)) from error


def _slimmed(onnx: Any, onnxslim: Any, model: Any) -> Any:
    """
    Return the model folded and checked, in ``OPSET`` where that can be done.

    Exporters of today write 18 to 20, of which some operators, e.g. Split, have no way back. Such
    a model keeps its opset; runtimes that are too old for it say so when they load it.

    :raises Exception: whatever the libraries raise.
    """
    if _opset(model) != OPSET:
        try:
            usual = onnxslim.slim(onnx.version_converter.convert_version(model, OPSET))
            onnx.checker.check_model(usual, full_check=True)
            return usual
        except Exception:  # the C++ of the library raises RuntimeError, what follows anything
            if _opset(model) < QUANTIZABLE_OPSET:
                raise
    model = onnxslim.slim(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def _opset(model: Any) -> int:
    return next((e.version for e in model.opset_import if e.domain in ('', 'ai.onnx')), 0)


def _check_versions(onnx: Any, source: Path, model: Any) -> None:
    if model.ir_version > onnx.IR_VERSION:
        raise BuildError(
            f'{source}: has version {model.ir_version} of the file format, expected at most '
            f'{onnx.IR_VERSION}, which onnx {onnx.__version__} knows; export it with opset {OPSET}'
        )
    opset, newest = _opset(model), onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        known = f'{OLDEST_OPSET} to {newest}, which onnx {onnx.__version__} knows'
        raise BuildError(
            f'{source}: has opset {opset}, expected {known}; export it with opset {OPSET}'
        )


def _check_operators(onnx: Any, source: Path, model: Any) -> None:
    """Those of other domains are for the engine to judge; it may have them."""
    for node in model.graph.node:
        if node.domain in ('', 'ai.onnx') and not onnx.defs.has(node.op_type):
            raise BuildError(
                f'{source}: uses the operator {node.op_type!r}, which ONNX does not have; export '
                'it with standard operators'
            )


def _drop_weights_from_inputs(model: Any) -> None:
    """Remove weights from the inputs: no runtime may fold what is an input."""
    weights = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)


def _fix_shapes(source: Path, model: Any, manifest: ModelManifest) -> None:
    """Put the size of the manifest where the file leaves one open."""
    image, fixed = _image_input(source, model, manifest), False
    for dimension, size in zip(image.type.tensor_type.shape.dim, manifest.input.shape):
        if not dimension.HasField('dim_value') or dimension.dim_value <= 0:
            dimension.ClearField('dim_param')
            dimension.dim_value = size
            fixed = True
        elif dimension.dim_value != size:
            given = 'x'.join(map(str, manifest.input.shape))
            raise BuildError(
                f'{source}: the input {image.name!r} has {dimension.dim_value} where the '
                f'manifest says {given}; correct input.width, height, layout or color'
            )
    if fixed:
        _forget_old_shapes(model)


def _image_input(source: Path, model: Any, manifest: ModelManifest) -> Any:
    """Return the input of a model that takes one image and nothing else."""
    wanted = manifest.input.name
    images = [each for each in model.graph.input if wanted in ('', each.name)]
    if len(images) != 1 or len(model.graph.input) != 1:
        names = ', '.join(each.name for each in model.graph.input) or 'none'
        raise BuildError(
            f'{source}: has the inputs {names}, expected the image alone'
            + (f' as {wanted!r}' if wanted else '')
            + '; correct input.name of the manifest or export it again'
        )
    (image,) = images
    dimensions = image.type.tensor_type.shape.dim
    if len(dimensions) != 4:
        raise BuildError(
            f'{source}: the input {image.name!r} has {len(dimensions)} dimensions, expected '
            '4; export it with an image as input'
        )
    if dimensions[0].dim_value > 1:
        raise BuildError(
            f'{source}: the input {image.name!r} takes {dimensions[0].dim_value} images at a '
            'time, expected 1; export it with a batch of 1'
        )
    return image


def _forget_old_shapes(model: Any) -> None:
    """Shapes inside follow from the input; those that were written down may have open sizes."""
    del model.graph.value_info[:]
    for output in model.graph.output:
        for dimension in output.type.tensor_type.shape.dim:
            dimension.Clear()


def _name_nodes(model: Any) -> None:
    """Quantizers tell layers apart by name, and exporters leave some without."""
    taken: set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = f'{node.op_type}_{index}_'
        taken.add(node.name)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep converters from writing what our own sentences say."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)
