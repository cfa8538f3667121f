# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Find the folders of the user for data and caches, and write files whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
import os
from pathlib import Path

from edge_perception.contract.errors import ConfigurationError

LONGEST_STEM = 100  # bytes of a temporary name; disks take 255 in all


def data_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder for data of this package, in that of XDG; it may not exist yet."""
    return _xdg_folder('XDG_DATA_HOME', '.local/share', environ)


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder for what can be made again, in that of XDG; it may not exist yet."""
    return _xdg_folder('XDG_CACHE_HOME', '.cache', environ)


def _xdg_folder(variable: str, default: str, environ: Mapping[str, str] | None) -> Path:
    environ = os.environ if environ is None else environ
    base = environ.get(variable, '')
    # The specification: a relative path is invalid and to be ignored.
    folder = Path(base) if os.path.isabs(base) else Path(environ.get('HOME') or '~', default)
    try:
        return folder.expanduser() / 'edge_perception'
    except RuntimeError as error:  # neither HOME nor the list of users has one
        problem = f'is not set, and this user has no home folder; set it, or {variable}'
        raise ConfigurationError('HOME', [problem]) from error


def write_whole(path: Path, data: str | bytes, *, beside: Path | None = None) -> Path:
    """
    Write a file whole or not at all, with the folders above it, and return its path.

    :param beside: a path on the same disk, in whose folder the temporary file is; else ``path``.
    :raises OSError: the folder cannot be written, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(beside or path)
    try:
        temporary.write_bytes(data.encode('utf-8') if isinstance(data, str) else data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """
    Give a temporary file beside a path, which takes its place when the block ends well.

    When the block fails the temporary file is removed, and what was at the path stays.

    :raises ConfigurationError: the folder or the file cannot be written.
    """
    temporary = _temporary(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        with writing(path):
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """
    Raise what the operating system refuses in the block as an error about the path.

    :raises ConfigurationError: the file cannot be written.
    """
    try:
        yield
    except OSError as error:
        problem = f'cannot be written: {error.strerror or error}'
        raise ConfigurationError(str(path), [problem]) from error


def _temporary(path: Path) -> Path:
    # Shortened, so that what is added does not make a long name one that no disk takes.
    stem = path.stem.encode()[:LONGEST_STEM].decode(errors='ignore')
    return path.with_name(f'.{stem}.{os.getpid()}.partial{path.suffix[-LONGEST_STEM:]}')
