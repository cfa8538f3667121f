# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Explain what TensorRT logs when it fails, in one sentence each."""

from __future__ import annotations

from pathlib import Path
import re

from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineError
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import explained
from edge_perception_tensorrt.cuda import CudaError
from edge_perception_tensorrt.cuda import ENGINE
from edge_perception_tensorrt.cuda import OUT_OF_MEMORY
from edge_perception_tensorrt.plan import BUILD_AGAIN
from edge_perception_tensorrt.plan import COPY_AGAIN

NEEDS_PLUGIN = 'has operators that are in a plugin of TensorRT, which is not here'
OTHER_OPERATORS = 'export the model with standard ONNX operators only'

# What TensorRT 8 to 10 logs of a plan (issues 1384, 1736, 1913 and 2195 of NVIDIA/TensorRT on
# GitHub), what is wrong, what to do.
_EXPLANATIONS = (
    (
        r'Version tag does not match',
        'was built by another TensorRT than {version}, which is the one here',
        BUILD_AGAIN,
    ),
    (r'Magic tag does not match', 'is not a TensorRT plan', BUILD_AGAIN),
    (r'Size specified in header does not match', 'is not complete', COPY_AGAIN),
    (
        r'incompatible device, expecting compute ([\d.]+) got compute ([\d.]+)',
        'was built for a GPU of compute capability {1}, and this one has {0}',
        BUILD_AGAIN,
    ),
    (r'[Cc]annot find plugin: (\w+)|could not find plugin (\w+)', NEEDS_PLUGIN, OTHER_OPERATORS),
    (r'IPluginCreator not found', NEEDS_PLUGIN, OTHER_OPERATORS),
)
_OUT_OF_MEMORY = re.compile(r'out of memory|OutOfMemory', re.IGNORECASE)
_CUDA_INITIALIZATION = re.compile(r'CUDA initialization failure with error: (\d+)')
# cudaErrorInsufficientDriver and cudaErrorNoDevice of driver_types.h.
_CUDA_REASONS = {
    '35': (
        'there is no NVIDIA driver, or it is older than the CUDA of this TensorRT',
        'install a newer NVIDIA driver, or a TensorRT for the CUDA version of this one',
    ),
    '100': (
        'the CUDA driver finds no GPU',
        'plug it in; in a container start it with --gpus all',
    ),
}


def plan_refused(artifact: Path, text: str, *, version: str) -> EngineError:
    """
    Return the error for a plan that TensorRT did not load.

    :param text: what it logged.
    :param version: of TensorRT.
    """
    if _OUT_OF_MEMORY.search(text):
        return out_of_memory(artifact, text)
    otherwise = f'TensorRT {version} cannot load it: {text}', BUILD_AGAIN
    reason, remedy = explained(text, _EXPLANATIONS, version=version) or otherwise
    return ArtifactError(artifact, reason=reason, remedy=remedy)


def runtime_failed(text: str) -> EngineUnavailableError:
    """Return the error for a TensorRT that does not start; it tries CUDA first of all."""
    found = _CUDA_INITIALIZATION.search(text)
    reason, remedy = _CUDA_REASONS.get(
        found[1] if found else '',
        (f'TensorRT does not start: {text}', 'install the NVIDIA driver that it wants'),
    )
    return EngineUnavailableError(ENGINE, reason=reason, remedy=remedy)


def cuda_failed(artifact: Path, error: CudaError) -> EngineError:
    """Return the error for CUDA that failed while a plan was loaded or got its memory."""
    if error.code == OUT_OF_MEMORY:
        return out_of_memory(artifact, str(error))
    return EngineUnavailableError(
        ENGINE,
        reason=f'{artifact}: {error}',
        remedy='start the process again; if that does not help, restart the machine',
    )


def out_of_memory(artifact: Path, text: str) -> EngineUnavailableError:
    """Return the error for a GPU whose memory is full."""
    return EngineUnavailableError(
        ENGINE,
        reason=f'{artifact} does not fit into the memory of the GPU that is free: {text}',
        remedy='end other programs that use the GPU, or build it in fp16 or int8',
    )
