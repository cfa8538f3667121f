# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What environment is wanted, and whether the one that is there is it."""

from __future__ import annotations

from dataclasses import dataclass
import hashlib
import json
from pathlib import Path

from tools.environment.interpreter import Interpreter

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / 'requirements'
STAMP = 'edge_perception_environment.json'


@dataclass(frozen=True, slots=True)
class Plan:
    """
    An environment to be made at `folder`.

    :param ros: the ROS 2 distribution; the wheels are listed in requirements/ros-<ros>.txt.
    :param sourced: it is a distribution that the user has sourced, and nothing of ROS, NumPy or
        OpenCV is installed.
    :param arrays: the requirements file with NumPy and OpenCV; empty where the interpreter's own
        are to be used.
    """

    folder: Path
    interpreter: Interpreter
    ros: str = 'kilted'
    sourced: bool = False
    arrays: str = 'arrays.txt'

    @property
    def python(self) -> Path:
        return self.folder / 'bin' / 'python'

    @property
    def requirements(self) -> list[Path]:
        """List the files in requirements/ that decide what is installed."""
        names = ['run.txt', 'tooling.txt', 'development.txt', 'constraints.txt', self.arrays]
        if not self.sourced:
            names.append(f'ros-{self.ros}.txt')
        return [REQUIREMENTS / name for name in names if name]

    @property
    def system_site_packages(self) -> bool:
        return self.sourced or not self.arrays

    @property
    def title(self) -> str:
        origin = f'the sourced ROS 2 {self.ros}' if self.sourced else f'ROS 2 {self.ros} from PyPI'
        return f'{origin}, Python {self.interpreter.release}'


def is_complete(plan: Plan) -> bool:
    """Tell whether the environment was finished, and made from what the plan says."""
    return plan.python.exists() and _read_stamp(plan).get('environment') == _environment_hash(plan)


def is_package_current(plan: Plan) -> bool:
    """Tell whether the package is installed with today's entry points."""
    return _read_stamp(plan).get('package') == _package_hash()


def write_stamp(plan: Plan) -> None:
    """Mark the environment as finished; the last step of all."""
    stamp = {'environment': _environment_hash(plan), 'package': _package_hash()}
    (plan.folder / STAMP).write_text(json.dumps(stamp), encoding='utf-8')


def _read_stamp(plan: Plan) -> dict[str, str]:
    try:
        stamp: dict[str, str] = json.loads((plan.folder / STAMP).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return stamp


def _environment_hash(plan: Plan) -> str:
    digest = hashlib.sha256(repr(plan).encode())
    files = [*HERE.glob('*.py'), *HERE.glob('interfaces/**/*'), *plan.requirements]
    for path in sorted(path for path in files if path.is_file()):
        digest.update(str(path.relative_to(HERE)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _package_hash() -> str:
    digest = hashlib.sha256()
    for name in ('package.xml', 'setup.cfg', 'setup.py'):
        digest.update((ROOT / name).read_bytes())
    for plugin in sorted(ROOT.glob('plugins/edge_perception_*/__init__.py')):
        digest.update(plugin.parent.name.encode())
    return digest.hexdigest()
