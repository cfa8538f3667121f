# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Load a file in a process of its own, under limits; ``load_trial.py`` starts it.

Runs as a script, without our package, which would double the time that it takes to start. The
argument is JSON. The script of the plugin, which it names, has a generator ``load(request,
artifact, content)`` that yields the name of each stage when the stage begins: ``library``, what
else there is, and ``model``. The answer leaves as JSON through standard output: how it ended, and
in which stage.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import runpy
import signal
import sys
from typing import Any

MODEL = 'model'  # the stage that loads and runs what the file says
PR_SET_PDEATHSIG = 1
# Of ONNX Runtime, of C++ and of Python.
OUT_OF_MEMORY = ('Failed to allocate memory', 'bad_alloc', 'out of memory')


def main(wanted: dict[str, Any]) -> None:
    # Vendors print to standard output as well.
    answer = os.fdopen(os.dup(sys.stdout.fileno()), 'w')
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # A crash is expected here, and leaves no core file on the robot.
    limit(resource.RLIMIT_CORE, 0)
    # What is written to, unlike what is reserved, which CUDA and thread pools do in plenty.
    limit(resource.RLIMIT_DATA, wanted['memory_bytes'])
    if sys.platform == 'linux':
        # Who asks for this trial may be ended meanwhile.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    json.dump(attempt(wanted, sys.stdin.buffer.read()), answer)
    answer.close()


def attempt(wanted: dict[str, Any], content: bytes) -> dict[str, str]:
    """Return at which stage it failed and with which words; nothing when all went well."""
    stage = ''
    try:
        load = runpy.run_path(wanted['script'])['load']
        for stage in load(wanted['request'], wanted['artifact'], content):
            if stage == MODEL and wanted['cpu_s']:
                usage = resource.getrusage(resource.RUSAGE_SELF)
                limit(resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime) + wanted['cpu_s'])
    except MemoryError:
        return {'stage': stage, 'kind': 'MemoryError', 'error': 'out of memory'}
    except Exception as error:
        words = str(error)
        full = any(each in words for each in OUT_OF_MEMORY)
        kind = 'MemoryError' if full else type(error).__name__
        return {'stage': stage, 'kind': kind, 'error': words}
    return {}


def limit(which: int, value: int) -> None:
    """Set a limit of this process, unless a lower one holds already."""
    _, hard = resource.getrlimit(which)
    resource.setrlimit(which, (value if hard < 0 else min(value, hard), hard))


if __name__ == '__main__':
    main(json.loads(sys.argv[1]))
    # Without the cleaning up of the interpreter, in which OpenVINO takes its time.
    os._exit(0)
