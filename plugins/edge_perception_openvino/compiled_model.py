# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Read, describe, resize and compile models with OpenVINO."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import LoadTrial
from edge_perception.contract import read_artifact
from edge_perception.contract import TensorMismatchError
from edge_perception.contract import TensorSpec
from edge_perception.contract import try_load
from edge_perception_openvino import devices
from edge_perception_openvino.errors import artifact_error
from edge_perception_openvino.errors import device_error
from edge_perception_openvino.errors import one_line
from edge_perception_openvino.library import ENGINE
from edge_perception_openvino.library import runtime_version
from edge_perception_openvino.options import OpenVinoOptions

TRIAL_SCRIPT = Path(__file__).with_name('trial_script.py')
DTYPES: dict[str, np.dtype[Any]] = {
    'f16': np.dtype(np.float16),
    'f32': np.dtype(np.float32),
    'f64': np.dtype(np.float64),
    'boolean': np.dtype(np.bool_),
    **{f'i{bits}': np.dtype(f'int{bits}') for bits in (8, 16, 32, 64)},
    **{f'u{bits}': np.dtype(f'uint{bits}') for bits in (8, 16, 32, 64)},
}
# What OpenVINO adds to the name of an output where it needs a name for its node.
RESULT_SUFFIX = '/sink_port_0'


def read_model(library: Any, core: Any, artifact: Path) -> Any:
    """
    Read a model.

    :raises ArtifactError: the file cannot be read.
    :raises EngineUnavailableError: there is no child process in which it can be tried first.
    """
    content = read_artifact(artifact)
    weights = artifact.with_suffix('.bin')
    # A model without weights has an empty one.
    if artifact.suffix == '.xml' and weights.exists() and not _is_empty(weights):
        read_artifact(weights)
    runtime = runtime_version(library)
    trial = LoadTrial(ENGINE, runtime, TRIAL_SCRIPT, request={'library': library.__name__})
    # A failure is not tried again here, where the readers of other formats would print theirs.
    outcome = try_load(trial, artifact, content)
    if outcome.stage:
        raise artifact_error(artifact, outcome.error, runtime=runtime)
    try:
        return core.read_model(str(artifact))
    except Exception as error:
        raise artifact_error(artifact, str(error), runtime=runtime) from error


def _is_empty(file: Path) -> bool:
    return file.is_file() and not file.stat().st_size


