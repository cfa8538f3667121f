# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Import the vendor library late, under any of its three names."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib import metadata
from typing import Any

import numpy as np

from edge_perception.contract import EngineUnavailableError

ENGINE = 'litert'
# The same module under the names that it had over the years, the newest first: package, module
# inside of it, name on PyPI.
PACKAGES = (
    ('ai_edge_litert', 'interpreter', 'ai-edge-litert'),
    ('tflite_runtime', 'interpreter', 'tflite-runtime'),
    ('tensorflow', 'lite.python.interpreter', 'tensorflow'),
)
# Its last release. With NumPy 2 it can be imported and then opens no model.
BUILT_FOR_NUMPY_1 = 'tflite-runtime 2.14.0'
INSTALL = 'install it with: pip install ai-edge-litert'


@dataclass(frozen=True, slots=True)
class Library:
    """
    The vendor library.

    :param module: has ``Interpreter``, ``OpResolverType`` and ``load_delegate``.
    :param name: of the module, for a process that imports it as well.
    :param runtime: name and version, e.g. ``ai-edge-litert 2.3.0``.
    """

    module: Any
    name: str
    runtime: str


def load_library() -> Library:
    """
    Return the newest of the packages that is installed and works.

    :raises EngineUnavailableError: none does.
    """
    broken: list[str] = []
    for package, module, distribution in PACKAGES:
        try:
            name = f'{package}.{module}'
            found = import_module(name)
            # LiteRT and TensorFlow bring it, tflite-runtime does not.
            import_module('flatbuffers')
            runtime = _runtime(package, distribution)
            if runtime != BUILT_FOR_NUMPY_1 or np.lib.NumpyVersion(np.__version__) < '2.0.0':
                return Library(found, name, runtime)
            broken.append(f'{runtime} was built for NumPy 1, and this is {np.__version__}')
        except ModuleNotFoundError as error:
            if (error.name or '').split('.')[0] != package:
                broken.append(f'{distribution} needs the Python package {error.name}')
        except Exception as error:  # e.g. a library of the system is missing
            broken.append(f'{distribution} cannot be imported: {" ".join(str(error).split())}')
    reason = '; '.join(broken) or 'ai-edge-litert is not installed, nor an older package'
    raise EngineUnavailableError(ENGINE, reason=reason, remedy=INSTALL)


def _runtime(package: str, distribution: str) -> str:
    try:
        return f'{distribution} {metadata.version(distribution)}'
    except metadata.PackageNotFoundError:  # another distribution, e.g. tensorflow-cpu
        return f'{distribution} {getattr(import_module(package), "__version__", "")}'.strip()
