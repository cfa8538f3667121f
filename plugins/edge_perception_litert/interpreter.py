# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Interpreters of LiteRT, and their memory as NumPy sees it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
import os
from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.contract import LoadTrial
from edge_perception.contract import Tensor
from edge_perception.contract import TensorSpec
from edge_perception_litert.library import ENGINE
from edge_perception_litert.library import Library

TRIAL_SCRIPT = Path(__file__).with_name('trial_script.py')


@dataclass(frozen=True, slots=True)
class Delegate:
    """
    A delegate library.

    :param name: how messages and ``Engine.device`` call it.
    :param options: what it is told.
    """

    library: str
    name: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class InterpreterSession:
    """
    What it takes to make an interpreter of a model, as often as it is activated.

    :param shapes: what the inputs become; None leaves them as they are and takes no memory.
    """

    library: Library
    content: bytes
    threads: int
    xnnpack: bool
    shapes: tuple[tuple[int, ...], ...] | None

    def open(self, delegates: Sequence[Any] = ()) -> Any:
        """
        Make an interpreter with memory for its tensors.

        :raises Exception: of any kind, as the runtime raises it.
        """
        resolvers = self.library.module.OpResolverType
        interpreter = self.library.module.Interpreter(
            model_content=self.content,
            experimental_delegates=list(delegates),
            num_threads=self.threads or cores(),
            experimental_op_resolver_type=resolvers.AUTO
            if self.xnnpack
            else resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        if self.shapes is not None:
            for details, shape in zip(interpreter.get_input_details(), self.shapes):
                if tuple(details['shape']) != shape:
                    interpreter.resize_tensor_input(details['index'], shape)
            interpreter.allocate_tensors()
        return interpreter

    def trial(self, delegate: Delegate | None = None) -> LoadTrial:
        """Return the way in which a child process loads the same."""
        request = {
            'library': self.library.name,
            'xnnpack': self.xnnpack,
            'delegate': delegate.library if delegate else '',
            'delegate_options': dict(delegate.options) if delegate else {},
            'shapes': self.shapes,
        }
        return LoadTrial(
            ENGINE,
            self.library.runtime,
            TRIAL_SCRIPT,
            request=request,
            sends_content=True,
            lasting=delegate is None,
        )


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_memory(interpreter: Any, index: int) -> bool:
    """Tell whether a tensor has memory before the first run; if not, its shape is open."""
    try:
        interpreter.tensor(index)()
    except ValueError:  # "Tensor data is null. Run allocate_tensors() first"
        return False
    return True


def known_outputs(interpreter: Any, outputs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """Fill in the shapes of outputs that the runtime knows once it has taken memory."""
    details = interpreter.get_output_details()
    return tuple(
        replace(spec, shape=tuple(map(int, each['shape'])))
        if has_memory(interpreter, each['index'])
        else spec
        for spec, each in zip(outputs, details)
    )


def copied_output(interpreter: Any, details: Mapping[str, Any]) -> Tensor:
    """Return an output as it is now, in memory of its own."""
    if 0 in details['shape']:  # the runtime refuses to read nothing
        return np.zeros(details['shape'], details['dtype'])
    copied: Tensor = interpreter.get_tensor(details['index'])
    return copied


class SharedMemory:
    """
    The memory of one tensor, for NumPy.

    The arrays of the interpreter itself hold a reference by which ``invoke`` finds out that its
    memory is in use, and then refuses to run, because the memory might move. That of
    a tensor whose shape is fixed stays where it is. Such arrays keep the interpreter alive, so
    that one that is kept too long shows old numbers and nothing worse.

    :param interpreter: stays alive as long as an array does.
    """

    __slots__ = ('__array_interface__', '_interpreter')

    def __init__(self, interpreter: Any, view: Tensor) -> None:
        self._interpreter = interpreter
        self.__array_interface__ = view.__array_interface__


def shared_array(interpreter: Any, view: Callable[[], Tensor]) -> Tensor:
    """Return the memory of a tensor, in a way that does not keep the interpreter from running."""
    return np.asarray(SharedMemory(interpreter, view()))