def tensor_specs(
    artifact: Path, model: Any
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """
    Describe inputs and outputs.

    :raises ArtifactError: one is no tensor of numbers, or quantized with an unknown scale.
    """
    outputs = list(_specs(artifact, model.outputs, 'output', taken=()))
    # 2022.3 gives an input that goes straight through the name of the output as well.
    taken = tuple(spec.name for spec in outputs)
    inputs = list(_specs(artifact, model.inputs, 'input', taken=taken))
    for spec in outputs:
        if artifact.suffix == '.tflite' and spec.dtype.itemsize == 1 and spec.dtype != bool:
            raise ArtifactError(
                artifact,
                reason=f'has the quantized output {spec.name!r} without its scale',
                remedy='use the engine litert',
            )
    return tuple(inputs), tuple(outputs)


def set_input_shapes(artifact: Path, model: Any, shapes: Mapping[int, tuple[int, ...]]) -> None:
    """
    Give the inputs of a model their sizes; sizes of outputs follow.

    :param shapes: by the positions of all inputs, the image first.
    :raises TensorMismatchError: the model cannot take it.
    """
    ports = {model.inputs[position]: list(shape) for position, shape in shapes.items()}
    if all(port.get_partial_shape().is_static for port in ports):
        return
    port, shape = next(iter(ports.items()))
    try:
        model.reshape(ports)
    except Exception as error:
        raise TensorMismatchError(
            next(iter(port.get_names()), 'input'),
            got='x'.join(map(str, shape)) + ' from the manifest',
            expected=f'a size that the model takes: {one_line(str(error))}',
            remedy='correct input.width and input.height of the manifest',
        ) from error


def takes_batches(model: Any, shape: tuple[int, ...]) -> bool:
    """Tell whether the first size of a model is open, and that of all outputs follows it."""
    port = model.inputs[0]
    opened = port.get_partial_shape()
    if opened.rank.is_static and opened[0].is_static:
        return False
    try:
        model.reshape({port: [2, *shape[1:]]})
        sizes = [_shape(each.get_partial_shape(), 'output') for each in model.outputs]
        return all(size[:1] == (2,) and -1 not in size for size in sizes)
    except Exception:  # whatever it is, it takes no batches
        return False
    finally:
        model.reshape({port: opened})


def is_static(model: Any) -> bool:
    """Tell whether every size in the model is known, and none follows from the image."""
    return all(
        port.get_partial_shape().is_static for node in model.get_ops() for port in node.outputs()
    )


def compile_model(
    library: Any, core: Any, model: Any, *, artifact: Path, options: OpenVinoOptions
) -> Any:
    """
    Compile a model for the device that was asked for, and for no other.

    :raises EngineUnavailableError: the device is missing, or cannot do what the options say.
    :raises OptionError: the folder for compiled models cannot be used.
    :raises ArtifactError: the device cannot compute the model.
    """
    device = devices.device_string(options)
    runtime = runtime_version(library)
    if not all(devices.named_devices(device)):
        raise EngineUnavailableError(
            ENGINE,
            reason=f'device {options.device!r} names no device, and there are '
            + ', '.join(core.available_devices),
            remedy='correct the option device',
        )
    try:
        devices.configure(library, core, options)
        compiled = core.compile_model(model, device, devices.network_settings(core, options))
    except RuntimeError as error:
        found = core.available_devices
        unavailable = device_error(device, str(error), runtime=runtime, found=found)
        if unavailable is not None:
            raise unavailable from error
        raise ArtifactError(
            artifact,
            reason=f'{runtime} cannot compile it for {device}: {one_line(str(error))}',
            remedy='use another device or precision (options device and precision), or another '
            'engine',
        ) from error
    devices.check_precision(compiled, options)
    return compiled


def metadata(model: Any) -> dict[str, str]:
    """Return the metadata of the training tool; 2022.3 reads none from ONNX files."""
    found: dict[str, str] = {}
    # properties of an ONNX file, and what Ultralytics and others write into an IR
    for section in ('framework', 'model_info'):
        try:
            values = model.get_rt_info([section])
        except (AttributeError, RuntimeError, TypeError):
            continue  # there is none, or this version has no means to read it
        values = getattr(values, 'value', values)
        if isinstance(values, dict):
            found.update({name: str(_plain(value)) for name, value in values.items()})
    return found


def _plain(value: Any) -> Any:
    return getattr(value, 'value', value)


def _specs(
    artifact: Path, ports: Iterable[Any], side: str, *, taken: tuple[str, ...]
) -> Iterable[TensorSpec]:
    used = set(taken)
    for index, port in enumerate(ports):
        name = _name(port, used) or f'{side}_{index}'
        used.add(name)
        kind = port.get_element_type().get_type_name()
        if kind not in DTYPES:
            raise ArtifactError(
                artifact,
                reason=f'{name!r} is a tensor of {kind}, expected one of numbers that NumPy has',
                remedy='export the model with float32 or float16 inputs and outputs',
            )
        yield TensorSpec(name, _shape(port.get_partial_shape(), side), DTYPES[kind])


def _name(port: Any, used: set[str]) -> str:
    """Return the name of a port: it may have several, which it may share, or none."""
    names = port.get_names()
    free = names - used or names
    node = port.get_node().get_friendly_name()
    own = node[: -len(RESULT_SUFFIX)] if node.endswith(RESULT_SUFFIX) else node
    return own if own in free else min(free, default='')


def _shape(partial: Any, side: str) -> tuple[int, ...]:
    if partial.rank.is_dynamic:
        # An image; of an output nothing is known.
        return (-1,) * 4 if side == 'input' else ()
    return tuple(-1 if size.is_dynamic else size.get_length() for size in partial)
