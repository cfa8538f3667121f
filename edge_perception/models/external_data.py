# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Find the files beside a model that hold its weights, and make a digest over all of them.

The node needs the digest and has no library for ONNX, so of such a file this walks the fields that
lead to weights, and nothing else. The numbers are those of onnx.proto3 (ONNX 1.23).
"""

from __future__ import annotations

from collections.abc import Iterator
import hashlib
import mmap
import os
from pathlib import Path
from typing import Any

from edge_perception.contract import ArtifactError
from edge_perception.models.proofs import file_sha256

# From each message: the fields that lead on, and to which message.
_PATHS = {
    'model': {7: 'graph', 25: 'function'},
    'function': {7: 'node'},
    'graph': {1: 'node', 5: 'tensor', 15: 'sparse'},
    'node': {5: 'attribute'},
    'attribute': {5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse'},
    'sparse': {1: 'tensor', 2: 'tensor'},
    'tensor': {13: 'entry'},
}
_KEY, _VALUE = 1, 2  # of an entry
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
EXPORT_AGAIN = 'export the model again, best into one file'

Buffer = Any  # bytes, or a mapped file


def external_files(source: Path) -> tuple[Path, ...]:
    """
    Return the files that hold weights of an ONNX, without repetition, sorted.

    :raises ArtifactError: the file is no ONNX, or a name leads out of its folder.
    """
    try:
        names = _names(source)
    except (OSError, ValueError, IndexError) as error:
        reason = getattr(error, 'strerror', None) or 'is not an ONNX file, or is damaged'
        raise ArtifactError(source, reason=str(reason), remedy=EXPORT_AGAIN) from error
    return tuple(_inside(source, name) for name in names)


def model_sha256(source: Path) -> str:
    """
    Return the hex digest of a model: of the file, and of the files with its weights.

    Of a file that is no ONNX it is the digest of the file; its engine says what is wrong.

    :raises ArtifactError: a file is missing or cannot be read.
    """
    digest = file_sha256(source)
    try:
        names = _names(source) if source.suffix == '.onnx' else []
    except (ValueError, IndexError):
        names = []
    if not names:
        return digest
    files = [_inside(source, name) for name in names]
    parts = [digest, *(f'{file.name} {file_sha256(file)}' for file in files)]
    return hashlib.sha256('\n'.join(parts).encode()).hexdigest()


def artifact_sha256(artifact: Path) -> str:
    """
    Return the hex digest of an artifact: of the file, and of the files with its weights.

    Those are the ones that an ONNX names, and beside all others a ``.bin`` of the same name, where
    OpenVINO and ncnn look. A file without such is as ``file_sha256`` has it.

    :raises ArtifactError: a file is missing or cannot be read.
    """
    digest, weights = model_sha256(artifact), artifact.with_suffix('.bin')
    if artifact.suffix == '.onnx' or weights == artifact or not weights.is_file():
        return digest
    parts = [digest, f'{weights.suffix} {file_sha256(weights)}']
    return hashlib.sha256('\n'.join(parts).encode()).hexdigest()


def _names(source: Path) -> list[str]:
    with source.open('rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        return sorted(set(_locations(view, 'model', 0, len(view))))


def _inside(source: Path, name: str) -> Path:
    folder = Path(os.path.abspath(source)).parent
    path = Path(os.path.normpath(folder / name))
    if os.path.isabs(name) or folder not in path.parents:
        raise ArtifactError(
            source,
            reason=f'keeps weights in {name!r}, outside of its folder',
            remedy='put the file beside the model and export it again',
        )
    if not path.is_file():
        raise ArtifactError(
            source,
            reason=f'keeps weights in {name}, which does not exist',
            remedy='copy that file as well, or export the model into one file',
        )
    return path


def _locations(data: Buffer, message: str, start: int, end: int) -> Iterator[str]:
    if message == 'entry':
        fields = {field: data[first:last] for field, first, last in _fields(data, start, end)}
        if fields.get(_KEY) == b'location':
            yield fields.get(_VALUE, b'').decode('utf-8')
        return
    for field, first, last in _fields(data, start, end):
        inner = _PATHS[message].get(field)
        if inner:
            yield from _locations(data, inner, first, last)


def _fields(data: Buffer, place: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Give number, start and end of each field that has a length; skip the others."""
    while place < end:
        tag, place = _varint(data, place)
        kind = tag & 7
        if kind == _VARINT:
            _, place = _varint(data, place)
        elif kind == _EIGHT_BYTES:
            place += 8
        elif kind == _FOUR_BYTES:
            place += 4
        elif kind == _BYTES:
            length, place = _varint(data, place)
            if place + length > end:
                raise ValueError('a field is longer than the message around it')
            yield tag >> 3, place, place + length
            place += length
        else:
            raise ValueError(f'wire type {kind}')


def _varint(data: Buffer, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError('a number is too long')
