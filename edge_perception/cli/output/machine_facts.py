# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What figures were measured on and with."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
import os
from pathlib import Path
import platform

import cv2
import numpy as np

import edge_perception


def machine_facts() -> dict[str, str | int]:
    """Return what the figures were measured on and with."""
    return {
        'processor': _processor(),
        'cores': os.cpu_count() or 0,
        'system': platform.platform(),
        'python': platform.python_version(),
        'rclpy': _version('rclpy'),
        'numpy': np.__version__,
        'opencv': cv2.__version__,
        'edge_perception': edge_perception.__version__,
    }


def machine_rows() -> list[tuple[str, str]]:
    """Return them for a table."""
    return [(name, str(value)) for name, value in machine_facts().items()]


def _processor() -> str:
    info = Path('/proc/cpuinfo')
    if info.is_file():
        for line in info.read_text(encoding='utf-8', errors='replace').splitlines():
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return 'unknown'
