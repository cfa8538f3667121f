# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Import the vendor library late, and keep its log to explain failures."""

from __future__ import annotations

from collections import deque
import functools
import logging
from pathlib import Path
import re
from typing import Any

from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import vendor_import
from edge_perception_tensorrt.cuda import ENGINE

# The first with the named-tensor API, which is the only one of TensorRT 10.
OLDEST = (8, 5)
JETSON_RELEASE = Path('/etc/nv_tegra_release')

_logger = logging.getLogger(__name__)


def load_library() -> str:
    """
    Import ``tensorrt`` and return its version, e.g. ``10.3.0``.

    :raises EngineUnavailableError: it is missing, broken or too old.
    """
    with vendor_import(
        ENGINE,
        'tensorrt',
        install=_install(),
        # E.g. libcublas.so.11 comes in a package of its own.
        repair='install the libraries of CUDA and TensorRT of the same version as the Python '
        f'package, or install it again: {_install()}',
    ):
        import tensorrt
    version = str(tensorrt.__version__)
    if version_numbers(version) < OLDEST:
        raise EngineUnavailableError(
            ENGINE,
            reason=f'TensorRT {version} is too old, expected 8.5 or later',
            remedy='install JetPack 6 or later'
            if JETSON_RELEASE.exists()
            else 'upgrade it: pip install --upgrade tensorrt',
        )
    return version


def _install() -> str:
    if JETSON_RELEASE.exists():
        return (
            'it belongs to JetPack: sudo apt install python3-libnvinfer, and make virtual '
            'environments with --system-site-packages'
        )
    return 'install it with: pip install tensorrt'


def version_numbers(version: str) -> tuple[int, ...]:
    """Return major and minor version, e.g. (10, 3) for ``10.3.0``."""
    return tuple(int(number) for number in re.findall(r'\d+', version)[:2])


class LoggedErrors(deque[str]):
    """The last errors that TensorRT logged; TensorRT gives reasons nowhere else."""

    def text(self) -> str:
        """Return the errors since ``clear``, the oldest first, which is the cause."""
        return '; '.join(self) or 'it gives no reason'


logged_errors = LoggedErrors(maxlen=8)


@functools.cache
def vendor_logger() -> Any:
    """Return the only logger of this process: TensorRT keeps the first that it is given."""
    import tensorrt as trt

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
            if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
                logged_errors.append(' '.join(msg.split()))
            elif severity == trt.ILogger.Severity.WARNING:
                _logger.warning('TensorRT: %s', ' '.join(msg.split()))

    return Logger()
