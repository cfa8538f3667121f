# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Import the vendor library late, keep it quiet, and list its execution providers."""

from __future__ import annotations

from difflib import get_close_matches
import os
from typing import Any

from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import vendor_import

ENGINE = 'onnxruntime'
SUFFIX = 'ExecutionProvider'
CPU_PROVIDER = 'CPUExecutionProvider'
# Azure computes on another computer, and no camera image leaves the robot.
REMOTE_PROVIDERS = ('AzureExecutionProvider',)
# Builds of ONNX Runtime on PyPI; only one of them may be installed at a time.
PACKAGES = {
    'cuda': 'onnxruntime-gpu',
    'tensorrt': 'onnxruntime-gpu',
    'openvino': 'onnxruntime-openvino',
}
LOG_ERRORS = 3
LOG_NOTHING = 4


def load_library() -> Any:
    """
    Return the module ``onnxruntime``, with telemetry off and warnings silent.

    :raises EngineUnavailableError: it is missing or broken.
    """
    # Merely importing 1.31 stores an identifier and an event for its vendor, unless this is set.
    os.environ['ORT_DISABLE_TELEMETRY'] = '1'
    with vendor_import(
        ENGINE,
        'onnxruntime',
        install='install it with: pip install onnxruntime',
        # Two builds of it conflict.
        repair='remove all its builds and install one: pip uninstall onnxruntime '
        'onnxruntime-gpu, then pip install onnxruntime',
    ):
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        onnxruntime.set_default_logger_severity(LOG_ERRORS)
    return onnxruntime


def runtime_version(library: Any) -> str:
    """Return name and version, e.g. ``onnxruntime 1.23.2``."""
    return f'onnxruntime {library.__version__}'


def providers(library: Any) -> dict[str, str]:
    """Return the providers of this build: what users write, and the full name."""
    return {
        short_name(name): name
        for name in library.get_available_providers()
        if name not in REMOTE_PROVIDERS
    }


def find_provider(library: Any, wanted: str) -> str:
    """
    Return the full name of a provider.

    ONNX Runtime itself only warns of a name that it does not have, and computes on the CPU.

    :param wanted: short or full name, in any case.
    :raises EngineUnavailableError: this build, or every build, lacks it.
    """
    here = providers(library)
    name = short_name(wanted)
    if name in here:
        return here[name]
    known = [
        short_name(full) for full in library.get_all_providers() if full not in REMOTE_PROVIDERS
    ]
    if name in known:
        remedy = f'install {PACKAGES.get(name, "a build of it that has this provider")}'
    else:
        nearest = get_close_matches(name, known, n=1)
        remedy = f'did you mean {nearest[0]!r}?' if nearest else 'correct the option provider'
    raise EngineUnavailableError(
        ENGINE,
        reason=f'provider {wanted!r} is not in {runtime_version(library)}, which has '
        + ', '.join(here),
        remedy=remedy,
    )


def provider_failed(library: Any, provider: str) -> EngineUnavailableError:
    """Return the error for a provider that is in this build but did not start."""
    return EngineUnavailableError(
        ENGINE,
        reason=f'provider {short_name(provider)!r} did not start, and {runtime_version(library)} '
        'would have computed on another one',
        remedy='install its driver and libraries (the message of ONNX Runtime above names what is '
        "missing), or set the option provider to 'cpu'",
    )


def short_name(name: str) -> str:
    """Return what users write for a provider: ``cuda`` for ``CUDAExecutionProvider``."""
    lower = name.strip().lower()
    return lower[: -len(SUFFIX)] if lower.endswith(SUFFIX.lower()) else lower
