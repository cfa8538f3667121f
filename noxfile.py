# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The tests with other versions of ROS, Python, NumPy and OpenCV: ``make test-matrix``."""

from __future__ import annotations

from dataclasses import dataclass
import os
from pathlib import Path

import nox

from tools.environment import build
from tools.environment import machine
from tools.environment.machine import Interpreter
from tools.environment.machine import SetupError
from tools.environment.plan import EnvironmentPlan
from tools.environment.plan import stale
from tools.environment.plan import write_stamp

PYENV = Path(os.environ.get('PYENV_ROOT', Path.home() / '.pyenv'))
# The import of a message loads its compiled support: an environment that cannot is broken.
VERSIONS = """
import platform
from importlib.metadata import version
import cv2, numpy, onnxruntime, rclpy, vision_msgs.msg
rclpy.init()
rclpy.create_node('probe').create_publisher(vision_msgs.msg.Detection2DArray, 'probe', 1)
rclpy.shutdown()
versions = {'Python': platform.python_version(), 'rclpy': version('ros-rclpy')}
versions |= {module.__name__: module.__version__ for module in (numpy, cv2, onnxruntime)}
print(', '.join(f'{name} {value}' for name, value in versions.items()), end='')
print(', openvino', version('openvino'))
"""


@dataclass(frozen=True, slots=True)
class MatrixSession:
    """
    A session of nox, once for each Python.

    :param arrays: the requirements file with NumPy and OpenCV.
    :param tests: all that is run; everything when empty.
    """

    ros: str
    pythons: tuple[str, ...]
    arrays: str = 'arrays'
    tests: tuple[str, ...] = ()


SESSIONS = {
    'kilted': MatrixSession('kilted', ('3.10', '3.13')),
    'jazzy': MatrixSession('jazzy', ('3.12',)),
    # As old as in Debian 12 and Ubuntu 24.04.
    'kilted-numpy1': MatrixSession('kilted', ('3.11',), arrays='arrays-numpy1'),
    # Not the tools that build artifacts: they need a newer OpenVINO, and run elsewhere.
    'kilted-openvino2022': MatrixSession(
        'kilted',
        ('3.10',),
        arrays='arrays-openvino2022',
        tests=('test/contract', 'test/runtime', 'test/models', 'test/decoders', 'test/plugins'),
    ),
}

nox.options.default_venv_backend = 'venv'
nox.options.download_python = 'never'
nox.options.envdir = 'build/matrix'
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = 'yes'
# Those of .venv, in which nox runs, would have other environments load its ROS.
for name in os.environ.keys() - machine.clean_environment().keys():
    del os.environ[name]
# The Pythons of pyenv, whose shims run none that is not chosen.
os.environ['PATH'] = os.pathsep.join(
    [os.environ['PATH'], *map(str, sorted(PYENV.glob('versions/3.*/bin'), reverse=True))]
)


def run_session(session: nox.Session, wanted: MatrixSession) -> None:
    """
    Fill the environment of a session where it is not filled yet, and run pytest in it.

    What is passed after ``--`` goes to pytest.
    """
    if distribution := os.environ.get('ROS_DISTRO'):
        session.error(
            f'ROS 2 {distribution} is sourced, and the matrix runs on the wheels from PyPI, which '
            'cannot be mixed with it; run it in a shell where nothing is sourced'
        )
    folder = Path(session.virtualenv.location).absolute()
    interpreter = Interpreter.probe(folder / 'bin' / 'python')
    plan = EnvironmentPlan(folder, interpreter, ros=wanted.ros, arrays=wanted.arrays)
    if stale(plan):
        plan.workshop.mkdir(parents=True, exist_ok=True)
        try:
            machine.require(interpreter, compilers=True)
            build.run(build.filling(plan))
        except SetupError as error:
            session.error('; '.join(error.problems))
        write_stamp(plan)
    session.run('python', '-c', VERSIONS)
    pytest = ('python', '-m', 'pytest', '-n', '2', '--dist', 'loadfile')
    session.run(*pytest, *wanted.tests, *session.posargs)


def declare(name: str, wanted: MatrixSession) -> None:
    """Tell nox of a session."""

    def run(session: nox.Session) -> None:
        run_session(session, wanted)

    nox.session(name=name, python=wanted.pythons)(run)


for name, wanted in SESSIONS.items():
    declare(name, wanted)
