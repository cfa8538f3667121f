# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Make an environment, step by step; a failure leaves the environment that was there before."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
from functools import partial
import os
from pathlib import Path
import re
import shutil
import sys
import time
from typing import TypeAlias

from tools.environment import machine
from tools.environment.machine import clean_environment
from tools.environment.machine import logged
from tools.environment.machine import SetupError
from tools.environment.plan import development_plan
from tools.environment.plan import EnvironmentPlan
from tools.environment.plan import HERE
from tools.environment.plan import REQUIREMENTS
from tools.environment.plan import ROOT
from tools.environment.plan import stale
from tools.environment.plan import write_stamp

# Python runs each line of a .pth file that starts with "import". Its name sorts before that of
# the wheels' own, which restarts Python with the library path set, and so with this variable too.
ACTIVATION_NAME = 'edge_perception_environment.pth'
ACTIVATION = (
    'import os, sys; '
    "p = [e for e in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if e]; "
    "os.environ['AMENT_PREFIX_PATH'] = os.pathsep.join(p + [sys.prefix] * (sys.prefix not in p))\n"
)
PIP_OPTIONS = ('--disable-pip-version-check', '--no-input', '--progress-bar=off', '--retries=2')
NUMPY_VERSION = 'import json, numpy; print(json.dumps(numpy.__version__))'
# What pip prints while it cannot reach an index; it then ends with "No matching distribution".
UNREACHABLE = re.compile(
    r'NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError'
    r'|SSLError|Connection refused|Network is unreachable|Temporary failure in name resolution'
)
DEFINITIONS = HERE / 'interfaces'
# By name, whose definitions are in interfaces/<name>/msg: version, seconds to build on two cores,
# and dependencies.
INTERFACES = {
    'vision_msgs': ('4.1.1', 20, ('std_msgs', 'geometry_msgs')),
    'tf2_msgs': ('0.41.0', 6, ('geometry_msgs',)),
}
# What it does, about how long, and the function that does it.
Step: TypeAlias = tuple[str, Callable[[], None]]


