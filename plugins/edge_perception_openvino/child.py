# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Reads a network in a process of its own, because some files end the process that reads them.

Runs as a script: arguments are the module of the vendor and the file; what the vendor complains
of leaves as JSON through standard output.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
from typing import Any


def main(library: str, artifact: str) -> None:
    # Vendors print to standard output as well.
    answer = os.fdopen(os.dup(sys.stdout.fileno()), 'w')
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # A crash is expected here, and leaves no core file on the robot.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    json.dump(attempt(library, artifact), answer)
    answer.close()


def attempt(library: str, artifact: str) -> dict[str, str]:
    """Return at which stage it failed and with which words; nothing when all went well."""
    stage = 'library'
    modules: dict[str, Any] = sys.modules
    modules['openvino_telemetry'] = None  # as library.py does, which says why
    try:
        core = importlib.import_module(library).Core()
        stage = 'model'
        core.read_model(artifact)
    except Exception as error:
        return {'stage': stage, 'error': str(error)}
    return {}


if __name__ == '__main__':
    # The modules beside this script must not stand for anybody else's.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path = [path for path in sys.path if os.path.abspath(path) != here]
    main(*sys.argv[1:])
    # Without the cleaning up of the interpreter, in which OpenVINO takes its time.
    os._exit(0)
