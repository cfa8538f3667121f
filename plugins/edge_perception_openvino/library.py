# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Import the vendor library late, under either of its names, without its telemetry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import importlib
import sys
from typing import Any

from edge_perception.contract import vendor_import

ENGINE = 'openvino'
TELEMETRY = 'openvino_telemetry'


def load_library() -> Any:
    """
    Return the module that has ``Core``: ``openvino``, before 2023.1 ``openvino.runtime``.

    :raises EngineUnavailableError: it is missing or broken.
    """
    with (
        vendor_import(
            ENGINE,
            'openvino',
            install='install it with: pip install openvino',
            # Wheel and setupvars.sh may be of different versions, or for another Python.
            repair='have one OpenVINO only: either its pip package, or the setupvars.sh of its '
            'archive, for this version of Python',
        ),
        _without_telemetry(),
    ):
        library = importlib.import_module('openvino')
        if not hasattr(library, 'Core'):
            library = importlib.import_module('openvino.runtime')
        library.Core  # noqa: B018  a folder of the same name is importable as well
    return library


def runtime_version(library: Any) -> str:
    """Return name and version, e.g. ``openvino 2022.3.2``."""
    return f'openvino {library.get_version().partition("-")[0]}'


def release(library: Any) -> tuple[int, ...]:
    """Return year and number, e.g. (2022, 3)."""
    return tuple(int(part) for part in library.get_version().split('.')[:2])


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """
    Hide the package that reports to its vendor.

    Merely importing OpenVINO 2026.4 sends an event to www.google-analytics.com and leaves an
    identifier in ~/intel, unless the user opted out. Where the package is missing, OpenVINO takes
    a stand-in that does nothing. It stays hidden, also from what is imported later.
    """
    modules: dict[str, Any] = sys.modules
    earlier = modules.get(TELEMETRY)
    modules[TELEMETRY] = None
    try:
        yield
    finally:
        modules[TELEMETRY] = earlier
