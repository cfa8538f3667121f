# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Install Gazebo Classic 11 in a folder, for machines whose distribution has none.

Debian 11 was the last one with Gazebo 11. Its packages go into a folder of their own; nothing of
the machine is changed. Needs root, because only root may change into such a folder.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
import os
from pathlib import Path
import shutil
import subprocess
from tempfile import TemporaryDirectory
import time

from edge_perception.simulation.nodes.processes import Process

HERE = Path(__file__).resolve().parent
RELEASE = 'bullseye'
# A process that this namespace belongs to takes everything in it along when it ends.
NAMESPACES = ('unshare', '--mount', '--pid', '--fork', '--kill-child')
# Enough for slow mirrors.
BUILD_PATIENCE_S = 1200.0
LIST_PATIENCE_S = 180.0
NEEDED = ('debootstrap', 'unshare', 'chroot')


class GazeboError(Exception):
    """Gazebo is not available or did not start; the message says why."""


def make_folder(build: Path, *, say: Callable[[str], None]) -> Path:
    """
    Return the folder, made on the first call.

    :param build: where it is kept, with the log of its making.
    :param say: told what takes long, and how long it took.
    :raises GazeboError: it cannot be made.
    """
    folder = build / RELEASE
    if folder.is_dir():
        return folder
    problem = why_not()
    if problem:
        raise GazeboError(problem)
    build.mkdir(parents=True, exist_ok=True)
    partial = build / f'{RELEASE}.partial'
    # Left behind by a power cut. Its mounts are gone with their namespace.
    shutil.rmtree(partial, ignore_errors=True)
    say(f'making a folder with Gazebo 11 of Debian 11 in {folder}, once; this takes minutes')
    started = time.monotonic()
    log = build / 'folder.log'
    try:
        _build(partial, log)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    partial.rename(folder)
    say(f'made in {time.monotonic() - started:.0f} s, {_megabytes(folder):.0f} MB')
    return folder


def _megabytes(folder: Path) -> float:
    """Return what the files take on the disk, each inode once."""
    found = (path.lstat() for path in folder.rglob('*'))
    return sum({each.st_ino: each.st_blocks * 512 for each in found}.values()) / 1e6


def why_not() -> str:
    """Say why a folder cannot be made here; empty when it can."""
    if os.geteuid() != 0:
        return (
            'Gazebo is not installed, and a folder with it can be made by root only; install '
            'Gazebo Classic 11, or run as root on Debian'
        )
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        return (
            f'Gazebo is not installed, and to make a folder with it {", ".join(missing)} is '
            'missing; on Debian or Ubuntu: apt-get install debootstrap util-linux'
        )
    return ''


def why_no_packages(build: Path) -> str:
    """
    Say why no mirror gives the packages of the folder; empty when one does, or none is needed.

    :param build: where the folder is kept, which may have been made before.
    """
    if (build / RELEASE).is_dir():
        return ''
    with TemporaryDirectory() as scratch:
        # Gets and checks the lists of packages, as the making of the folder begins.
        command = ['debootstrap', '--print-debs', RELEASE, f'{scratch}/folder']
        try:
            _run(command, log=Path(scratch, 'log'), patience_s=LIST_PATIENCE_S)
        except GazeboError as error:
            return f'Gazebo is not installed, and a folder with it cannot be made: {error}'
    return ''


def _build(partial: Path, log: Path) -> None:
    command = ['nice', '-n', '19', *NAMESPACES, 'sh', str(HERE / 'build.sh'), str(partial)]
    try:
        _run(command, log=log, patience_s=BUILD_PATIENCE_S)
    except GazeboError as error:
        raise GazeboError(f'the folder cannot be made: {error}; see {log}') from error


def _run(command: Sequence[str], *, log: Path, patience_s: float) -> None:
    """
    Run what takes a mirror as its last argument.

    :raises GazeboError: it failed, with its last words, or took too long.
    """
    process = Process('debootstrap', [*command, *_mirror()], log=log, environment=os.environ)
    try:
        status = process.wait(patience_s)
    finally:
        process.kill()
    if status is None:
        raise GazeboError(f'debootstrap did not end in {patience_s:g} s')
    if status != 0:
        last = process.output().strip().splitlines()[-1:]
        raise GazeboError(last[0] if last else f'debootstrap ended with status {status}')


def _mirror() -> list[str]:
    """Return the mirror that apt of this machine uses; nothing where that is not Debian's."""
    if shutil.which('apt-get') is None:
        return []
    done = subprocess.run(
        ['apt-get', 'indextargets', '--format', '$(REPO_URI)', 'Origin: Debian', 'Label: Debian'],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.split()[:1]
