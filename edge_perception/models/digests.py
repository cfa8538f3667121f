# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Digest models and artifacts, with all the files that belong to them.

The node needs the digest and has no library for ONNX, so of such a file this walks the fields that
lead to weights, and nothing else. The numbers are those of onnx.proto3 (ONNX 1.23).
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
import hashlib
from itertools import count
import json
import mmap
import os
from pathlib import Path
from typing import Any
from typing import NewType

from edge_perception.contract import ArtifactError
from edge_perception.contract import dump_manifest
from edge_perception.contract import ModelManifest
from edge_perception.contract.loading.artifact_files import folder_files
from edge_perception.contract.loading.artifact_files import MOST_ARTIFACT_BYTES
from edge_perception.contract.loading.artifact_files import open_regular
from edge_perception.contract.loading.artifact_files import second_files
from edge_perception.contract.loading.artifact_files import unreadable

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
# Videos; a limit at all is for what never ends.
MOST_FILE_BYTES = 1 << 40
# An ONNX of 1000 layers has 50 thousand; a second is enough for a million. All are counted: 3 GB
# of zeros are 1.5 billion fields without a length.
MOST_FIELDS = 2_000_000
# Those parts of a manifest by which an image becomes other results.
DECISIVE = ('input', 'decoder', 'labels')

Buffer = Any  # bytes, or a mapped file
# Hex digest of everything that decides what a model sees.
ModelDigest = NewType('ModelDigest', str)


def external_files(source: Path) -> tuple[Path, ...]:
    """
    Return the files that hold weights of an ONNX, without repetition, sorted.

    :raises ArtifactError: the file is no ONNX, or a name leads out of its folder.
    """
    try:
        names = _names(source)
    except (OSError, ValueError, IndexError, RecursionError) as error:
        reason = getattr(error, 'strerror', None) or 'is not an ONNX file, or is damaged'
        raise ArtifactError(source, reason=str(reason), remedy=EXPORT_AGAIN) from error
    return tuple(_inside(source, name) for name in names)


def model_digest(source: Path, manifest: ModelManifest) -> ModelDigest:
    """
    Digest what decides what a model sees: its file, its weights, input, decoder and labels.

    Comments, license, golden images, artifacts and proofs do not count.

    :raises ArtifactError: a file is missing or cannot be read.
    """
    values = dump_manifest(manifest)
    parts = [source_sha256(source), {name: values.get(name) for name in DECISIVE}]
    text = json.dumps(parts, sort_keys=True, default=str)
    return ModelDigest(hashlib.sha256(text.encode()).hexdigest())


def file_sha256(path: Path, *, most_bytes: int = MOST_FILE_BYTES) -> str:
    """
    Return the hex digest of a regular file.

    :raises ArtifactError: it cannot be read, or is larger than ``most_bytes``.
    """
    digest = hashlib.sha256()
    try:
        with open_regular(path, most_bytes=most_bytes) as file:
            for block in iter(lambda: file.read(1 << 20), b''):
                digest.update(block)
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.hexdigest()


def source_sha256(source: Path) -> str:
    """
    Return the hex digest of a model file, and of the files with its weights.

    Where there are no such files it is as ``file_sha256`` has it. So it is of a file that is no
    ONNX; its engine says what is wrong.

    :raises ArtifactError: a file is missing or cannot be read.
    """
    try:
        names = _names(source) if source.suffix == '.onnx' else []
    except (OSError, ValueError, IndexError, RecursionError):
        names = []
    return _together(source, [_inside(source, name) for name in names])


def artifact_sha256(artifact: Path) -> str:
    """
    Return the hex digest of an artifact, and of all files that are loaded with it.

    Those are the ones that an ONNX names, all of a folder, and beside all others what
    ``second_files`` finds. A file without such is as ``file_sha256`` has it.

    :raises ArtifactError: a file is missing or cannot be read.
    """
    if artifact.suffix == '.onnx':
        return source_sha256(artifact)
    if artifact.is_dir():
        named = {str(file.relative_to(artifact)): file for file in folder_files(artifact)}
        return _joined(f'{name} {file_sha256(file)}' for name, file in named.items())
    try:
        with _mapped(artifact) as content:
            beside = second_files(artifact, content)
    except (OSError, ValueError):  # mmap raises ValueError for an empty file
        beside = ()
    return _together(artifact, beside)


def _together(first: Path, others: Sequence[Path]) -> str:
    digest = file_sha256(first, most_bytes=MOST_ARTIFACT_BYTES)
    if not others:
        return digest
    limited = (
        f'{file.name} {file_sha256(file, most_bytes=MOST_ARTIFACT_BYTES)}' for file in others
    )
    return _joined((digest, *limited))


def _joined(parts: Iterable[str]) -> str:
    return hashlib.sha256('\n'.join(parts).encode()).hexdigest()


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    with (
        open_regular(path, most_bytes=MOST_ARTIFACT_BYTES) as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view,
    ):
        yield view


def _names(source: Path) -> list[str]:
    with _mapped(source) as view:
        return sorted(set(_locations(view, 'model', 0, len(view), count(1))))


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


def _locations(
    data: Buffer, message: str, start: int, end: int, counter: Iterator[int]
) -> Iterator[str]:
    if message == 'entry':
        fields = {
            field: data[first:last] for field, first, last in _fields(data, start, end, counter)
        }
        if fields.get(_KEY) == b'location':
            yield fields.get(_VALUE, b'').decode('utf-8')
        return
    for field, first, last in _fields(data, start, end, counter):
        inner = _PATHS[message].get(field)
        if inner:
            yield from _locations(data, inner, first, last, counter)


def _fields(
    data: Buffer, place: int, end: int, counter: Iterator[int]
) -> Iterator[tuple[int, int, int]]:
    """Give number, start and end of each field that has a length; skip the others."""
    while place < end:
        if next(counter) > MOST_FIELDS:
            raise ValueError(f'it has more than {MOST_FIELDS} fields')
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
