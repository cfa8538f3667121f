# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Sign every file of a model folder, and open a folder only as it was signed.

``model.files`` lists them::

    edge_perception model v1
    name landing_pad
    version 3
    digest 360b94e53a5a...
    f1d2d2f924e9...  5 labels.txt

and ``model.sig`` is its signature in the format of minisign, so that ``minisign -V`` can check it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import hashlib
import os
from pathlib import Path
import re
import stat
import unicodedata

from edge_perception.contract.loading.artifact_files import open_regular
from edge_perception.contract.loading.artifact_files import read_regular
from edge_perception.signing.minisign import FormatError
from edge_perception.signing.minisign import PublicKey
from edge_perception.signing.minisign import SecretKey
from edge_perception.signing.minisign import Signature
from edge_perception.signing.signature_error import SignatureError
from edge_perception.signing.trusted_keys import TrustedKeys

PURPOSE = 'edge_perception model v1'
LIST, SIGNATURE = 'model.files', 'model.sig'
MOST_LIST_BYTES, MOST_SIGNATURE_BYTES, MOST_FILE_BYTES = 4 << 20, 4096, 1 << 40
_BLOCK = 1 << 20
_HEAD = re.compile(r'name ([^\n]+)\nversion ([1-9][0-9]{0,8})\ndigest ([0-9a-f]{64})\n')
_LINE = re.compile(r'([0-9a-f]{64})  (0|[1-9][0-9]{0,15}) ([^\n]+)')


