# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What there is to know about a Python interpreter before an environment is made from it."""

from __future__ import annotations

from dataclasses import dataclass
import json
import os
from pathlib import Path
import subprocess

PROBE = """
import json, os, sys, sysconfig
base = getattr(sys, '_base_executable', sys.executable)
facts = {'path': os.path.realpath(base), 'version': sys.version_info[:3]}
facts['headers'] = sysconfig.get_path('include')
try:
    import ensurepip, venv
    facts['can_make_environments'] = True
except ImportError:
    facts['can_make_environments'] = False
print(json.dumps(facts))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """
    What the interpreter says of itself.

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

    @property
    def release(self) -> str:
        return '.'.join(map(str, self.version))

    @classmethod
    def probe(cls, path: str | Path) -> Interpreter:
        """Ask the interpreter itself; OSError or CalledProcessError where it does not run."""
        output = subprocess.run(
            [path, '-c', PROBE],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
        ).stdout
        facts = json.loads(output)
        return cls(
            path=Path(facts['path']),
            version=tuple(facts['version']),
            headers=Path(facts['headers']),
            can_make_environments=facts['can_make_environments'],
        )


def can_import(python: Path, module: str) -> bool:
    """Tell whether the interpreter imports the module, by doing it."""
    result = subprocess.run(
        [python, '-c', f'import {module}'],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
    )
    return result.returncode == 0


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
