# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Write the cache directories of built artifacts, so that no reader meets half of one.

One builder at a time works on an entry, under a lock that the system takes back when the process
dies. It works in a hidden folder on the same disk, which is renamed when all is in it. What a
killed builder leaves behind is removed by the next one, or by ``prune``.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
import errno
import fcntl
import json
import os
from pathlib import Path
import shutil
import tempfile
from typing import Any

from edge_perception.contract import BuildError
from edge_perception.contract.loading.artifact_files import read_regular
from edge_perception.contract.user_files import write_whole
from edge_perception.models.artifact_directories import current_entries
from edge_perception.models.artifact_directories import current_name
from edge_perception.models.artifact_directories import CURRENT_SUFFIX
from edge_perception.models.artifact_directories import ENTRY_FILE
from edge_perception.models.artifact_directories import MOST_ENTRY_BYTES
from edge_perception.models.digests import artifact_sha256

BUILDING = '.building'
LOCK = '.lock'
REJECTED = '.rejected'
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One build in a cache directory.

    :param values: what its key was made of, and what the build said.
    """

    folder: Path
    artifact: Path
    values: Mapping[str, Any]

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return _size(self.folder)

    def listed(self, *, current: bool) -> dict[str, Any]:
        """Return it as lists of the cache have it."""
        ingredients = self.values.get('ingredients', {})
        return {
            'model': self.values.get('model', ''),
            'target': ingredients.get('target', ''),
            'precision': ingredients.get('precision', ''),
            'made': self.values.get('made', ''),
            'bytes': self.size,
            'current': current,
            'passed': bool(self.values.get('passed')),
            'artifact': str(self.artifact),
        }


@contextmanager
def locked(directory: Path, name: str, *, waiting: Callable[[], object]) -> Iterator[None]:
    """
    Hold the lock of an entry; other processes wait for it.

    :param waiting: called once when another process holds it.
    :raises BuildError: the directory cannot be written.
    """
    with os_errors_as_build_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / f'.{name}{LOCK}').open('w', encoding='utf-8')
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def workspace(directory: Path, name: str) -> Iterator[Path]:
    """
    Give an empty folder for a build; what is left in it afterwards is removed.

    To be called under the lock of the entry. Temporary files of libraries go there as well.

    :raises BuildError: the disk is full, or the folder cannot be written.
    """
    for left in directory.glob(f'.{name}.*{BUILDING}'):
        shutil.rmtree(left, ignore_errors=True)
    folder = directory / f'.{name}.{os.getpid()}{BUILDING}'
    before = tempfile.tempdir, os.environ.get('TMPDIR')
    with os_errors_as_build_errors(directory):
        try:
            folder.mkdir()
            tempfile.tempdir = os.environ['TMPDIR'] = str(folder)
            yield folder
        finally:
            tempfile.tempdir = before[0]
            os.environ.pop('TMPDIR', None)
            if before[1] is not None:
                os.environ['TMPDIR'] = before[1]
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def os_errors_as_build_errors(directory: Path) -> Iterator[None]:
    """
    Raise what the operating system refuses as a BuildError.

    :raises BuildError: the disk is full, or the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise BuildError(
                f'{directory}: no room is left on the disk; free some, or set XDG_CACHE_HOME to '
                'another one'
            ) from error
        words = error.strerror or ' '.join(str(error).split())
        raise BuildError(
            f'{error.filename or directory}: {words}; check the permissions'
        ) from error


def publish(
    artifact: Path, directory: Path, name: str, *, values: Mapping[str, Any], passed: bool = True
) -> Entry:
    """
    Move a finished build into its directory in one step, and make it the current one.

    What was rejected gets a name of its own, and does not replace what has passed.

    :param artifact: its folder in the workspace becomes the entry.
    :raises OSError: the directory cannot be written.
    """
    folder, name = artifact.parent, name if passed else name + REJECTED
    written = {
        **values,
        'passed': passed,
        'artifact': artifact.name,
        'sha256': artifact_sha256(artifact),
    }
    text = json.dumps(written, indent=2, default=str)
    (folder / ENTRY_FILE).write_text(text + '\n', encoding='utf-8')
    for path in (*folder.rglob('*'), folder):
        _sync(path)
    target = directory / name
    if target.exists():
        _remove(target)
    folder.rename(target)
    _sync(directory)
    if passed or not _has_current(directory, name):
        make_current(directory, name)
    entry = read_entry(target)
    assert entry is not None
    return entry