def main(arguments: list[str]) -> int:
    """Prepare .venv, and return an exit status."""
    if arguments:
        words = ' '.join(arguments)
        print(f'error: got {words}, expected no arguments; make help', file=sys.stderr)
        return 2
    try:
        ensure(development_plan())
    except SetupError as error:
        print(*(f'error: {each}' for each in error.problems), sep='\n', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('error: interrupted; nothing half-made was left, run again', file=sys.stderr)
        return 130
    return 0


def ensure(plan: EnvironmentPlan) -> None:
    """
    Make the environment of the plan, or do nothing where it is there already.

    :raises SetupError: with all that is missing on this machine.
    """
    if not stale(plan):
        return
    plan.workshop.mkdir(parents=True, exist_ok=True)
    with _lock(plan.workshop / 'lock'):
        again = stale(plan)
        if 'environment' in again:
            machine.require(plan.interpreter, compilers=not plan.sourced)
            origin = 'as it is sourced' if plan.sourced else 'from PyPI'
            release = '.'.join(map(str, plan.interpreter.version))
            print(f'Preparing {plan.folder}: ROS 2 {plan.ros} {origin}, Python {release}; '
                  f'the log is {plan.log}')  # fmt: skip
            plan.log.write_text('', encoding='utf-8')
            with replacing(plan.folder):
                making = ('making a virtual environment (about 5 s)', partial(_make_venv, plan))
                run([making, *filling(plan)])
                write_stamp(plan)
        elif again:
            what = 'installing edge_perception with its new entry points'
            run([(what, partial(_install_package, plan))])
            write_stamp(plan)


def run(steps: list[Step]) -> None:
    """Do one step after the other; print what it does and how long it took."""
    started = time.monotonic()
    for number, (text, do) in enumerate(steps, start=1):
        print(f'[{number}/{len(steps)}] {text} ... ', end='', flush=True)
        begun = time.monotonic()
        try:
            do()
        except BaseException:
            print('stopped', flush=True)
            raise
        print(f'done in {time.monotonic() - begun:.0f} s', flush=True)
    print(f'The environment is ready after {time.monotonic() - started:.0f} s', flush=True)


def filling(plan: EnvironmentPlan) -> list[Step]:
    """Return the steps that put everything into a new virtual environment."""
    steps: list[Step] = [
        (f'installing {what} with pip (about {effort})', partial(_pip, plan, arguments, what))
        for what, effort, arguments in _requirements(plan)
    ]
    for name, (_, seconds, _) in () if plan.sourced else INTERFACES.items():
        compiling = partial(_build_interfaces, name, plan)
        steps.append((f'compiling {name} (about {seconds} s)', compiling))
    what = 'installing edge_perception itself, editable (about 3 s)'
    return [*steps, (what, partial(_install_package, plan))]


def _make_venv(plan: EnvironmentPlan) -> None:
    command: list[str | Path] = [plan.interpreter.path, '-m', 'venv', plan.folder]
    if plan.sourced:
        command.append('--system-site-packages')
    if machine.logged(command, plan.log).returncode != 0:
        raise SetupError(
            f'{plan.interpreter.path} could not make a virtual environment; '
            f'what it printed is in {plan.log}'
        )


def _requirements(plan: EnvironmentPlan) -> list[tuple[str, str, list[str | Path]]]:
    """List what is installed from PyPI: what it is, about how much, and pip's arguments."""
    constraints: list[str | Path] = ['-c', REQUIREMENTS / 'constraints.txt']
    libraries, development = _files('run', 'tooling'), [*_files('development'), *constraints]
    if not plan.sourced:
        arrays = [*_files(plan.arrays), *constraints]
        everything = [*arrays, *libraries, *development]
        return [
            ('ROS 2', '92 packages, 65 MB, 15 s', [*_files(f'ros-{plan.ros}'), *arrays]),
            ('libraries and development tools', '105 packages, 320 MB, 40 s', everything),
        ]
    # What is compiled against the distribution's own NumPy must go on finding it. No constraints
    # on what runs: an old NumPy needs old versions of the others.
    own = plan.workshop / 'numpy.txt'
    own.write_text(f'numpy=={machine.ask(plan.interpreter.path, NUMPY_VERSION)}\n')
    return [
        ('libraries', '60 packages, 300 MB, 40 s', ['-c', own, *libraries]),
        ('development tools', '60 packages, 50 MB, 20 s', ['-c', own, *development]),
    ]


def _files(*names: str) -> list[str | Path]:
    return [part for name in names for part in ('-r', REQUIREMENTS / f'{name}.txt')]


def _pip(plan: EnvironmentPlan, arguments: list[str | Path], what: str) -> None:
    pip: list[str | Path] = [plan.python, '-m', 'pip', 'install', *PIP_OPTIONS]
    result = machine.logged([*pip, *arguments], plan.log)
    if result.returncode == 0:
        return
    if UNREACHABLE.search(result.stdout):
        raise SetupError(
            f'the package index cannot be reached, so that {what} cannot be installed; check the '
            f'network, the proxy and the settings of pip (pip config list), and run again; '
            f'the output of pip is in {plan.log}'
        )
    # Errors of a single word, such as "metadata-generation-failed", only say that there was one.
    errors = re.findall(r'^ *error: (.* .*)$', result.stdout, re.IGNORECASE | re.MULTILINE)
    reason = errors[-1] if errors else 'it gave no reason'
    raise SetupError(f'pip could not install {what}: {reason}; the output of pip is in {plan.log}')


def _install_package(plan: EnvironmentPlan) -> None:
    if not plan.sourced:
        (plan.site_packages / ACTIVATION_NAME).write_text(ACTIVATION, encoding='utf-8')
    _pip(plan, ['--no-deps', '--no-build-isolation', '--editable', ROOT], 'edge_perception')


@contextmanager
def replacing(folder: Path) -> Iterator[None]:
    """Put the old folder back unless the block ends well, so that nothing half-made stays."""
    previous = folder.with_name(f'{folder.name}.previous')
    if folder.exists():
        shutil.rmtree(previous, ignore_errors=True)
        folder.rename(previous)
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if previous.exists():
            previous.rename(folder)
        raise
    shutil.rmtree(previous, ignore_errors=True)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Let one process at a time make an environment; the lock ends with the process."""
    with path.open('w', encoding='utf-8') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print('Waiting for another process that prepares the same environment', flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build_interfaces(name: str, plan: EnvironmentPlan) -> None:
    """
    Generate, compile and install an interface package that PyPI lacks.

    It goes into the environment itself: the wheels keep ROS in the environment's lib and share, so
    that no variable has to be set to find ours beside them. The source stays in the workshop.

    :raises SetupError: it could not be built.
    """
    source = plan.workshop / name
    shutil.rmtree(source, ignore_errors=True)
    _write_source(name, source)
    folder, binary = plan.folder, source / 'build'
    variables = clean_environment() | {
        'CMAKE_PREFIX_PATH': str(folder),
        'AMENT_PREFIX_PATH': str(folder),
        'LD_LIBRARY_PATH': str(folder / 'lib'),
    }
    variables['PATH'] = f'{folder / "bin"}{os.pathsep}{variables["PATH"]}'
    commands: list[list[str | Path]] = [
        [
            'cmake', '-S', source, '-B', binary,
            f'-DCMAKE_INSTALL_PREFIX={folder}',
            f'-DPython3_EXECUTABLE={plan.python}',
            f'-DPYTHON_INSTALL_DIR={plan.site_packages.relative_to(folder)}',
            '-DCMAKE_BUILD_TYPE=Release',
            '-DBUILD_TESTING=OFF',
        ],
        ['cmake', '--build', binary, '--parallel', str(os.cpu_count() or 1)],
        ['cmake', '--install', binary],
    ]  # fmt: skip
    for command in commands:
        if logged(command, plan.log, environment=variables).returncode != 0:
            raise SetupError(f'{name} could not be built; the output of CMake is in {plan.log}')


def _write_source(name: str, source: Path) -> None:
    version, _, dependencies = INTERFACES[name]
    values = {
        '@name@': name,
        '@version@': version,
        '@dependencies@': ' '.join(dependencies),
        '@depend_elements@': '\n  '.join(f'<depend>{each}</depend>' for each in dependencies),
    }
    shutil.copytree(DEFINITIONS / name, source)
    for template in DEFINITIONS.glob('*.in'):
        text = template.read_text(encoding='utf-8')
        for mark, value in values.items():
            text = text.replace(mark, value)
        (source / template.stem).write_text(text, encoding='utf-8')
