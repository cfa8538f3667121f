# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
A machine that lacks something gets one sentence and keeps what it had.

The set-up runs as the Makefile runs it, in a copy of its files, with the lack simulated; nothing
is downloaded or compiled.
"""

from __future__ import annotations

from dataclasses import replace
import os
from pathlib import Path
import platform
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from test.support.raising import raises
from tools.environment import build
from tools.environment import machine as machine_checks
from tools.environment.machine import Interpreter
from tools.environment.machine import SetupError

BUILD_TOOLS = {'gcc': '', 'g++': '', 'cmake': 'cmake version 3.25.1'}
DISTRIBUTION_MODULES = ('rclpy', *machine_checks.SYSTEM_MODULES, *machine_checks.ROS_MODULES)


class Machine:
    """A checkout and a PATH of its own; `run` is what `make test` does first."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.project = folder / 'project'
        ignore = shutil.ignore_patterns('__pycache__')
        shutil.copytree(repository / 'tools', self.project / 'tools', ignore=ignore)
        for name in ('package.xml', 'setup.py', 'setup.cfg'):
            shutil.copy(repository / name, self.project)
        self.tools = folder / 'bin'
        self.tools.mkdir()
        for name, output in BUILD_TOOLS.items():
            self.add_tool(name, output)
        self.python = Interpreter.probe(sys.executable).path
        self.variables = {'PATH': str(self.tools), 'HOME': str(folder), 'LANG': 'C.UTF-8'}

    @property
    def environment(self) -> Path:
        return self.project / '.venv'

    def add_tool(self, name: str, output: str) -> None:
        tool = self.tools / name
        tool.write_text(f'#!/bin/sh\necho "{output}"\n', encoding='utf-8')
        tool.chmod(0o755)

    def add_modules(self, *names: str, content: str = '') -> None:
        """Put modules before the standard library's, as a sourced distribution does."""
        folder = self.project.parent / 'modules'
        folder.mkdir(exist_ok=True)
        for name in names:
            (folder / f'{name}.py').write_text(content, encoding='utf-8')
        self.variables['PYTHONPATH'] = str(folder)

    def use_index(self, port: int) -> None:
        """Leave pip a single place to look into, at a port of this machine."""
        self.variables.update(
            PIP_INDEX_URL=f'http://127.0.0.1:{port}/simple',
            PIP_CONFIG_FILE=os.devnull,
            PIP_NO_CACHE_DIR='1',
        )

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.python, '-m', 'tools.environment'],
            cwd=self.project,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self) -> subprocess.CompletedProcess[str]:
        process = self.start()
        output, errors = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def pretend_to_be_ready(self) -> None:
        """Leave what a finished set-up leaves, as far as a later one looks."""
        (self.environment / 'bin').mkdir(parents=True)
        (self.environment / 'bin' / 'python').symlink_to(self.python)
        code = (
            'from tools.environment.plan import development_plan, write_stamp; '
            'write_stamp(development_plan())'
        )
        command = [self.python, '-c', code]
        subprocess.run(command, cwd=self.project, env=self.variables, check=True)


@pytest.fixture
def machine(tmp_path: Path, repository: Path) -> Machine:
    return Machine(tmp_path, repository)


def assert_one_sentence(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert result.returncode not in (0, None)
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith('error: ')
    for part in parts:
        assert part in lines[0]


@pytest.mark.parametrize('tool', BUILD_TOOLS)
def test_missing_build_tool(machine: Machine, tool: str) -> None:
    (machine.tools / tool).unlink()
    assert_one_sentence(machine.run(), tool, f'apt install {tool}')
    assert not machine.environment.exists()


def test_everything_that_is_missing_is_said_at_once(machine: Machine) -> None:
    for tool in BUILD_TOOLS:
        (machine.tools / tool).unlink()
    assert machine.run().stderr.count('error: ') == len(BUILD_TOOLS)


def test_old_cmake(machine: Machine) -> None:
    machine.add_tool('cmake', 'cmake version 3.18.4')
    assert_one_sentence(machine.run(), 'CMake 3.21 or newer is needed', '3.18')


def test_missing_headers(tmp_path: Path) -> None:
    interpreter = replace(Interpreter.probe(sys.executable), headers=tmp_path)
    with raises(SetupError, f'apt install python{interpreter.series}-dev'):
        machine_checks.require(interpreter, compilers=True)


def test_machine_without_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, 'machine', lambda: 'aarch64')
    with raises(SetupError, 'aarch64', 'ROS 2'):
        machine_checks.require(Interpreter.probe(sys.executable), compilers=True)


def old_interpreters() -> list[Path]:
    """Find the Pythons below 3.10 that pyenv has installed."""
    root = Path(os.environ.get('PYENV_ROOT', Path.home() / '.pyenv'))
    found = {path.parts[-3]: path for path in root.glob('versions/*/bin/python')}
    return [
        path
        for release, path in sorted(found.items())
        if release[0].isdigit() and tuple(map(int, release.split('.')[:2])) < (3, 10)
    ]


