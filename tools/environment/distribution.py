# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A ROS distribution that the user has sourced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import json
from pathlib import Path
import subprocess
import sys

from tools.environment.errors import SetupError
from tools.environment.interpreter import can_import
from tools.environment.interpreter import clean_environment
from tools.environment.interpreter import Interpreter

# The Python of every released distribution is the system's, which need not be first on PATH.
SYSTEM_PYTHON = '/usr/bin/python3'

# Modules that must come from the distribution: its compiled messages fit its NumPy.
SYSTEM_MODULES = {'cv2': 'python3-opencv', 'numpy': 'python3-numpy', 'yaml': 'python3-yaml'}
ROS_MODULES = (
    'ament_index_python',
    'diagnostic_msgs',
    'geometry_msgs',
    'lifecycle_msgs',
    'rcl_interfaces',
    'sensor_msgs',
    'std_msgs',
    'std_srvs',
    'tf2_msgs',
    'vision_msgs',
)

PROBE = """
import importlib.util, json, sys
print(json.dumps([name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]))
"""


@dataclass(frozen=True, slots=True)
class Distribution:
    name: str
    python: Path


def find_sourced(environ: Mapping[str, str]) -> Distribution | None:
    """
    Return the distribution that is sourced, None where there is none.

    SetupError where no Python can import its rclpy: mixing its variables with the wheels from PyPI
    would load libraries of both.
    """
    name = environ.get('ROS_DISTRO')
    if not name:
        return None
    candidates = dict.fromkeys([sys.executable, SYSTEM_PYTHON])
    for candidate in candidates:
        if Path(candidate).exists() and can_import(Path(candidate), 'rclpy'):
            return Distribution(name, Path(candidate))
    raise SetupError(
        f'ROS_DISTRO is {name}, but rclpy cannot be imported by {" or ".join(candidates)}; source '
        f'the setup file of the distribution (source /opt/ros/{name}/setup.bash), name its Python '
        f'(make test PYTHON=...), or unset ROS_DISTRO to use the ROS 2 wheels from PyPI'
    )


def require_packages(distribution: Distribution) -> None:
    """Raise SetupError with the apt packages that the distribution lacks."""
    packages = dict(SYSTEM_MODULES)
    for module in ROS_MODULES:
        packages[module] = f'ros-{distribution.name}-{module.replace("_", "-")}'
    missing = _missing_modules(distribution, list(packages))
    if missing:
        raise SetupError(
            f'the ROS distribution {distribution.name} is sourced and lacks {", ".join(missing)}; '
            f'install them (apt install {" ".join(packages[module] for module in missing)})'
        )


def numpy_version(interpreter: Interpreter) -> str:
    output = subprocess.run(
        [interpreter.path, '-c', 'import numpy; print(numpy.__version__)'],
        check=True,
        stdout=subprocess.PIPE,
        env=clean_environment(),
    ).stdout
    return output.decode().strip()


def _missing_modules(distribution: Distribution, modules: list[str]) -> list[str]:
    output = subprocess.run(
        [distribution.python, '-c', PROBE, *modules],
        check=True,
        stdout=subprocess.PIPE,
        env=clean_environment(),
    ).stdout
    return list(json.loads(output))