@dataclass(frozen=True, slots=True)
class SignedFile:
    """One file of a folder; its path has ``/`` and no way out of the folder."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class FileList:
    """
    What was signed.

    :param version: grows with each release of a model of this name; an older one is refused.
    :param model_digest: of what decides what the model sees.
    """

    name: str
    version: int
    model_digest: str
    files: tuple[SignedFile, ...]

    def text(self) -> str:
        """Return the one way to write it."""
        head = f'{PURPOSE}\nname {self.name}\nversion {self.version}\ndigest {self.model_digest}\n'
        files = sorted(self.files, key=lambda file: file.path.encode())
        return head + ''.join(f'{file.sha256}  {file.size} {file.path}\n' for file in files)

    @classmethod
    def parse(cls, text: str) -> FileList:
        """
        Read what a trusted key signed.

        :raises ValueError: it is not written in the one way, or for another purpose.
        """
        if not text.startswith(f'{PURPOSE}\n'):
            raise ValueError(f'it was signed for another purpose, expected {PURPOSE!r}')
        head = _HEAD.match(text, len(PURPOSE) + 1)
        lines = text[head.end() :].splitlines() if head else []
        matches = [_LINE.fullmatch(line) for line in lines]
        if head is None or not all(matches):
            raise ValueError('it is not written as this version writes it')
        files = tuple(SignedFile(m[3], int(m[2]), m[1]) for m in matches if m)
        found = cls(head[1], int(head[2]), head[3], files)
        once = len({file.path for file in files}) == len(files)
        if not once or found.text() != text or not all(_is_proper(each.path) for each in files):
            raise ValueError('its files are not sorted, named twice, or lead out of the folder')
        return found


def sign_folder(
    folder: Path, key: SecretKey, *, name: str, version: int, model_digest: str
) -> dict[str, str]:
    """
    Return the content of ``model.files`` and ``model.sig`` for a folder as it is now.

    :raises SignatureError: it holds what cannot be signed.
    """
    files = []
    for path in _walk(folder):
        if not _is_proper(path):
            raise SignatureError('file_extra', path, f'{path!r} is no name that can be signed')
        with _opened(folder, path) as file:
            digest, size = hashlib.sha256(), 0
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
        files.append(SignedFile(path, size, digest.hexdigest()))
    text = FileList(name, version, model_digest, tuple(files)).text()
    comment = f'{PURPOSE} {name} {version}'
    return {LIST: text, SIGNATURE: key.sign(text.encode(), comment)}


@dataclass(frozen=True, slots=True)
class Signed:
    """A folder whose list was signed by a trusted key; its files are not checked yet."""

    folder: Path
    content: FileList
    key: PublicKey

    def copy_to(self, private: Path) -> None:
        """
        Copy the files that were signed, each only if it is what was signed.

        What is loaded later are these bytes: a file that is exchanged meanwhile changes nothing.

        :param private: an empty folder that nobody else can write.
        :raises SignatureError: a file was changed, added or taken away.
        """
        signed = {file.path: file for file in self.content.files}
        found = set(_walk(self.folder))
        for path in sorted(found - signed.keys()):
            raise SignatureError('file_extra', self.folder / path, 'was not signed')
        for path, file in signed.items():
            if path not in found:
                raise SignatureError('file_missing', self.folder / path, 'was signed, and is gone')
            self._copy(file, private / path)

    def _copy(self, signed: SignedFile, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        with _opened(self.folder, signed.path) as source, target.open('xb') as copy:
            while size <= signed.size and (block := source.read(_BLOCK)):
                digest.update(block)
                size += len(block)
                copy.write(block)
        if (size, digest.hexdigest()) != (signed.size, signed.sha256):
            path = self.folder / signed.path
            raise SignatureError('file_changed', path, 'is not the file that was signed')


def read_signed(folder: Path, trusted: TrustedKeys) -> Signed:
    """
    Check the signature of a folder, before anything in it is parsed.

    :raises SignatureError: there is none, or none that is trusted.
    """
    try:
        text = read_regular(folder / SIGNATURE, most_bytes=MOST_SIGNATURE_BYTES)
        content = read_regular(folder / LIST, most_bytes=MOST_LIST_BYTES)
    except FileNotFoundError as error:
        raise SignatureError(
            'signature_missing', folder, f'has no {Path(error.filename).name}'
        ) from None
    except OSError as error:
        reason = f'cannot be read: {error.strerror or error}'
        raise SignatureError('signature_wrong', error.filename or folder, reason) from None
    try:
        signature = Signature.parse(text.decode('utf-8'))
    except (FormatError, UnicodeDecodeError) as error:
        raise SignatureError('signature_wrong', folder / SIGNATURE, str(error)) from None
    key = trusted.key(signature.key_id, folder / SIGNATURE)
    if not signature.is_of(key, content):
        reason = f'is not what the key {key.name} signed'
        raise SignatureError('signature_wrong', folder / LIST, reason)
    try:
        return Signed(folder, FileList.parse(content.decode('utf-8')), key)
    except ValueError as error:
        raise SignatureError('signature_wrong', folder / LIST, str(error)) from None


def _walk(folder: Path) -> Iterator[str]:
    """Give the path of every file, and of what is none and must not be there."""
    for place, folders, files in os.walk(folder):
        below = Path(place).relative_to(folder)
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in (*files, *links):
            path = (below / name).as_posix()
            if path not in (LIST, SIGNATURE):
                yield path


def _opened(folder: Path, path: str):  # type: ignore[no-untyped-def]
    whole = folder / path
    try:
        if not stat.S_ISREG(os.lstat(whole).st_mode):
            raise SignatureError('file_extra', whole, 'is no regular file')
        return open_regular(whole, most_bytes=MOST_FILE_BYTES)
    except FileNotFoundError:
        raise SignatureError('file_missing', whole, 'was signed, and is gone') from None
    except OSError as error:
        reason = f'cannot be read: {error.strerror or error}'
        raise SignatureError('file_changed', whole, reason) from None


def _is_proper(path: str) -> bool:
    parts = path.split('/')
    return (
        path.isprintable()
        and unicodedata.normalize('NFC', path) == path
        and '\\' not in path
        and all(part not in ('', '.', '..') for part in parts)
    )
