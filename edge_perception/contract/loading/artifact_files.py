# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Open the files of a model: regular files below a stated size, and nothing else.

A pipe would block the process, a device or a link to ``/dev/zero`` would fill its memory.
"""

from __future__ import annotations

from collections.abc import Mapping
import errno
from mmap import mmap
import os
from pathlib import Path
import stat
from typing import BinaryIO

from edge_perception.contract.errors import ArtifactError

# Protocol buffers, and so ONNX files, end there.
MOST_ARTIFACT_BYTES = 2 << 30
# Labels of 20 000 classes take 300 kB.
MOST_TEXT_BYTES = 4 << 20
# Files that are whole models or words for people, never a part of the artifact beside them.
APART = ('.onnx', '.tflite', '.xml', '.plan', '.engine', '.blob', '.html', '.md')
PROOF_SUFFIX = '.proof.json'
# Stands in ``EngineType.artifact_parts`` for an artifact that is a folder.
FOLDER = '/'
EXPORT_AGAIN = 'copy the file again, or export the model again'
COPY_ALL = 'copy all that the exporter wrote, under its names'
LFS_POINTER = b'version https://git-lfs.github.com'


def open_regular(path: Path, *, most_bytes: int) -> BinaryIO:
    """
    Open a regular file for reading; never waits.

    :param most_bytes: the largest size that is accepted.
    :raises OSError: it is missing, no regular file or too large; ``strerror`` says which.
    """
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(file)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, 'it is a pipe, socket or device', str(path))
        if status.st_size > most_bytes:
            words = f'it has {status.st_size} bytes, and at most {most_bytes} are read'
            raise OSError(errno.EFBIG, words, str(path))
        return os.fdopen(file, 'rb')
    except BaseException:
        os.close(file)
        raise


def read_regular(path: Path, *, most_bytes: int) -> bytes:
    """
    Return the content of a regular file.

    :raises OSError: as of ``open_regular``, or it grows beyond ``most_bytes`` meanwhile.
    """
    with open_regular(path, most_bytes=most_bytes) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f'it grows beyond {most_bytes} bytes', str(path))
    return content


def second_files(artifact: Path, content: bytes | mmap) -> tuple[Path, ...]:
    """
    Return the files beside an artifact that an engine may load with it, by name.

    They have its stem, as the weights of OpenVINO and ncnn have, or the artifact names them.

    :param content: of the artifact.
    :raises OSError: the folder cannot be read.
    """
    found = []
    for path in sorted(artifact.parent.iterdir()):
        if path.name == artifact.name or path.name.endswith(PROOF_SUFFIX) or not path.is_file():
            continue
        of_its_stem = path.name.startswith(f'{artifact.stem}.') and path.suffix not in APART
        if of_its_stem or ('.' in path.name and content.find(os.fsencode(path.name)) >= 0):
            found.append(path)
    return tuple(found)


def folder_files(artifact: Path) -> tuple[Path, ...]:
    """
    Return all files of an artifact that is a folder, sorted.

    :raises ArtifactError: a link in it leads to another folder.
    """
    found = sorted(artifact.rglob('*'))
    for path in found:
        if path.is_symlink() and path.is_dir():
            raise ArtifactError(
                artifact,
                reason=f'has the link {path.name} to a folder, whose files could change unnoticed',
                remedy='put the folder itself in its place',
            )
    return tuple(path for path in found if not path.is_dir())


def check_whole(artifact: Path, parts: Mapping[str, tuple[str, ...]]) -> None:
    """
    Check that an artifact is there with all its parts; what is in them says the engine.

    :param parts: ``EngineType.artifact_parts``.
    :raises ArtifactError: a file is missing, or it is a folder and should not be, or no folder.
    """
    wanted, reason = parts.get(artifact.suffix, ()), ''
    if not artifact.exists():
        raise ArtifactError(artifact, reason='no such file', remedy='correct the path')
    if FOLDER in wanted:
        if not artifact.is_dir():
            reason = 'is a file, expected a folder'
        elif not folder_files(artifact):
            reason = 'is an empty folder'
    elif not artifact.is_file():
        reason = 'is no file'
    else:
        missing = [each for each in wanted if not artifact.with_suffix(each).is_file()]
        if missing:
            reason = f'lacks its second file {artifact.with_suffix(missing[0]).name}'
    if reason:
        raise ArtifactError(artifact, reason=reason, remedy=COPY_ALL)


def read_artifact(artifact: Path, *, again: str = EXPORT_AGAIN) -> bytes:
    """
    Return the content of an artifact, before a runtime sees it and says less about it.

    It stays in memory where the engine keeps it: a file that is mapped and then replaced, as an
    update of the model folder does, would end the process.

    :param again: remedy for a file that is empty: how to get it again.
    :raises ArtifactError: it is missing, unreadable, no regular file, too large, empty or a
        pointer of Git LFS.
    """
    try:
        content = read_regular(artifact, most_bytes=MOST_ARTIFACT_BYTES)
    except OSError as error:
        raise unreadable(artifact, error) from error
    if not content:
        raise ArtifactError(artifact, reason='is empty', remedy=again)
    if content.startswith(LFS_POINTER):
        raise ArtifactError(
            artifact,
            reason='is a pointer of Git LFS, not the file itself',
            remedy='run: git lfs pull',
        )
    return content


def unreadable(artifact: Path, error: OSError) -> ArtifactError:
    """Return the error for an artifact that the operating system cannot read."""
    if isinstance(error, FileNotFoundError):
        return ArtifactError(artifact, reason='does not exist', remedy='correct the path')
    return ArtifactError(
        artifact,
        reason=f'cannot be read: {error.strerror or error}',
        remedy='correct the path or the permissions',
    )
