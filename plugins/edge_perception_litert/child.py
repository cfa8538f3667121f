# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Tries a model in a process of its own, because a damaged file or delegate kills the process.

Runs as a script, without our package, which would double the time that it takes to start. The
model comes through standard input, what to do with it as JSON in the first argument, the answer
leaves as JSON through standard output.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
from typing import Any


def main() -> None:
    # Vendors print to standard output as well.
    answer = os.fdopen(os.dup(sys.stdout.fileno()), 'w')
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # A crash is expected here, and leaves no core file on the robot.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    json.dump(attempt(json.loads(sys.argv[1]), sys.stdin.buffer.read()), answer)
    answer.close()


def attempt(wish: dict[str, Any], content: bytes) -> dict[str, str]:
    """Return at which stage it failed and with which words; nothing when all went well."""
    stage = 'library'
    try:
        library = importlib.import_module(wish['library'])
        stage = 'delegate'
        delegates = []
        if wish['delegate']:
            delegates.append(library.load_delegate(wish['delegate'], wish['delegate_options']))
        stage = 'model'
        resolvers = library.OpResolverType
        interpreter = library.Interpreter(
            model_content=content,
            experimental_delegates=delegates,
            num_threads=1,
            experimental_op_resolver_type=resolvers.AUTO
            if wish['xnnpack']
            else resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        if wish['run']:
            run_once(interpreter, wish['shapes'])
    except Exception as error:
        return {'stage': stage, 'kind': type(error).__name__, 'error': str(error)}
    return {}


def run_once(interpreter: Any, shapes: list[list[int]]) -> None:
    inputs = interpreter.get_input_details()
    for details, shape in zip(inputs, shapes):
        if details['shape'].tolist() != shape:
            interpreter.resize_tensor_input(details['index'], shape)
    interpreter.allocate_tensors()
    for details in inputs:
        # What lies in fresh memory is anything, also an index that leads nowhere.
        interpreter.tensor(details['index'])().fill(0)
    interpreter.invoke()


if __name__ == '__main__':
    # The modules beside this script must not stand for anybody else's.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path = [path for path in sys.path if os.path.abspath(path) != here]
    main()
