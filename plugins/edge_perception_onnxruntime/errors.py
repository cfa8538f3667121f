# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Explain errors of ONNX Runtime in one sentence each."""

from __future__ import annotations

from pathlib import Path
import re

from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import explained
from edge_perception.contract.loading.artifact_files import EXPORT_AGAIN
from edge_perception_onnxruntime.library import ENGINE
from edge_perception_onnxruntime.library import short_name
from edge_perception_onnxruntime.options import OnnxRuntimeOptions
from edge_perception_onnxruntime.providers import READERS

OTHER_OPSET = 'export the model with a lower opset, or install a newer onnxruntime'
OTHER_OPERATOR = (
    'export the model with standard ONNX operators only, or use an engine that has this one'
)
# What CUDA says through ONNX Runtime (1.8 and later) of a GPU that is not there, or full.
GPU_FAULT = re.compile(
    r'CUDA failure \d+: [^;]*[^; ]|invalid device ordinal|out of memory'
    r'|Failed to allocate memory for requested buffer'
)

# What ONNX Runtime says (1.23 and 1.31), what is wrong, what to do.
_EXPLANATIONS = (
    (
        r'No Op registered for (\S+) with domain_version of (\d+)',
        'uses the operator {0}, which opset {1} does not have',
        OTHER_OPERATOR,
    ),
    (
        r'(\S+?):(\S+?)\(-?\d+\) is not a registered function/op',
        'uses the operator {1} of {0}, which is not in this runtime',
        OTHER_OPERATOR,
    ),
    (
        r'In Node, \("[^"]*", (\w+), .*No opset import for domain \'(.+?)\'',
        'uses the operator {0} of {1}, which is not in this runtime',
        OTHER_OPERATOR,
    ),
    (
        r'Could not find an implementation for (\w+)\((\d+)\)',
        'uses the operator {0} (opset {1}) with data types that this runtime cannot compute',
        'export the model with float32 or float16, or use another provider',
    ),
    (
        r'Opset (\d+) is under development.*till opset (\d+)',
        'has opset {0}, and this runtime ends at {1}',
        OTHER_OPSET,
    ),
    (
        r'Unsupported model IR version: (\d+), max supported IR version: (\d+)',
        'has ONNX IR version {0}, and this runtime ends at {1}',
        OTHER_OPSET,
    ),
    (
        r'Protobuf parsing failed|No graph was found',
        'is not an ONNX file, or a part of it is missing',
        EXPORT_AGAIN,
    ),
    (
        r'ORT model verification failed|Invalid ORT format',
        'is not a file in ORT format, or a part of it is missing',
        EXPORT_AGAIN,
    ),
    (
        r'External data path does not exist: "([^"]+)"|No such file or directory \[([^\]]+)\]',
        'keeps its weights in {0}, which does not exist',
        'copy that file as well, or export the model into one file',
    ),
    (
        r'In Node, \("([^"]*)", (\w+), .*?Error (.+)',
        'has an operator {1} {0!r} that is not valid: {2}',
        EXPORT_AGAIN,
    ),
)


def artifact_error(artifact: Path, error: Exception, *, runtime: str) -> ArtifactError:
    """Return the error for a file that the runtime refused."""
    text = one_line(error)
    otherwise = f'{runtime} cannot load it: {text}', EXPORT_AGAIN
    reason, remedy = explained(text, _EXPLANATIONS) or otherwise
    return ArtifactError(artifact, reason=reason, remedy=remedy)


def gpu_error(error: Exception, options: OnnxRuntimeOptions) -> EngineUnavailableError | None:
    """Return the error for a GPU that is missing or full; None for an error of the file."""
    found = GPU_FAULT.search(one_line(error))
    if found is None or short_name(options.provider) not in READERS['device_id']:
        return None
    return EngineUnavailableError(
        ENGINE,
        reason=f'provider {options.provider!r} with device_id {options.device_id}: {found[0]}',
        remedy='set the option device_id to a GPU that is here and has memory left, or the option '
        "provider to 'cpu'",
    )


def one_line(error: Exception) -> str:
    """Return a message of the vendor without its code and line breaks."""
    return re.sub(r'^\[ONNXRuntimeError\] : \d+ : \w+ : ', '', ' '.join(str(error).split()))
