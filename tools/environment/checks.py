# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a machine must have before a set-up starts; everything that is missing is said at once."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess

from tools.environment.errors import SetupError
from tools.environment.interpreter import Interpreter

CMAKE_VERSION = (3, 21)


def require_venv(interpreter: Interpreter) -> None:
    if not interpreter.can_make_environments:
        raise SetupError(
            f'{interpreter.path} cannot make virtual environments, since its modules venv or '
            f'ensurepip are missing; install them (apt install python{interpreter.series}-venv)'
        )


def require_build_tools(interpreter: Interpreter) -> None:
    """Raise SetupError unless interface packages can be compiled and wheels exist."""
    problems = [
        *_platform(),
        *_compiler('C', 'CC', 'gcc', others=('cc', 'clang')),
        *_compiler('C++', 'CXX', 'g++', others=('c++', 'clang++')),
        *_cmake(),
        *_headers(interpreter),
    ]
    if problems:
        raise SetupError(*problems)


def _platform() -> list[str]:
    here = f'{platform.system()} on {platform.machine()}'
    if here == 'Linux on x86_64':
        return []
    return [
        f'the ROS 2 wheels on PyPI are made for Linux on x86_64 and this machine is {here}; '
        'install a ROS 2 distribution, source it and run again'
    ]


def _compiler(language: str, variable: str, name: str, *, others: tuple[str, ...]) -> list[str]:
    candidates = (os.environ.get(variable, ''), name, *others)
    if any(candidate and shutil.which(candidate.split()[0]) for candidate in candidates):
        return []
    return [
        f'no {language} compiler ({name}) was found on PATH, and vision_msgs must be compiled; '
        f'install one (apt install {name})'
    ]


def _cmake() -> list[str]:
    path = shutil.which('cmake')
    if path is None:
        return [
            'cmake was not found on PATH, and vision_msgs must be compiled; '
            'install it (apt install cmake)'
        ]
    output = subprocess.run([path, '--version'], capture_output=True, text=True).stdout
    found = re.search(r'(\d+)\.(\d+)', output)
    if found and (int(found[1]), int(found[2])) < CMAKE_VERSION:
        return [
            f'CMake {CMAKE_VERSION[0]}.{CMAKE_VERSION[1]} or newer is needed and {path} is '
            f'{found[0]}; install a newer one (pip install cmake)'
        ]
    return []


def _headers(interpreter: Interpreter) -> list[str]:
    if (interpreter.headers / 'Python.h').is_file():
        return []
    return [
        f'the headers of Python {interpreter.series} are missing (no Python.h in '
        f'{interpreter.headers}), and vision_msgs must be compiled; '
        f'install them (apt install python{interpreter.series}-dev)'
    ]