@pytest.mark.parametrize(
    'python',
    old_interpreters()
    or [pytest.param(None, marks=pytest.mark.skip(reason='pyenv has no Python below 3.10'))],
    ids=lambda path: path and path.parts[-3],
)
def test_old_python(machine: Machine, python: Path) -> None:
    machine.python = python
    assert_one_sentence(machine.run(), 'Python 3.10 or newer is needed', 'PYTHON=')
    assert not machine.environment.exists()


def test_python_that_cannot_make_environments(machine: Machine) -> None:
    """Debian has ensurepip in a package of its own."""
    machine.add_modules('ensurepip', content="raise ImportError('not installed')")
    series = Interpreter.probe(sys.executable).series
    assert_one_sentence(machine.run(), 'ensurepip', f'apt install python{series}-venv')
    assert not machine.environment.exists()


def test_no_network(machine: Machine) -> None:
    with socket.create_server(('127.0.0.1', 0)) as server:
        closed_port = server.getsockname()[1]
    machine.use_index(closed_port)
    assert_one_sentence(machine.run(), 'the package index cannot be reached', 'check the network')
    assert not machine.environment.exists()


def test_interrupt_leaves_what_was_there_before(machine: Machine) -> None:
    machine.environment.mkdir()
    (machine.environment / 'old').touch()
    with socket.create_server(('127.0.0.1', 0)) as silent_index:
        machine.use_index(silent_index.getsockname()[1])
        process = machine.start()
        connection, _ = silent_index.accept()  # pip is at work
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate()
        connection.close()
    result = subprocess.CompletedProcess(process.args, process.returncode, output, errors)
    assert_one_sentence(result, 'interrupted')
    assert [path.name for path in machine.environment.iterdir()] == ['old']


def test_second_start_does_nothing(machine: Machine) -> None:
    machine.pretend_to_be_ready()
    result = machine.run()
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')


@pytest.mark.parametrize(
    'changed',
    ['requirements/run.txt', 'interfaces/vision_msgs/msg/Point2D.msg', 'build.py'],
)
def test_a_change_of_the_set_up_calls_for_a_new_environment(
    machine: Machine, changed: str
) -> None:
    machine.pretend_to_be_ready()
    with (machine.project / 'tools' / 'environment' / changed).open('a') as file:
        file.write('# changed\n')
    (machine.tools / 'gcc').unlink()
    assert_one_sentence(machine.run(), 'gcc')


def test_half_made_environment_is_not_taken(machine: Machine) -> None:
    (machine.environment / 'bin').mkdir(parents=True)
    (machine.environment / 'bin' / 'python').symlink_to(machine.python)
    (machine.tools / 'gcc').unlink()
    assert_one_sentence(machine.run(), 'gcc')


def test_failure_puts_the_old_environment_back(tmp_path: Path) -> None:
    folder = tmp_path / '.venv'
    folder.mkdir()
    (folder / 'old').touch()
    with pytest.raises(SetupError), build.replacing(folder):
        folder.mkdir()
        (folder / 'new').touch()
        raise SetupError('no')
    assert [path.name for path in folder.iterdir()] == ['old']
    assert [path.name for path in tmp_path.iterdir()] == ['.venv']


def test_sourced_distribution_without_vision_msgs(machine: Machine) -> None:
    machine.variables['ROS_DISTRO'] = 'jazzy'
    machine.add_modules(*(name for name in DISTRIBUTION_MODULES if name != 'vision_msgs'))
    assert_one_sentence(machine.run(), 'jazzy', 'apt install ros-jazzy-vision-msgs')
    assert not machine.environment.exists()


def test_sourced_distribution_needs_no_compiler(machine: Machine) -> None:
    """Its interfaces are compiled already: with no tool on PATH, the set-up comes to the index."""
    machine.variables['ROS_DISTRO'] = 'jazzy'
    machine.add_modules(*DISTRIBUTION_MODULES, content="__version__ = '1.26.4'\n")
    for tool in BUILD_TOOLS:
        (machine.tools / tool).unlink()
    with socket.create_server(('127.0.0.1', 0)) as server:
        closed_port = server.getsockname()[1]
    machine.use_index(closed_port)
    assert_one_sentence(machine.run(), 'the package index cannot be reached')


def test_distribution_that_is_named_but_not_sourced(machine: Machine) -> None:
    machine.variables['ROS_DISTRO'] = 'jazzy'
    assert_one_sentence(machine.run(), 'ROS_DISTRO is jazzy', 'source /opt/ros/jazzy/setup.bash')


def test_unknown_argument(machine: Machine) -> None:
    command = [machine.python, '-m', 'tools.environment', 'matrx']
    result = subprocess.run(
        command, cwd=machine.project, env=machine.variables, capture_output=True, text=True
    )
    assert_one_sentence(result, 'matrx', 'make help')
