# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Check the machine: its Python, compilers, and a sourced ROS distribution."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
import json
import os
from pathlib import Path
import platform
import re
import shutil
import subprocess
import sys
from typing import Any

CMAKE_VERSION = (3, 21)
# A variable of the environment that may name one, and names to look for.
COMPILERS = {'C': ('CC', 'gcc', 'cc', 'clang'), 'C++': ('CXX', 'g++', 'c++', 'clang++')}
# The Python of every released distribution is the system's, which need not be first on PATH.
SYSTEM_PYTHON = '/usr/bin/python3'
# Modules that must come from the distribution: its compiled messages fit its NumPy.
SYSTEM_MODULES = {'cv2': 'python3-opencv', 'numpy': 'python3-numpy', 'yaml': 'python3-yaml'}
ROS_MODULES = (
    *('ament_index_python', 'diagnostic_msgs', 'geometry_msgs', 'lifecycle_msgs'),
    *('rcl_interfaces', 'sensor_msgs', 'std_msgs', 'std_srvs', 'tf2_msgs', 'vision_msgs'),
)
# Programs that print JSON.
INTERPRETER_FACTS = """
import json, os, sys, sysconfig
try:
    import ensurepip, venv
except ImportError:
    venv = None
base = os.path.realpath(getattr(sys, '_base_executable', sys.executable))
print(json.dumps([base, sys.version_info[:3], sysconfig.get_path('include'), venv is not None]))
"""
MISSING_MODULES = """
import importlib.util, json, sys
print(json.dumps([name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]))
"""
CAN_IMPORT_RCLPY = 'import rclpy; print(1)'


class SetupError(Exception):
    """The environment cannot be made; one sentence for each problem that the user can fix."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__('\n'.join(problems))


@dataclass(frozen=True, slots=True)
class Interpreter:
    """
    What a Python says of itself.

    :param path: of the interpreter itself, also where a virtual environment was asked.
    :param headers: the folder where Python.h belongs.
    """

    path: Path
    version: tuple[int, int, int]
    headers: Path
    can_make_environments: bool

    @property
    def series(self) -> str:
        """Major and minor version, as in the names of Debian's packages."""
        return f'{self.version[0]}.{self.version[1]}'

    @classmethod
    def probe(cls, path: str | Path) -> Interpreter:
        """Ask the interpreter itself; OSError or CalledProcessError where it does not run."""
        base, version, headers, can_make_environments = ask(path, INTERPRETER_FACTS)
        return cls(Path(base), tuple(version), Path(headers), can_make_environments)


def ask(python: str | Path, code: str, *arguments: str) -> Any:
    """
    Return what a program prints as JSON.

    :raises CalledProcessError: it failed.
    """
    return json.loads(
        subprocess.run(
            [python, '-c', code, *arguments],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
        ).stdout
    )


def logged(
    command: Sequence[str | Path], log: Path, *, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command, append what it prints to a log, and return it; by default cleanly."""
    result = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment or clean_environment(),
    )
    with log.open('a', encoding='utf-8') as file:
        file.write(result.stdout)
    return result


def clean_environment() -> dict[str, str]:
    """
    Return the variables for a child process, without those of an environment that we run in.

    The ROS wheels put their library folder into LD_LIBRARY_PATH and leave a guard variable; with
    both, the interpreter of a second environment would load the libraries of the first.
    """
    variables = dict(os.environ)
    variables.pop('VIRTUAL_ENV', None)
    variables.pop('PYTHONHOME', None)
    if variables.pop('_ROS_WHEELS_BOOTSTRAP_COMPLETE', None):
        variables.pop('LD_LIBRARY_PATH', None)
    return variables


def sourced_python(distribution: str) -> Path:
    """
    Return the Python that imports rclpy of the sourced distribution.

    :param distribution: as ROS_DISTRO names it.
    :raises SetupError: no Python does (mixing its variables with the wheels from PyPI would load
        libraries of both), or the distribution lacks packages.
    """
    candidates = dict.fromkeys([sys.executable, SYSTEM_PYTHON])
    for python in candidates:
        # Not one that is missing, or does not import it.
        with suppress(OSError, subprocess.CalledProcessError):
            ask(python, CAN_IMPORT_RCLPY)
            break
    else:
        raise SetupError(
            f'ROS_DISTRO is {distribution}, but rclpy cannot be imported by '
            f'{" or ".join(candidates)}; source the setup file of the distribution '
            f'(source /opt/ros/{distribution}/setup.bash), name its Python '
            '(make test PYTHON=...), or unset ROS_DISTRO to use the ROS 2 wheels from PyPI'
        )
    packages = SYSTEM_MODULES | {
        module: f'ros-{distribution}-{module.replace("_", "-")}' for module in ROS_MODULES
    }
    missing = ask(python, MISSING_MODULES, *packages)
    if missing:
        raise SetupError(
            f'the ROS distribution {distribution} is sourced and lacks {", ".join(missing)}; '
            f'install them (apt install {" ".join(packages[module] for module in missing)})'
        )
    return Path(python)


def require(interpreter: Interpreter, *, compilers: bool) -> None:
    """
    Check that an environment can be made.

    :param compilers: whether interface packages are to be compiled, and wheels must exist.
    :raises SetupError: with all that is missing.
    """
    problems = []
    if not interpreter.can_make_environments:
        problems.append(
            f'{interpreter.path} cannot make virtual environments, since its modules venv or '
            f'ensurepip are missing; install them (apt install python{interpreter.series}-venv)'
        )
    if compilers:
        problems += _missing_for_compiling(interpreter)
    if problems:
        raise SetupError(*problems)


def _missing_for_compiling(interpreter: Interpreter) -> Iterator[str]:
    here = f'{platform.system()} on {platform.machine()}'
    if here != 'Linux on x86_64':
        yield (
            f'the ROS 2 wheels on PyPI are made for Linux on x86_64 and this machine is {here}; '
            'install a ROS 2 distribution, source it and run again'
        )
    for language, (variable, name, *others) in COMPILERS.items():
        candidates = (os.environ.get(variable, ''), name, *others)
        if not any(candidate and shutil.which(candidate.split()[0]) for candidate in candidates):
            yield (
                f'no {language} compiler ({name}) was found on PATH, and vision_msgs must be '
                f'compiled; install one (apt install {name})'
            )
    cmake = shutil.which('cmake')
    if cmake is None:
        yield (
            'cmake was not found on PATH, and vision_msgs must be compiled; '
            'install it (apt install cmake)'
        )
    else:
        output = subprocess.run([cmake, '--version'], capture_output=True, text=True).stdout
        found = re.search(r'(\d+)\.(\d+)', output)
        if found and (int(found[1]), int(found[2])) < CMAKE_VERSION:
            yield (
                f'CMake {CMAKE_VERSION[0]}.{CMAKE_VERSION[1]} or newer is needed and {cmake} is '
                f'{found[0]}; install a newer one (pip install cmake)'
            )
    if not (interpreter.headers / 'Python.h').is_file():
        yield (
            f'the headers of Python {interpreter.series} are missing (no Python.h in '
            f'{interpreter.headers}), and vision_msgs must be compiled; '
            f'install them (apt install python{interpreter.series}-dev)'
        )
