# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Describe the environment that is needed, and tell whether it exists already."""

from __future__ import annotations

from dataclasses import dataclass
import hashlib
import json
import os
from pathlib import Path
import sys

from tools.environment import machine
from tools.environment.machine import Interpreter

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / 'requirements'
STAMP = 'edge_perception_environment.json'


@dataclass(frozen=True, slots=True)
class EnvironmentPlan:
    """
    An environment to be made at `folder`.

    :param ros: the ROS 2 distribution; the wheels are listed in requirements/ros-<ros>.txt.
    :param arrays: the requirements file with NumPy and OpenCV; empty where the distribution is one
        that the user has sourced, and nothing of ROS, NumPy or OpenCV is installed.
    """

    folder: Path
    interpreter: Interpreter
    ros: str = 'kilted'
    arrays: str = 'arrays'

    @property
    def sourced(self) -> bool:
        return not self.arrays

    @property
    def python(self) -> Path:
        return self.folder / 'bin' / 'python'

    @property
    def site_packages(self) -> Path:
        return self.folder / 'lib' / f'python{self.interpreter.series}' / 'site-packages'

    @property
    def workshop(self) -> Path:
        """The folder for logs and generated sources."""
        return ROOT / 'build' / 'environment' / self.folder.name

    @property
    def log(self) -> Path:
        return self.workshop / 'log.txt'


def development_plan() -> EnvironmentPlan:
    """
    Return the environment of `make test`: beside a sourced distribution, else with wheels.

    :raises SetupError: the sourced distribution cannot be used.
    """
    folder, distribution = ROOT / '.venv', os.environ.get('ROS_DISTRO')
    if not distribution:
        return EnvironmentPlan(folder, Interpreter.probe(sys.executable))
    python = machine.sourced_python(distribution)
    return EnvironmentPlan(folder, Interpreter.probe(python), ros=distribution, arrays='')


def stale(plan: EnvironmentPlan) -> set[str]:
    """Return what must be made again: 'environment', 'package' (its entry points), or neither."""
    try:
        stamp = json.loads((plan.folder / STAMP).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {'environment', 'package'}
    return {part for part, digest in _digests(plan).items() if stamp.get(part) != digest}


def write_stamp(plan: EnvironmentPlan) -> None:
    """Mark the environment as finished; the last step of all."""
    (plan.folder / STAMP).write_text(json.dumps(_digests(plan)), encoding='utf-8')


def _digests(plan: EnvironmentPlan) -> dict[str, str]:
    """Return digests of all that an environment, and the package in it, are made from."""
    names = ['run.txt', 'tooling.txt', 'development.txt', 'constraints.txt']
    if not plan.sourced:
        names += [f'{plan.arrays}.txt', f'ros-{plan.ros}.txt']
    environment = hashlib.sha256(repr(plan).encode())
    files = [*HERE.glob('*.py'), *HERE.glob('interfaces/**/*'), *(REQUIREMENTS / n for n in names)]
    for path in sorted(path for path in files if path.is_file()):
        environment.update(str(path.relative_to(HERE)).encode())
        environment.update(path.read_bytes())
    package = hashlib.sha256()
    for name in ('package.xml', 'setup.cfg', 'setup.py'):
        package.update((ROOT / name).read_bytes())
    for plugin in sorted(ROOT.glob('plugins/edge_perception_*/__init__.py')):
        package.update(plugin.parent.name.encode())
    return {'environment': environment.hexdigest(), 'package': package.hexdigest()}
