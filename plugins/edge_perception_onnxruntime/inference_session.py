# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Sessions of ONNX Runtime and what they say of their tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.contract import ArtifactError
from edge_perception.contract import LoadTrial
from edge_perception.contract import read_artifact
from edge_perception.contract import TensorSpec
from edge_perception.contract import try_load
from edge_perception.contract.loading.processor import computes_float16
from edge_perception_onnxruntime.errors import artifact_error
from edge_perception_onnxruntime.errors import gpu_error
from edge_perception_onnxruntime.library import CPU_PROVIDER
from edge_perception_onnxruntime.library import ENGINE
from edge_perception_onnxruntime.library import find_provider
from edge_perception_onnxruntime.library import load_library
from edge_perception_onnxruntime.library import LOG_ERRORS
from edge_perception_onnxruntime.library import LOG_NOTHING
from edge_perception_onnxruntime.library import provider_failed
from edge_perception_onnxruntime.library import runtime_version
from edge_perception_onnxruntime.options import OnnxRuntimeOptions
from edge_perception_onnxruntime.providers import check_options
from edge_perception_onnxruntime.providers import devices_taken
from edge_perception_onnxruntime.providers import provider_list
from edge_perception_onnxruntime.providers import RECORD_ASSIGNMENT
from edge_perception_onnxruntime.weights import holds_float16

TRIAL_SCRIPT = Path(__file__).with_name('trial_script.py')
# YOLOX-nano, 4 MB, takes 0.1 s to load and run once on one x86-64 core.
TRIAL_CPU_S, TRIAL_CPU_S_PER_MB = 4, 1
AUTO_LEVEL = 'auto'
GRAPH_LEVELS = {
    'disable': 'ORT_DISABLE_ALL',
    'basic': 'ORT_ENABLE_BASIC',
    'extended': 'ORT_ENABLE_EXTENDED',
    'all': 'ORT_ENABLE_ALL',
}
DTYPES = {
    f'tensor({name})': np.dtype({'float': 'float32', 'double': 'float64'}.get(name, name))
    for name in (
        *('float', 'double', 'float16', 'bool', 'int8', 'int16', 'int32', 'int64'),
        *('uint8', 'uint16', 'uint32', 'uint64'),
    )
}


def open_session(
    artifact: Path, options: OnnxRuntimeOptions, image_shape: tuple[int, ...] | None = None
) -> Any:
    """
    Load a model on the provider that was asked for, and on no other.

    :param image_shape: with which a trial on the CPU runs it once; None only loads it.
    :raises EngineUnavailableError: the library, the provider or its GPU is missing.
    :raises OptionError: an option is not one of this provider.
    :raises ArtifactError: the file cannot be loaded.
    """
    library = load_library()
    provider = find_provider(library, options.provider)
    check_options(options)
    content = read_artifact(artifact)
    options = replace(options, graph_level=_graph_level(options, provider, content))
    _try(artifact, content, library, options, image_shape if provider == CPU_PROVIDER else None)
    try:
        session = library.InferenceSession(
            str(artifact),
            _settings(library, provider, options),
            providers=provider_list(provider, options, here=library.get_available_providers()),
            enable_fallback=0,
        )
    except Exception as error:
        raise (
            gpu_error(error, options)
            or artifact_error(artifact, error, runtime=runtime_version(library))
        ) from error
    if session.get_providers()[0] != provider:
        raise provider_failed(library, provider)
    return session


def _graph_level(options: OnnxRuntimeOptions, provider: str, content: bytes) -> str:
    """Return the graph level that the option names, or stands for."""
    if options.graph_level != AUTO_LEVEL:
        return options.graph_level
    native = provider == CPU_PROVIDER and computes_float16() and holds_float16(content)
    # At level all, ONNX Runtime 1.32 has no kernel in float16 for nhwc.MaxPool, which it makes.
    return 'extended' if native else 'all'


def _try(
    artifact: Path,
    content: bytes,
    library: Any,
    options: OnnxRuntimeOptions,
    shape: tuple[int, ...] | None,
) -> None:
    trial = LoadTrial(
        ENGINE,
        runtime_version(library),
        TRIAL_SCRIPT,
        request={
            'graph_level': GRAPH_LEVELS[options.graph_level],
            'log_level': LOG_NOTHING,
            'shape': shape and list(shape),
        },
        cpu_s=TRIAL_CPU_S + TRIAL_CPU_S_PER_MB * (len(content) >> 20),
    )
    try_load(trial, artifact, content)  # what it refuses in words, it refuses here as well


def _settings(library: Any, provider: str, options: OnnxRuntimeOptions) -> Any:
    settings = library.SessionOptions()
    # On the CPU a failure comes as an exception; why a GPU does not start is only in the log.
    settings.log_severity_level = LOG_NOTHING if provider == CPU_PROVIDER else LOG_ERRORS
    settings.intra_op_num_threads = options.threads
    settings.graph_optimization_level = getattr(
        library.GraphOptimizationLevel, GRAPH_LEVELS[options.graph_level]
    )
    spinning = '1' if options.spinning else '0'
    settings.add_session_config_entry('session.intra_op.allow_spinning', spinning)
    settings.add_session_config_entry('session.inter_op.allow_spinning', spinning)
    settings.add_session_config_entry(RECORD_ASSIGNMENT, '0' if provider == CPU_PROVIDER else '1')
    return settings


def device_of(session: Any, options: OnnxRuntimeOptions) -> str:
    """
    Return what really computes a session, for people.

    :raises EngineUnavailableError: not what was asked for.
    """
    provider = session.get_providers()[0]
    return 'cpu' if provider == CPU_PROVIDER else devices_taken(session, provider, options)


def tensor_specs(artifact: Path, nodes: Any, sizes: Mapping[str, int]) -> tuple[TensorSpec, ...]:
    """
    Translate what a session says of its inputs or outputs.

    :param sizes: of dimensions that have a name instead of a number; others become -1.
    :raises ArtifactError: one is no tensor of numbers.
    """
    for node in nodes:
        if node.type not in DTYPES:
            raise ArtifactError(
                artifact,
                reason=f'{node.name!r} is a {node.type}, expected a tensor of numbers',
                remedy='export the model with plain tensors as its inputs and outputs',
            )
    return tuple(
        TensorSpec(
            node.name,
            tuple(size if isinstance(size, int) else sizes.get(size, -1) for size in node.shape),
            DTYPES[node.type],
        )
        for node in nodes
    )
