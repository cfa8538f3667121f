# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Objects of C++ behind the real bindings of TensorRT, answered for in Python; for child processes.

The numbers of virtual methods differ between versions. They are found out: a binding is called
once, and the method that arrives is the one that it stands for.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
import ctypes
from typing import Any

Word = ctypes.c_ssize_t
HANDLER = ctypes.CFUNCTYPE(Word, ctypes.c_void_p, ctypes.c_int, *[Word] * 6)
ROOTS = {1: 'runtime', 2: 'builder', 3: 'parser'}
# The first two methods of every class but those of the parser.
DESTRUCTORS = (0, 1)


class Objects:
    """
    :param calls: what was called: name and arguments, in order, for methods that were learned; an
        argument is a number or an address, the last is the address of what lay on the stack.
    :param dims: format of ``Dims`` of this version.
    """

    def __init__(self, major: int) -> None:
        self._library = ctypes.CDLL(f'libnvinfer.so.{major}')
        self._library.stub_make_object.restype = ctypes.c_void_p
        self._kinds: dict[int, str] = {}
        self._keep: list[Any] = []
        self._names: dict[tuple[str, int], str] = {}
        self._answers: dict[str, Callable[..., Any]] = {}
        self._last: list[tuple[str, int]] = []
        self.calls: list[tuple[str, tuple[int, ...]]] = []
        size = ctypes.c_int64 if major >= 10 else ctypes.c_int32

        class Dims(ctypes.Structure):
            _fields_ = [('count', ctypes.c_int32), ('sizes', size * 8)]

        self.dims = Dims
        self._handler = HANDLER(self._handle)
        self._library.stub_set_handler(self._handler)
        # Objects may be destroyed when Python is not there any more.
        atexit.register(self._library.stub_set_handler, None)

    def learn(self, name: str, call: Callable[[], object], answer: object = None) -> Any:
        """
        Name the method that a call of the binding arrives at.

        :param answer: what it returns from now on: a number, a text, a tuple for ``Dims``, or a
            function of its arguments that returns one of these; None makes a new object.
        :return: what the binding made of the object.
        """
        self._last.clear()
        try:
            result = call()
        except (UnicodeDecodeError, ValueError):
            result = None  # of a text or a number that is not one
        methods = [each for each in self._last if each not in self._names]
        # A binding may also destroy something that it was given.
        methods = [each for each in methods if each[1] not in DESTRUCTORS] or methods
        assert methods, f'{name}: the binding called nothing'
        self._names[methods[0]] = name
        self.answer(name, answer)
        return result

    def answer(self, name: str, answer: object) -> None:
        """Change what a method returns."""
        if answer is not None:
            self._answers[name] = answer if callable(answer) else lambda *_: answer

    def called(self, name: str) -> list[tuple[int, ...]]:
        """Return the arguments of all calls of a method."""
        return [arguments for each, arguments in self.calls if each == name]

    def shape_at(self, address: int) -> tuple[int, ...]:
        """Return the ``Dims`` at an address."""
        dims = self.dims.from_address(address)
        return tuple(dims.sizes[: dims.count])

    def bytes_of(self, content: bytes) -> int:
        """Return the address of bytes that stay."""
        buffer = ctypes.create_string_buffer(content, len(content) + 1)
        self._keep.append(buffer)
        return ctypes.addressof(buffer)

    def _handle(self, this: int | None, method: int, *arguments: int) -> int:
        if this is None:
            return self._new(ROOTS[method])
        # A struct is returned through memory whose address comes before the object's.
        struct = None if this in self._kinds else this
        if struct is not None:
            this, *rest = arguments
            arguments = (*rest[:-1], 0, rest[-1])
        kind = self._kinds[this]
        self._last.append((kind, method))
        name = self._names.get((kind, method), '')
        if name:
            self.calls.append((name, arguments))
        answer = self._answers[name](*arguments) if name in self._answers else None
        if struct is not None:
            shape = answer or ()
            self.dims.from_address(struct).count = len(shape)
            for index, size in enumerate(shape):
                self.dims.from_address(struct).sizes[index] = size
            return struct
        if isinstance(answer, str):
            return self.bytes_of(answer.encode())
        if answer is not None:
            return int(answer)
        return 0 if method in DESTRUCTORS else self._new(f'{kind}/{method}')

    def _new(self, kind: str) -> int:
        address = self._library.stub_make_object()
        self._kinds[address] = kind
        return address
