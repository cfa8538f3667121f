# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The key of one machine, by which it knows again what it built itself.

It proves that a program of the node's user built it here after its gate; whoever becomes that user
can build, too.
"""

from __future__ import annotations

import os
from pathlib import Path

from edge_perception.contract.loading.artifact_files import read_regular
from edge_perception.contract.user_files import data_folder
from edge_perception.contract.user_files import write_whole
from edge_perception.signing.minisign import FormatError
from edge_perception.signing.minisign import PasswordError
from edge_perception.signing.minisign import SecretKey
from edge_perception.signing.signature_error import SignatureError
from edge_perception.signing.signed_folder import sign_folder
from edge_perception.signing.trusted_keys import MOST_KEY_BYTES
from edge_perception.signing.trusted_keys import TrustedKeys

# Of what a device built: it has no versions, its folder is named by what it was made of.
_NAME, _VERSION = 'built on this machine', 1


def device_key_path() -> Path:
    """Return where the key lies; it may not exist."""
    return data_folder() / 'device.key'


def read_device_key() -> SecretKey | None:
    """
    Return the key of this machine; None where none was made.

    :raises SignatureError: it cannot be read.
    """
    path = device_key_path()
    try:
        return SecretKey.parse(read_regular(path, most_bytes=MOST_KEY_BYTES).decode('utf-8'))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, FormatError, PasswordError) as error:
        raise SignatureError('key_unknown', path, str(error)) from None


def make_device_key() -> SecretKey:
    """Make the key of this machine, for its user only; return it where there is one already."""
    key = read_device_key()
    if key is None:
        key = SecretKey.generate()
        before = os.umask(0o077)
        try:
            write_whole(device_key_path(), key.text())
        finally:
            os.umask(before)
    return key


def device_keys() -> TrustedKeys:
    """Return the key of this machine as the only one that is trusted."""
    key = read_device_key()
    keys = {} if key is None else {key.key_id: key.public()}
    return TrustedKeys(device_key_path(), keys, frozenset())


def sign_built(folder: Path, *, model_digest: str) -> None:
    """
    Sign what was just built here, where this machine has a key.

    :raises OSError: the folder cannot be written.
    """
    key = read_device_key()
    if key is None:
        return
    signed = sign_folder(folder, key, name=_NAME, version=_VERSION, model_digest=model_digest)
    for name, text in signed.items():
        write_whole(folder / name, text)
