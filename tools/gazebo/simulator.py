# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Start Gazebo Classic as a process: the installed one, or the one in the folder."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
import os
from pathlib import Path
import shutil
import socket
import subprocess
import time

from edge_perception.simulation.nodes.processes import Process
from tools.gazebo.folder import GazeboError
from tools.gazebo.folder import HERE
from tools.gazebo.folder import make_folder
from tools.gazebo.folder import NAMESPACES

START_PATIENCE_S = 90.0
POLL_S = 0.1
INSTALLED_MESSAGES = Path('/usr/include/gazebo-11/gazebo/msgs/proto')
MESSAGES = ('packet', 'subscribe', 'publish', 'poses_stamped', 'image_stamped')
NEEDED = ('gzserver', 'Xvfb', 'protoc')


@dataclass(frozen=True, slots=True)
class Gazebo:
    """
    Where Gazebo is.

    :param prefix: of each command.
    :param start: the script that starts it, as it finds it.
    :param media: folder for worlds.
    :param seen_as: the same as Gazebo finds it.
    :param descriptors: of its messages, see ``tools.gazebo.transport``.
    """

    name: str
    prefix: tuple[str, ...]
    start: str
    media: Path
    seen_as: str
    descriptors: Path

    def check(self, world: Path) -> str:
        """Return what ``gz sdf --check`` says about a world."""
        done = subprocess.run(
            [*self.prefix, 'gz', 'sdf', '--check', f'{self.seen_as}/{world.name}'],
            capture_output=True,
            text=True,
            timeout=START_PATIENCE_S,
            check=False,
        )
        return (done.stdout + done.stderr).strip()

    def run(self, world: Path, *, port: int, log: Path) -> Process:
        """
        Start it, without waiting for it.

        :param world: in ``media``.
        """
        environment = {
            'PATH': os.environ.get('PATH', '/usr/bin:/bin'),
            'HOME': '/tmp',
            'LIBGL_ALWAYS_SOFTWARE': '1',
            'GAZEBO_MASTER_URI': f'http://127.0.0.1:{port}',
            'GAZEBO_IP': '127.0.0.1',
            # Empty: nothing is fetched from any server of models.
            'GAZEBO_MODEL_DATABASE_URI': '',
        }
        command = [*self.prefix, 'sh', self.start, f'{self.seen_as}/{world.name}']
        return Process('Gazebo', command, log=log, environment=environment)


def find_gazebo(build: Path, *, say: Callable[[str], None]) -> Gazebo:
    """
    Return the Gazebo of this machine, or make the folder.

    :param build: folder for what is made.
    :raises GazeboError: there is none.
    """
    media = build / 'worlds'
    if shutil.which('gzserver'):
        media.mkdir(parents=True, exist_ok=True)
        descriptors = _describe(build)
        start = str(HERE / 'start.sh')
        return Gazebo('installed', (), start, media, str(media), descriptors)
    folder = make_folder(build, say=say)
    media = folder / 'srv' / 'worlds'
    media.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / 'start.sh', folder / 'srv' / 'start.sh')
    prefix = (*NAMESPACES, 'sh', str(HERE / 'enter.sh'), str(folder))
    descriptors = folder / 'opt' / 'gazebo.desc'
    return Gazebo('folder', prefix, '/srv/start.sh', media, '/srv/worlds', descriptors)


def wait_for(process: Process, *, port: int) -> None:
    """
    Wait until the master of Gazebo listens.

    :raises GazeboError: it ended, or it takes too long.
    """

    def listening() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(('127.0.0.1', port)) == 0

    wait_until(listening, [process], START_PATIENCE_S)


def wait_until(
    ready: Callable[[], bool], alive: Sequence[Process], patience_s: float = START_PATIENCE_S
) -> None:
    """
    Wait until something is ready.

    :raises GazeboError: one of the processes ended meanwhile, or it takes too long.
    """
    end = time.monotonic() + patience_s
    while not ready():
        for process in alive:
            status = process.status()
            if status:
                raise GazeboError(f'{process.name} ended with status {status}; '
                                  f'{process.explained()}')  # fmt: skip
        if time.monotonic() > end:
            last = alive[0]
            raise GazeboError(f'{last.name} is not ready after {patience_s:g} s; '
                              f'{last.explained()}')  # fmt: skip
        time.sleep(POLL_S)


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])


def _describe(build: Path) -> Path:
    """Describe the messages of the installed Gazebo."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing or not INSTALLED_MESSAGES.is_dir():
        names = ', '.join(missing) or str(INSTALLED_MESSAGES)
        raise GazeboError(
            f'Gazebo is installed, but {names} is missing; apt-get install libgazebo-dev xvfb '
            'protobuf-compiler'
        )
    descriptors = build / 'gazebo.desc'
    subprocess.run(
        ['protoc', '-I.', '--include_imports', f'--descriptor_set_out={descriptors.resolve()}']
        + [f'{name}.proto' for name in MESSAGES],
        cwd=INSTALLED_MESSAGES,
        check=True,
    )
    return descriptors
