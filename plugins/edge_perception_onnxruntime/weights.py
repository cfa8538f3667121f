# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Tell the precision of an ONNX file by its weights; robots do not have the package onnx."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

# Fields of onnx.proto3 (ONNX 1.23), and its number for float16.
MODEL_GRAPH, GRAPH_INITIALIZER, TENSOR_DATA_TYPE = 7, 5, 2
FLOAT16 = 10
# An ONNX of 1000 layers has 50 thousand; a file of nothing else has a thousand million.
MOST_FIELDS = 2_000_000
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def holds_float16(content: bytes) -> bool:
    """Tell whether a weight is in float16; False for what is no ONNX."""
    view, seen = memoryview(content), count()
    try:
        return any(
            number == FLOAT16
            for graph in _messages(view, MODEL_GRAPH, seen)
            for weight in _messages(graph, GRAPH_INITIALIZER, seen)
            for field, number in _fields(weight, seen)
            if field == TENSOR_DATA_TYPE
        )
    except (IndexError, ValueError):  # it ends too early, holds no messages, or too many fields
        return False


def _messages(data: memoryview, wanted: int, seen: count[int]) -> Iterator[memoryview]:
    return (value for field, value in _fields(data, seen) if field == wanted)  # type: ignore[misc]


def _fields(data: memoryview, seen: count[int]) -> Iterator[tuple[int, int | memoryview]]:
    """Give number and value of each field: an integer, or what is inside."""
    place = 0
    while place < len(data):
        if next(seen) > MOST_FIELDS:
            raise ValueError(f'it has more than {MOST_FIELDS} fields')
        tag, place = _varint(data, place)
        field, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            number, place = _varint(data, place)
            yield field, number
        elif kind == _BYTES:
            length, place = _varint(data, place)
            yield field, data[place : place + length]
            place += length
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            place += 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f'wire type {kind}')


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:  # each byte more costs as much as all before it
            raise ValueError('a number is too long')
