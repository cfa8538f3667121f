# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The machine and the versions behind the figures."""

from __future__ import annotations

from datetime import datetime
from datetime import timezone
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
import os
from pathlib import Path
import platform
import subprocess
from typing import Any

import psutil

from tools.bench.subjects import ROOT

PACKAGES = (
    'numpy',
    'opencv-python-headless',
    'opencv-python',
    'opencv',
    'onnxruntime',
    'openvino',
    'ai-edge-litert',
    'rclpy',
)
GOVERNOR = Path('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor')


def facts() -> dict[str, Any]:
    """Return what somebody needs who compares figures; unknown is None."""
    return {
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'revision': _revision(),
        'cpu': _cpu(),
        'cores': os.cpu_count(),
        'memory_gb': round(psutil.virtual_memory().total / 1e9, 1),
        'system': platform.platform(),
        'governor': GOVERNOR.read_text().strip() if GOVERNOR.is_file() else None,
        'load': [round(value, 2) for value in os.getloadavg()],
        'python': platform.python_version(),
        **{name: found for name in PACKAGES if (found := _version(name))},
    }


def _cpu() -> str:
    path = Path('/proc/cpuinfo')
    if path.is_file():
        for line in path.read_text().splitlines():
            if line.startswith(('model name', 'Model')):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _revision() -> str | None:
    command = ['git', 'describe', '--always', '--dirty']
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None  # not a clone
    return done.stdout.strip()