def make_current(directory: Path, name: str) -> None:
    """
    Say that an entry is the one that counts for its target and precision.

    :raises BuildError: the disk is full, or the folder cannot be written.
    """
    pointer = _pointer(directory, name)
    if current_name(pointer) == name:
        return
    # In the entry, where prune finds what a killed process leaves; no other one works on it.
    with os_errors_as_build_errors(directory):
        write_whole(pointer, name + '\n', beside=directory / name / pointer.name)


def _pointer(directory: Path, name: str) -> Path:
    """Return the file that names the current entry for target and precision of an entry."""
    return directory / f'{name.rpartition("-")[0]}{CURRENT_SUFFIX}'


def _has_current(directory: Path, name: str) -> bool:
    """Tell whether an entry that has passed is the current one."""
    current = current_name(_pointer(directory, name))
    entry = read_entry(directory / current) if current else None
    return entry is not None and bool(entry.values.get('passed'))


def read_entry(folder: Path) -> Entry | None:
    """Return an entry that is whole; None for every other."""
    try:
        values = json.loads(read_regular(folder / ENTRY_FILE, most_bytes=MOST_ENTRY_BYTES))
        artifact = folder / values['artifact']
        if artifact_sha256(artifact) != values['sha256']:
            return None
    except Exception:  # missing, damaged, of another version: all the same here
        return None
    return Entry(folder, artifact, values)


def entries(root: Path) -> Iterator[tuple[Entry, bool]]:
    """Give every entry below the root, and whether it is current."""
    for directory in sorted(each for each in root.glob('*') if each.is_dir()):
        current = set(current_entries(directory))
        for folder in sorted(directory.glob('[!.]*')):
            entry = read_entry(folder) if folder.is_dir() else None
            if entry is not None:
                yield entry, folder in current


def prune(root: Path, *, everything: bool = False) -> tuple[int, int]:
    """
    Remove what is left of broken builds, and entries that are not current.

    :param everything: remove the others as well.
    :return: how many entries went, and how many bytes.
    """
    removed = freed = 0
    for directory in sorted(each for each in root.glob('*') if each.is_dir()):
        keep = set() if everything else set(current_entries(directory))
        for folder in sorted(directory.iterdir()):
            if folder.is_dir() and folder not in keep and _is_free(directory, folder):
                freed += _size(folder)
                _remove(folder)
                removed += not folder.name.startswith('.')
        if not any(each.is_dir() for each in directory.iterdir()):
            _remove_directory(directory)
    return removed, freed


def _size(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.rglob('*') if each.is_file())


def _remove(folder: Path) -> None:
    """Remove an entry in one step; what a killed process leaves is hidden, and for prune."""
    rest = folder
    if not folder.name.startswith('.'):
        rest = folder.with_name(f'.{folder.name}.{os.getpid()}.old{BUILDING}')
        folder.rename(rest)
    shutil.rmtree(rest, ignore_errors=True)


def _remove_directory(directory: Path) -> None:
    for each in directory.iterdir():
        if each.name.endswith(CURRENT_SUFFIX) or _is_free(directory, each):
            each.unlink(missing_ok=True)
    with suppress(OSError):  # another process begins a build in it right now
        directory.rmdir()


def _is_free(directory: Path, path: Path) -> bool:
    """Tell whether no process builds the entry that a folder or lock belongs to."""
    name = path.name.removesuffix(LOCK)
    if name.startswith('.') and name.endswith(BUILDING):
        name = name.removesuffix(BUILDING).removesuffix('.old').rpartition('.')[0]
    lock = directory / f'.{name.lstrip(".").removesuffix(REJECTED)}{LOCK}'
    if not lock.exists():
        return True
    with lock.open('r', encoding='utf-8') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
