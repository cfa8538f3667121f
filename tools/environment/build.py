# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Makes an environment, step by step; what fails leaves behind what was there before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
from pathlib import Path
import shutil
import subprocess

from tools.environment import checks
from tools.environment import interfaces
from tools.environment import packages
from tools.environment.distribution import numpy_version
from tools.environment.errors import SetupError
from tools.environment.interpreter import clean_environment
from tools.environment.plan import is_complete
from tools.environment.plan import is_package_current
from tools.environment.plan import Plan
from tools.environment.plan import REQUIREMENTS
from tools.environment.plan import ROOT
from tools.environment.plan import write_stamp
from tools.environment.progress import Progress

# Python runs each line of a .pth file that starts with "import". Its name sorts before that of
# the wheels' own, which restarts Python with the library path set, and so with this variable too.
ACTIVATION_NAME = 'edge_perception_environment.pth'
ACTIVATION = (
    'import os, sys; '
    "p = [e for e in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if e]; "
    "os.environ['AMENT_PREFIX_PATH'] = os.pathsep.join(p + [sys.prefix] * (sys.prefix not in p))\n"
)


def ensure(plan: Plan) -> None:
    """
    Make the environment of the plan, or do nothing where it is there already.

    :raises SetupError: with all that is missing on this machine.
    """
    if is_complete(plan) and is_package_current(plan):
        return
    workshop = ROOT / 'build' / 'environment' / plan.folder.name
    workshop.mkdir(parents=True, exist_ok=True)
    with _lock(workshop / 'lock'):
        log = workshop / 'log.txt'
        if not is_complete(plan):
            log.write_text('', encoding='utf-8')
            _make(plan, workshop=workshop, log=log)
        elif not is_package_current(plan):
            progress = Progress(1)
            with progress.step('installing edge_perception with its new entry points'):
                _install_package(plan, log)
            write_stamp(plan)


def _make(plan: Plan, *, workshop: Path, log: Path) -> None:
    checks.require_venv(plan.interpreter)
    if not plan.sourced:
        checks.require_build_tools(plan.interpreter)
    print(f'Preparing {plan.folder} ({plan.title}); everything that is printed goes to {log}')
    steps = _pip_steps(plan, workshop)
    compiled = () if plan.sourced else interfaces.PACKAGES
    progress = Progress(2 + len(steps) + len(compiled))
    with replacing(plan.folder):
        with progress.step('making a virtual environment (about 5 s)'):
            _make_venv(plan, log)
            if not plan.sourced:
                (_site_packages(plan) / ACTIVATION_NAME).write_text(ACTIVATION, encoding='utf-8')
        for what, effort, arguments in steps:
            with progress.step(f'installing {what} with pip (about {effort})'):
                packages.install(plan.folder, arguments, what=what, log=log)
        for package in compiled:
            with progress.step(f'compiling {package.name} (about {package.seconds} s)'):
                interfaces.build(
                    package,
                    interpreter=plan.interpreter,
                    folder=plan.folder,
                    scratch=workshop / package.name,
                    log=log,
                )
        with progress.step('installing edge_perception itself, editable (about 3 s)'):
            _install_package(plan, log)
        write_stamp(plan)
    progress.close('The environment is ready')


def _make_venv(plan: Plan, log: Path) -> None:
    command: list[str | Path] = [plan.interpreter.path, '-m', 'venv', plan.folder]
    if plan.system_site_packages:
        command.insert(-1, '--system-site-packages')
    result = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment(),
    )
    log.write_text(result.stdout, encoding='utf-8')
    if result.returncode != 0:
        raise SetupError(
            f'{plan.interpreter.path} could not make a virtual environment; '
            f'what it printed is in {log}'
        )


def _pip_steps(plan: Plan, workshop: Path) -> list[tuple[str, str, list[str | Path]]]:
    """List what is installed from PyPI: what it is, about how much, and pip's arguments."""
    constraints: list[str | Path] = ['-c', REQUIREMENTS / 'constraints.txt']
    arrays: list[str | Path] = ['-r', REQUIREMENTS / plan.arrays]
    if not plan.arrays:
        # What is compiled against the interpreter's own NumPy, a distribution's messages above
        # all, must go on finding it.
        own = workshop / 'numpy.txt'
        own.write_text(f'numpy=={numpy_version(plan.interpreter)}\n', encoding='utf-8')
        arrays = ['-c', own]
    run: list[str | Path] = [*arrays]
    for name in ('run.txt', 'tooling.txt'):
        run += ['-r', REQUIREMENTS / name]
    development: list[str | Path] = [*arrays, '-r', REQUIREMENTS / 'development.txt', *constraints]
    if plan.sourced:
        # No constraints on what runs: an old NumPy needs old versions of the others.
        return [
            ('libraries', '60 packages, 300 MB, 40 s', run),
            ('development tools', '50 packages, 50 MB, 20 s', development),
        ]
    ros: list[str | Path] = ['-r', REQUIREMENTS / f'ros-{plan.ros}.txt', *arrays, *constraints]
    return [
        ('ROS 2', '92 packages, 65 MB, 15 s', ros),
        ('libraries and development tools', '95 packages, 320 MB, 40 s', [*run, *development]),
    ]


def _install_package(plan: Plan, log: Path) -> None:
    packages.install(
        plan.folder,
        ['--no-deps', '--no-build-isolation', '--editable', ROOT],
        what='edge_perception',
        log=log,
    )


def _site_packages(plan: Plan) -> Path:
    return plan.folder / 'lib' / f'python{plan.interpreter.series}' / 'site-packages'


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
