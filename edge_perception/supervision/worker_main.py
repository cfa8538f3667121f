# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Begin the process of an engine; ``worker_process.py`` starts this file as a script.

The interpreter may be that of another virtual environment and may lack everything, so until that
is checked only the standard library is imported.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import os
import signal
import socket
import sys

OLDEST = (3, 10)
NEEDED = ('numpy', 'yaml', 'pluggy')
INSTALLED_AS = {'yaml': 'PyYAML'}
PR_SET_PDEATHSIG = 1


def main(link: socket.socket, order: int, parent: int, folders: list[str]) -> None:
    """
    Serve requests until the other side of the socket is closed.

    :param order: descriptor of a pickled ``WorkOrder``.
    :param parent: process that started this one.
    :param folders: where our package and that of the plugin lie, for another interpreter.
    """
    link.set_inheritable(False)  # a process that the engine starts must not keep it open
    if sys.platform == 'linux':
        # Also of an engine that hangs and never reads the socket again.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    problem = lacking()
    if not problem:
        # At the end, so that the interpreter's own NumPy comes first.
        sys.path += folders
        try:
            importlib.import_module('edge_perception.contract')
        except ImportError as error:
            problem = ' '.join(str(error).split()), 'install it in its virtual environment'
    if problem:
        refuse(link, *problem)
    else:
        from edge_perception.supervision.engine_server import serve

        serve(link, order)


def lacking() -> tuple[str, str] | None:
    """Return why this interpreter cannot run an engine, and the remedy; None when it can."""
    version = '.'.join(map(str, sys.version_info[:2]))
    if sys.version_info[:2] < OLDEST:
        return f'is Python {version}', 'give one of Python 3.10 or later'
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        names = ' '.join(INSTALLED_AS.get(name, name) for name in missing)
        return f'has no {names}', f'install it with {sys.executable} -m pip install {names}'
    return None


def refuse(link: socket.socket, reason: str, remedy: str) -> None:
    """Answer the first request with why nothing can be served."""
    sequence = json.loads(link.recv(1 << 16))['sequence']
    reason = f'{sys.executable} {reason}'
    words = {
        'sequence': sequence,
        'error': 'EngineUnavailableError',
        'words': f'{reason}; {remedy}',
        'fields': {'reason': reason, 'remedy': remedy},
    }
    link.send(json.dumps(words).encode())


if __name__ == '__main__':
    # Python puts the folder of this file there, whose modules no plugin means.
    del sys.path[0]
    socket_, order_, parent_ = map(int, sys.argv[1:4])
    main(socket.socket(fileno=socket_), order_, parent_, json.loads(sys.argv[4]))
    # Without the cleaning up of the interpreter, in which vendors take their time.
    os._exit(0)
