# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Call the library of the vendor.

ONNX Runtime stands in for it, so that the plugin works before you change anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.contract import ArtifactError
from edge_perception.contract import in_words
from edge_perception.contract import read_artifact
from edge_perception.contract import TensorSpec
from edge_perception.contract import vendor_import

DTYPES = {
    'tensor(float)': np.float32,
    'tensor(float16)': np.float16,
    'tensor(int8)': np.int8,
    'tensor(uint8)': np.uint8,
    'tensor(int32)': np.int32,
    'tensor(int64)': np.int64,
}
QUIET = 4


def load_library() -> Any:
    """
    Import the library, late: the plugin has to be listed where it is missing.

    :raises EngineUnavailableError: it is missing or broken.
    """
    install = 'install it with: pip install onnxruntime'
    with vendor_import('myengine', 'onnxruntime', install=install, repair=install):
        import onnxruntime
    return onnxruntime


def open_network(artifact: Path, *, threads: int = 0) -> Any:
    """
    Load a file.

    :raises EngineUnavailableError: the library is missing.
    :raises ArtifactError: the file is missing, damaged, foreign, or for another version.
    """
    library = load_library()
    settings = library.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = QUIET
    # Bytes, because the runtime explains a missing file less well, and waits for a pipe.
    content = read_artifact(artifact)
    try:
        return library.InferenceSession(content, settings, providers=['CPUExecutionProvider'])
    except Exception as error:
        raise ArtifactError(
            artifact, reason=f'cannot be loaded: {in_words(error)}', remedy='export it again'
        ) from error


def tensor_specs(nodes: Any) -> tuple[TensorSpec, ...]:
    """Return what the library says of its inputs or outputs; -1 where a size is open."""
    return tuple(
        TensorSpec(
            node.name,
            tuple(size if isinstance(size, int) else -1 for size in node.shape),
            np.dtype(DTYPES[node.type]),
        )
        for node in nodes
    )
