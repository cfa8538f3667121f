# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Run functions of this package in a process of their own, which may crash or hang.

``values_from`` is the parent's side, ``main`` the child's. The child writes lines of JSON to what
was its standard output; what plugins and vendors print goes to its standard error.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from importlib import import_module
import json
import os
import subprocess
import sys
import tempfile
from threading import Timer
from typing import Any

from edge_perception.contract.errors import in_words
from edge_perception.contract.loading.load_trial import ending
from edge_perception.contract.loading.load_trial import last_line

# A module of the working folder must not stand for one of ours, as it would with ``-m``.
START = (
    'import sys; sys.path[:] = [*filter(None, sys.path)]; from runpy import run_module; '
    "sys.argv.pop(0); run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
)


class ChildFailedError(Exception):
    """A child process crashed, hung or raised; the text says which, in words."""


def module_command(module: str) -> list[str]:
    """Return the command that runs a module of this package, from whatever folder."""
    return [sys.executable, '-c', START, module]


def child_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which a child finds the modules that this process finds."""
    path = os.pathsep.join(filter(None, map(os.path.abspath, filter(None, sys.path))))
    return {**(os.environ if environ is None else environ), 'PYTHONPATH': path}


def values_from(
    module: str,
    function: str,
    arguments: Sequence[Any] = (),
    *,
    quiet_s: float,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Any]:
    """
    Give what a generator function yields in a process of its own; values that JSON can hold.

    :param quiet_s: seconds after which a child that gives nothing is ended.
    :raises ChildFailedError: it crashed, hung or raised.
    """
    hung: list[bool] = []
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [*module_command(__name__), module, function, json.dumps(arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=child_environment(environ),
        ) as child,
    ):
        assert child.stdout is not None

        def end() -> None:
            hung.append(True)
            child.kill()

        try:
            while True:
                timer = Timer(quiet_s, end)
                timer.start()
                line = child.stdout.readline()
                timer.cancel()
                if not line:
                    break
                yield json.loads(line)
        finally:
            timer.cancel()
            child.kill()
        status = child.wait()
        errors.seek(0)
        said = last_line(errors.read())
    if hung:
        raise ChildFailedError(f'gave no answer within {quiet_s:g} s')
    if status != 0:
        raise ChildFailedError(f'ended with {ending(status)}: {said}')


def main() -> None:
    """Run the function that the arguments name, and print what it yields."""
    module, function, arguments = sys.argv[-3:]
    answers = os.fdopen(os.dup(1), 'w', encoding='utf-8')
    os.dup2(2, 1)
    try:
        for value in getattr(import_module(module), function)(*json.loads(arguments)):
            print(json.dumps(value, default=str), file=answers, flush=True)
    except Exception as error:
        sys.stderr.write(f'{in_words(error)}\n')
        sys.stderr.flush()
        os._exit(1)
    answers.flush()
    # What a plugin left running must not keep the process.
    os._exit(0)


if __name__ == '__main__':
    main()
