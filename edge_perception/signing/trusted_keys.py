# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The public keys that a vehicle trusts: a folder that its programs cannot write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import os
from pathlib import Path
import stat

from edge_perception.contract.loading.artifact_files import read_regular
from edge_perception.signing.minisign import FormatError
from edge_perception.signing.minisign import PublicKey
from edge_perception.signing.signature_error import SignatureError

DEFAULT_FOLDER = Path('/etc/edge_perception/keys')
SUFFIX, REVOKED = '.pub', '.revoked'
MOST_KEY_BYTES = 4096


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """
    Keys by their id.

    :param revoked: ids whose signatures are refused by name.
    """

    folder: Path
    keys: Mapping[bytes, PublicKey]
    revoked: frozenset[bytes]

    def __or__(self, other: TrustedKeys) -> TrustedKeys:
        """Return the keys of both; what one revokes is revoked."""
        keys, revoked = {**self.keys, **other.keys}, self.revoked | other.revoked
        return TrustedKeys(self.folder, keys, revoked)

    def key(self, key_id: bytes, signature: Path) -> PublicKey:
        """
        Return the key of a signature.

        :raises SignatureError: it is not trusted.
        """
        name = key_id[::-1].hex().upper()
        if key_id in self.revoked:
            raise SignatureError('key_revoked', signature, f'is of the key {name}, now revoked')
        if key_id not in self.keys:
            known = ', '.join(sorted(key.name for key in self.keys.values())) or 'none'
            reason = f'is of the key {name}, and {self.folder} holds {known}'
            raise SignatureError('key_unknown', signature, reason)
        return self.keys[key_id]


def read_trusted(folder: Path) -> TrustedKeys:
    """
    Read the ``*.pub`` and ``*.revoked`` files of a folder.

    :raises SignatureError: others than its owner can write it, or this process could if it were
        not root; or a file is no key.
    """
    keys: dict[bytes, PublicKey] = {}
    revoked: set[bytes] = set()
    if folder.is_dir():
        _refuse_writable(folder)
    for path in sorted(folder.glob('*')):
        if path.suffix not in (SUFFIX, REVOKED):
            continue
        _refuse_writable(path)
        try:
            text = read_regular(path, most_bytes=MOST_KEY_BYTES).decode('utf-8')
            key = PublicKey.parse(text)
        except (OSError, UnicodeDecodeError, FormatError) as error:
            raise SignatureError('key_unknown', path, str(error)) from None
        if path.suffix == REVOKED:
            revoked.add(key.key_id)
        else:
            keys[key.key_id] = key
    return TrustedKeys(folder, keys, frozenset(revoked))


def _refuse_writable(path: Path) -> None:
    """Refuse a place into which whoever takes over the node could put a key of its own."""
    status = path.stat()
    by_others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    by_us = os.geteuid() != 0 and os.access(path, os.W_OK)
    if by_others or by_us:
        who = 'this user' if by_us else 'more than its owner'
        reason = f'can be written by {who}; give it to root: chmod go-w, chown root'
        raise SignatureError('key_unknown', path, reason)
