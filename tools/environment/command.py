# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The commands behind the Makefile."""

from __future__ import annotations

import os
import sys

from tools.environment import build
from tools.environment import distribution
from tools.environment import matrix
from tools.environment.errors import SetupError
from tools.environment.interpreter import Interpreter
from tools.environment.plan import Plan
from tools.environment.plan import ROOT

USAGE = 'usage: python3 -m tools.environment [matrix [PYTEST ARGUMENT ...]]'


def main(arguments: list[str]) -> int:
    try:
        if not arguments:
            build.ensure(development_plan())
            return 0
        if arguments[0] == 'matrix':
            return matrix.run(arguments[1:])
    except SetupError as error:
        for problem in error.problems:
            print(f'error: {problem}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('error: interrupted; nothing half-made was left, run again', file=sys.stderr)
        return 130
    print(f'error: unknown arguments {" ".join(arguments)}; {USAGE}', file=sys.stderr)
    return 2


def development_plan() -> Plan:
    """Return the environment of `make test`: beside a sourced distribution, else with wheels."""
    folder = ROOT / '.venv'
    sourced = distribution.find_sourced(os.environ)
    if sourced is None:
        return Plan(folder, Interpreter.probe(sys.executable))
    distribution.require_packages(sourced)
    return Plan(
        folder, Interpreter.probe(sourced.python), ros=sourced.name, sourced=True, arrays=''
    )
