# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
What the processes of node and engine say to each other: JSON, and arrays in shared memory.

A message is one packet of JSON over a socket, or ``FRAME``. Arrays lie in memory without a name
(memfd), whose descriptor travels beside a message once. Only the node sends Python objects; what
comes from the engine's process may be garbage, and is data.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
import mmap
import os
from pathlib import Path
import struct
from typing import Any

import numpy as np

from edge_perception.contract import EngineError
from edge_perception.contract import EngineType
from edge_perception.contract import errors
from edge_perception.contract import ModelManifest
from edge_perception.contract import OptionError
from edge_perception.contract import Options
from edge_perception.contract import Quantization
from edge_perception.contract import Tensor
from edge_perception.contract import TensorSpec
from edge_perception.contract.errors import named

# A model with thousands of class names in its metadata stays far below.
MOST_BYTES = 1 << 17
# Of a frame, and of the answer to it where its outputs lie where the last ones did: this byte and
# a sequence number. JSON takes ten times as long.
FRAME = struct.Struct('<BQ')
FRAME_MARK = 0
# What the vector units of all processors ask of an array.
ALIGNMENT = 64
# Name, shape, dtype and offset of an array in shared memory.
Place = list[Any]


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """What a process of an engine is started for; it travels as a pickle."""

    engine_type: EngineType
    options: Options | None = None
    manifest: ModelManifest | None = None
    artifact: Path | None = None


def make_memory(size: int, name: str = 'edge_perception') -> int:
    """
    Return the descriptor of new shared memory, which the caller closes.

    :raises OSError: there is not so much. Memory that is only promised (``ftruncate``) would end
        the process with SIGBUS when it is written to.
    """
    descriptor = os.memfd_create(name)
    try:
        os.posix_fallocate(descriptor, 0, max(size, 1))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def take_memory(descriptor: int) -> mmap.mmap:
    """Return memory by its descriptor, which is closed."""
    try:
        return mmap.mmap(descriptor, 0)
    finally:
        os.close(descriptor)


def places(arrays: Iterable[tuple[str, Sequence[int], np.dtype[Any]]]) -> tuple[list[Place], int]:
    """Return where arrays lie, one after the other, and the bytes that they take."""
    found: list[Place] = []
    end = 0
    for name, shape, dtype in arrays:
        found.append([name, list(shape), dtype.str, end])
        size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        end += -(-size // ALIGNMENT) * ALIGNMENT
    return found, end


def views(memory: mmap.mmap, found: Iterable[Place]) -> dict[str, Tensor]:
    """
    Return arrays that lie in shared memory.

    :raises ValueError, TypeError: they do not lie in it.
    """
    arrays: dict[str, Tensor] = {}
    for name, shape, dtype, offset in found:
        kind = np.dtype(dtype)
        if kind.hasobject or not isinstance(name, str):
            raise ValueError(f'got an array {name!r} of {dtype!r}')
        arrays[name] = np.ndarray(tuple(shape), kind, buffer=memory, offset=offset)
    return arrays


def specs_as_words(specs: Iterable[TensorSpec]) -> list[list[Any]]:
    """Return tensors as JSON holds them."""
    return [
        [each.name, list(each.shape), each.dtype.str, [quantized.scale, quantized.zero_point]]
        if (quantized := each.quantization)
        else [each.name, list(each.shape), each.dtype.str, None]
        for each in specs
    ]


def specs_of(words: Iterable[Sequence[Any]]) -> tuple[TensorSpec, ...]:
    """Return tensors from JSON."""
    return tuple(
        TensorSpec(name, tuple(shape), np.dtype(dtype), Quantization(*scale) if scale else None)
        for name, shape, dtype, scale in words
    )


def error_as_words(error: BaseException) -> dict[str, Any]:
    """Return an exception as JSON holds it; of one that nobody foresaw the type in words."""
    known = isinstance(error, (EngineError, OptionError))
    fields = {name: str(value) for name, value in vars(error).items()} if known else {}
    words = (str(error) if known else named(error))[: MOST_BYTES // 8]
    return {'error': type(error).__name__ if known else '', 'words': words, 'fields': fields}


def error_of(words: dict[str, Any]) -> Exception:
    """Return the exception for JSON of ``error_as_words``; never one that has another meaning."""
    kind = getattr(errors, str(words['error']), None)
    if not isinstance(kind, type) or not issubclass(kind, (EngineError, OptionError)):
        return RuntimeError(str(words['words']))
    error = kind.__new__(kind)
    Exception.__init__(error, str(words['words']))
    vars(error).update(words['fields'])
    return error
