# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Reads tables of FlatBuffers by the number of a field, on the official runtime.

Two schemas are read, a few fields of each: the model and its metadata. Classes generated from
them would be ten thousand lines for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any


class Table:
    """
    One table. A field that is absent is empty, 0 or None, as in every FlatBuffer.

    Methods raise whatever the runtime raises where offsets lead out of the data: ValueError,
    TypeError, IndexError or struct.error.

    :param position: of the table in the data.
    """

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._table: Any = import_module('flatbuffers.table').Table(data, position)

    @classmethod
    def root(cls, data: bytes) -> Table:
        """Return the table in which everything begins."""
        return cls(data, int.from_bytes(data[:4], 'little'))

    def text(self, field: int) -> str:
        """Return a text; bytes that are not UTF-8 are replaced."""
        offset = self._offset(field)
        if not offset:
            return ''
        text: bytes = self._table.String(offset + self._table.Pos)
        return text.decode('utf-8', errors='replace')

    def number(self, field: int, kind: str = 'Int32', default: float = 0) -> Any:
        """Return a number; ``kind`` as FlatBuffers call it, e.g. ``Uint8``."""
        return self._table.GetSlot(_slot(field), default, _flags(kind))

    def numbers(self, field: int, kind: str = 'Int32') -> list[Any]:
        """Return a vector of numbers."""
        flags = _flags(kind)
        start, count = self._vector(field, flags.bytewidth)
        return [self._table.Get(flags, start + index * flags.bytewidth) for index in range(count)]

    def content(self, field: int) -> bytes:
        """Return a vector of bytes."""
        start, count = self._vector(field, 1)
        return self._data[start : start + count]

    def table(self, field: int) -> Table | None:
        """Return another table; None where there is none, as in a union without a value."""
        offset = self._offset(field)
        if not offset:
            return None
        return Table(self._data, self._table.Indirect(self._table.Pos + offset))

    def tables(self, field: int) -> Iterator[Table]:
        """Yield a vector of tables."""
        start, count = self._vector(field, 4)
        for index in range(count):
            yield Table(self._data, self._table.Indirect(start + 4 * index))

    def texts(self, field: int) -> list[str]:
        """Return a vector of texts."""
        start, count = self._vector(field, 4)
        found = (self._table.String(start + 4 * index) for index in range(count))
        return [text.decode('utf-8', errors='replace') for text in found]

    def _offset(self, field: int) -> int:
        return int(self._table.Offset(_slot(field)))

    def _vector(self, field: int, width: int) -> tuple[int, int]:
        """Return where the items of a vector begin, and how many there are."""
        offset = self._offset(field)
        if not offset:
            return 0, 0
        start, count = int(self._table.Vector(offset)), int(self._table.VectorLen(offset))
        # A length that is not true would otherwise be believed until the memory is full.
        if start + count * width > len(self._data):
            raise ValueError(f'a vector of {count} items leads out of the file')
        return start, count


def _slot(field: int) -> int:
    return 4 + 2 * field


def _flags(kind: str) -> Any:
    return getattr(import_module('flatbuffers.number_types'), f'{kind}Flags')
