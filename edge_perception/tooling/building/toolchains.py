# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Install converters that pin every package that they need, each in an environment of its own.

It lies under the XDG data folder, and is only made when a user asks for it; builders call the
converter as a command.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
import shutil
import subprocess
import sys

from edge_perception.contract import BuildError
from edge_perception.contract.fields import did_you_mean
from edge_perception.contract.user_files import data_folder

MEGABYTE = 1 << 20
STAMP = 'requirements.txt'  # written last: what is without it was never finished


@dataclass(frozen=True, slots=True)
class Toolchain:
    """
    One set of converters.

    :param requirements: with exact versions.
    :param command: what builders call, in its folder bin.
    :param python: oldest version that it works with.
    :param size_mb: on the disk, measured.
    """

    name: str
    requirements: tuple[str, ...]
    command: str
    python: tuple[int, int]
    size_mb: int


TOOLCHAINS: Mapping[str, Toolchain] = {
    'tflite': Toolchain(
        name='tflite',
        # From this version on it writes TFLite without TensorFlow; it pins all that it needs.
        requirements=('onnx2tf==2.6.9',),
        command='onnx2tf',
        python=(3, 12),
        size_mb=661,
    )
}


def toolchain(name: str) -> Toolchain:
    """
    Return a toolchain.

    :raises BuildError: there is none of this name.
    """
    if name not in TOOLCHAINS:
        known = ', '.join(TOOLCHAINS)
        hint = did_you_mean(name, TOOLCHAINS)
        raise BuildError(f'toolchain {name!r}: expected one of {known}{hint}')
    return TOOLCHAINS[name]


def toolchain_folder(name: str) -> Path:
    """Return where a toolchain lies or would lie."""
    return data_folder() / 'toolchains' / name


def is_installed(chain: Toolchain) -> bool:
    """Tell whether it is there, whole, and of the versions that we want."""
    folder = toolchain_folder(chain.name)
    try:
        written = (folder / STAMP).read_text(encoding='utf-8').split()
    except OSError:
        return False
    return tuple(written) == chain.requirements and (folder / 'bin' / chain.command).is_file()


def find_python(chain: Toolchain, wanted: str = '') -> str:
    """
    Return an interpreter that is new enough.

    :param wanted: this one; empty: the one that runs us, else the newest on the path.
    :raises BuildError: there is none.
    """
    newest = range(chain.python[1] + 8, chain.python[1] - 1, -1)
    candidates = [wanted] if wanted else [sys.executable, *(f'python3.{n}' for n in newest)]
    mute = []  # those of version managers stand on the path without being switched on
    for path in filter(None, map(shutil.which, candidates)):
        version = _python_version(path)
        if version >= chain.python:
            return path
        if not version:
            mute.append(path)
    needed = '.'.join(map(str, chain.python))
    found = f'{wanted} is none' if wanted else 'there is none on the path'
    found += f' ({", ".join(mute)}: cannot be run)' if mute else ''
    raise BuildError(
        f'toolchain {chain.name}: needs Python {needed} or newer, and {found}; install one, e.g. '
        f'apt install python{needed} python{needed}-venv, or name it with --python'
    )


def install(chain: Toolchain, python: str, progress: Callable[[str], object]) -> Path:
    """
    Install a toolchain, whole or not at all, and return its folder.

    :param python: a new enough interpreter.
    :param progress: takes what is being done.
    :raises BuildError: there is no room, or pip fails.
    """
    folder = toolchain_folder(chain.name)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder.parent).free // MEGABYTE
        if free < 2 * chain.size_mb:  # pip unpacks beside what it has fetched
            raise BuildError(
                f'toolchain {chain.name}: needs {2 * chain.size_mb} MB while it is installed, '
                f'{folder.parent} has {free}; free some, or set XDG_DATA_HOME to another disk'
            )
        shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise BuildError(f'{folder}: {error.strerror}; check the permissions') from error
    try:
        progress('making an environment')
        _run([python, '-m', 'venv', str(folder)], chain)
        progress(f'fetching {", ".join(chain.requirements)}')
        pip = [str(folder / 'bin' / 'python'), '-m', 'pip', 'install', '--quiet']
        _run([*pip, '--disable-pip-version-check', *chain.requirements], chain)
        (folder / STAMP).write_text('\n'.join(chain.requirements) + '\n', encoding='utf-8')
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _run(command: list[str], chain: Toolchain) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise BuildError(
            f'toolchain {chain.name}: {Path(command[0]).name} {" ".join(command[1:3])} failed: '
            f'{said[-1] if said else done.returncode}; check the network and the disk, then repeat'
        )


def _python_version(path: str) -> tuple[int, ...]:
    code = 'import sys; print(*sys.version_info[:2])'
    done = subprocess.run([path, '-c', code], capture_output=True, text=True, check=False)
    return tuple(map(int, done.stdout.split())) if done.returncode == 0 else ()
