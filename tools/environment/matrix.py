# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The test-suite with other versions of ROS, Python, NumPy and OpenCV, each in its environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import json
import os
from pathlib import Path
import shutil
import subprocess
from xml.etree import ElementTree

from tools.environment import build
from tools.environment.errors import SetupError
from tools.environment.interpreter import clean_environment
from tools.environment.interpreter import Interpreter
from tools.environment.plan import Plan
from tools.environment.plan import ROOT

FOLDER = ROOT / 'build' / 'matrix'
DEBIAN_PYTHON = Path('/usr/bin/python3')
DEBIAN_OPENCV = '4.6.0'
COUNTED = ('tests', 'failures', 'errors', 'skipped')

# The import of a message loads its compiled support: an environment that cannot is broken.
VERSIONS = """
import json, platform, sys
from importlib.metadata import version
import cv2, numpy, onnxruntime, rclpy, vision_msgs.msg
rclpy.init()
rclpy.create_node('probe').create_publisher(vision_msgs.msg.Detection2DArray, 'probe', 1)
rclpy.shutdown()
versions = {'Python': platform.python_version(), 'rclpy': version('ros-rclpy')}
for module in (numpy, cv2, onnxruntime):
    versions[module.__name__] = module.__version__
versions['openvino'] = version('openvino')
json.dump(versions, sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """
    One environment of the matrix.

    :param debian: NumPy 1 and the OpenCV of Debian 12.
    :param arrays: the requirements file with NumPy and OpenCV.
    :param tests: all that is run; everything when empty.
    """

    name: str
    ros: str
    python: str
    debian: bool = False
    arrays: str = 'arrays.txt'
    tests: tuple[str, ...] = ()


CELLS = (
    Cell('kilted-python3.10', 'kilted', '3.10'),
    Cell('kilted-python3.13', 'kilted', '3.13'),
    Cell('jazzy-python3.12', 'jazzy', '3.12'),
    Cell('kilted-numpy1', 'kilted', '3.11', debian=True),
    # Not the tools that build artifacts: they need a newer OpenVINO, and run elsewhere.
    Cell(
        'kilted-openvino2022',
        'kilted',
        '3.10',
        arrays='arrays-openvino2022.txt',
        tests=('test/contract', 'test/core', 'test/decoders', 'test/plugins'),
    ),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A line of the closing table; `passed` is None where nothing was run."""

    cell: Cell
    passed: bool | None
    text: str
    versions: str = ''


def run(arguments: list[str]) -> int:
    """
    Run pytest with `arguments` in every cell and print a table.

    :returns: an exit status: 0 unless a test or a set-up failed; a missing interpreter is said in
        the table and is no failure.
    :raises SetupError: where a ROS distribution is sourced.
    """
    if os.environ.get('ROS_DISTRO'):
        raise SetupError(
            f'ROS 2 {os.environ["ROS_DISTRO"]} is sourced, and the matrix runs on the wheels from '
            f'PyPI, which cannot be mixed with it; run it in a shell where nothing is sourced'
        )
    outcomes = [_run_cell(cell, arguments) for cell in CELLS]
    _print_table(outcomes)
    return 1 if any(outcome.passed is False for outcome in outcomes) else 0


def _run_cell(cell: Cell, arguments: list[str]) -> Outcome:
    print(f'=== {cell.name} ===', flush=True)
    interpreter = _find_interpreter(cell)
    if interpreter is None:
        reason = f'not run: no Python {cell.python} with venv on PATH or in pyenv'
        return Outcome(cell, None, reason)
    plan = Plan(FOLDER / cell.name, interpreter, ros=cell.ros, arrays=cell.arrays)
    note = ''
    if cell.debian:
        plan, note = _debian_plan(plan)
    try:
        build.ensure(plan)
    except SetupError as error:
        return Outcome(cell, False, '; '.join(error.problems))
    probe = subprocess.run(
        [plan.python, '-c', VERSIONS], stdout=subprocess.PIPE, env=clean_environment()
    )
    if probe.returncode != 0:
        return Outcome(cell, False, 'rclpy, OpenCV or vision_msgs cannot be imported, see above')
    versions = ', '.join(f'{name} {value}' for name, value in json.loads(probe.stdout).items())
    passed, text = _run_tests(plan, [*cell.tests, *arguments])
    return Outcome(cell, passed, text + note, versions)


def _find_interpreter(cell: Cell) -> Interpreter | None:
    for path in _candidates(cell):
        try:
            interpreter = Interpreter.probe(path)
        except (OSError, subprocess.CalledProcessError):
            continue  # a shim of pyenv without a version behind it
        if interpreter.series == cell.python and interpreter.can_make_environments:
            return interpreter
    return None


def _candidates(cell: Cell) -> Iterator[Path]:
    if cell.debian and DEBIAN_PYTHON.exists():
        yield DEBIAN_PYTHON
    on_path = shutil.which(f'python{cell.python}')
    if on_path:
        yield Path(on_path)
    pyenv = Path(os.environ.get('PYENV_ROOT', Path.home() / '.pyenv'))
    yield from sorted(pyenv.glob(f'versions/{cell.python}.*/bin/python'), reverse=True)


def _debian_plan(plan: Plan) -> tuple[Plan, str]:
    """Take Debian's own packages where they are installed, wheels of the same versions else."""
    code = 'import cv2; print(cv2.__version__)'
    found = subprocess.run(
        [plan.interpreter.path, '-c', code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=clean_environment(),
    ).stdout.strip()
    if found == DEBIAN_OPENCV:
        return Plan(plan.folder, plan.interpreter, ros=plan.ros, arrays=''), ''
    note = '; wheels stand in for python3-opencv and python3-numpy of Debian, not installed here'
    return Plan(plan.folder, plan.interpreter, ros=plan.ros, arrays='arrays-numpy1.txt'), note


def _run_tests(plan: Plan, arguments: list[str]) -> tuple[bool, str]:
    results = plan.folder.with_suffix('.xml')
    results.unlink(missing_ok=True)
    command: list[str | Path] = [plan.python, '-m', 'pytest', f'--junitxml={results}', *arguments]
    status = subprocess.run(command, cwd=ROOT, env=clean_environment()).returncode
    if not results.exists():
        return False, f'pytest ended with status {status} and without a result'
    suite = ElementTree.parse(results).getroot().find('testsuite')
    counts = {} if suite is None else {key: int(suite.get(key, 0)) for key in COUNTED}
    broken = counts.get('failures', 0) + counts.get('errors', 0)
    skipped = counts.get('skipped', 0)
    passed = counts.get('tests', 0) - broken - skipped
    return status == 0, f'{passed} passed, {broken} failed, {skipped} skipped'


def _print_table(outcomes: list[Outcome]) -> None:
    width = max(len(outcome.cell.name) for outcome in outcomes)
    print('=== matrix ===')
    for outcome in outcomes:
        print(f'{outcome.cell.name:{width}}  {outcome.text}')
        if outcome.versions:
            print(f'{"":{width}}  {outcome.versions}')
