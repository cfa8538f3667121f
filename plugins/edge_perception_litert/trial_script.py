# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Load a model and run it once on zeros; runs in the child process of ``LoadTrial``."""

from __future__ import annotations

from collections.abc import Iterator
import importlib
from typing import Any


def load(request: dict[str, Any], artifact: str, content: bytes) -> Iterator[str]:
    yield 'library'
    library = importlib.import_module(request['library'])
    yield 'delegate'
    delegates = []
    if request['delegate']:
        delegates.append(library.load_delegate(request['delegate'], request['delegate_options']))
    yield 'model'
    resolvers = library.OpResolverType
    interpreter = library.Interpreter(
        model_content=content,
        experimental_delegates=delegates,
        num_threads=1,
        experimental_op_resolver_type=resolvers.AUTO
        if request['xnnpack']
        else resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    if request['shapes'] is None:
        return
    inputs = interpreter.get_input_details()
    for details, shape in zip(inputs, request['shapes']):
        if details['shape'].tolist() != shape:
            interpreter.resize_tensor_input(details['index'], shape)
    interpreter.allocate_tensors()
    for details in inputs:
        # Fresh memory has any content, also an index out of range.
        interpreter.tensor(details['index'])().fill(0)
    interpreter.invoke()
