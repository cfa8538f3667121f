# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Read and write keys and signatures in the format of minisign, which can check them as well.

The format: https://jedisct1.github.io/minisign/.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
import hashlib
import os

from edge_perception.signing import ed25519

_PLAIN, _HASHED = b'Ed', b'ED'
_SCRYPT, _NO_KDF, _BLAKE2 = b'Sc', b'\0\0', b'B2'
# Of a password: those of minisign itself, about a second and 1 GiB.
_OPERATIONS, _MEMORY = 33_554_432, 1_073_741_824
_UNTRUSTED, _TRUSTED = 'untrusted comment: ', 'trusted comment: '


class FormatError(ValueError):
    """A key or signature is not in the format of minisign."""


class PasswordError(ValueError):
    """The password is not that of the key."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """
    Whose signatures are trusted.

    :param key_id: 8 bytes by chance, to tell keys apart.
    :param key: 32 bytes.
    """

    key_id: bytes
    key: bytes

    @property
    def name(self) -> str:
        """The key id as minisign prints it."""
        return self.key_id[::-1].hex().upper()

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """
        Read a .pub file, or its second line alone.

        :raises FormatError: it is none.
        """
        lines = [line for line in text.splitlines() if line and not line.startswith(_UNTRUSTED)]
        data = _decoded(lines[0] if len(lines) == 1 else '', 42, 'a public key')
        if data[:2] != _PLAIN:
            raise FormatError('it is no Ed25519 key of minisign')
        return cls(data[2:10], data[10:])

    def text(self) -> str:
        """Return the content of a .pub file."""
        line = base64.b64encode(_PLAIN + self.key_id + self.key).decode()
        return f'{_UNTRUSTED}minisign public key {self.name}\n{line}\n'


@dataclass(frozen=True, slots=True)
class SecretKey:
    """
    What signs; never on a vehicle, but for its own device key.

    :param seed: 32 bytes.
    """

    key_id: bytes
    seed: bytes

    @classmethod
    def generate(cls) -> SecretKey:
        """Return a new key."""
        return cls(os.urandom(8), os.urandom(ed25519.SEED_BYTES))

    def public(self) -> PublicKey:
        """Return the public half."""
        return PublicKey(self.key_id, ed25519.public_key(self.seed))

    @classmethod
    def parse(cls, text: str, password: str = '') -> SecretKey:
        """
        Read a .key file.

        :raises FormatError: it is none.
        :raises PasswordError: it has another password.
        """
        lines = text.splitlines()
        data = _decoded(lines[1] if len(lines) == 2 else '', 158, 'a secret key')
        if data[:2] != _PLAIN or data[2:4] not in (_SCRYPT, _NO_KDF) or data[4:6] != _BLAKE2:
            raise FormatError('it is no secret key of minisign')
        hidden = data[54:]
        if data[2:4] == _SCRYPT:
            operations, memory = (int.from_bytes(data[i : i + 8], 'little') for i in (38, 46))
            hidden = _crossed(hidden, password, data[6:38], operations, memory)
        key_id, seed, key, checksum = hidden[:8], hidden[8:40], hidden[40:72], hidden[72:]
        if checksum != _checksum(key_id, seed + key):
            raise PasswordError('the password is wrong')
        return cls(key_id, seed)

    def text(self, password: str = '') -> str:
        """Return the content of a .key file; without a password it is not encrypted."""
        secret = self.seed + ed25519.public_key(self.seed)
        plain = self.key_id + secret + _checksum(self.key_id, secret)
        salt = os.urandom(32)
        kdf, limits = _NO_KDF, (0, 0)
        if password:
            kdf, limits = _SCRYPT, (_OPERATIONS, _MEMORY)
            plain = _crossed(plain, password, salt, *limits)
        head = _PLAIN + kdf + _BLAKE2 + salt + b''.join(n.to_bytes(8, 'little') for n in limits)
        comment = 'minisign encrypted secret key' if password else 'minisign secret key'
        return f'{_UNTRUSTED}{comment}\n{base64.b64encode(head + plain).decode()}\n'

    def sign(self, content: bytes, comment: str) -> str:
        """
        Return the content of a signature file.

        :param comment: one line that is signed as well.
        """
        signature = ed25519.sign(self.seed, hashlib.blake2b(content).digest())
        both = ed25519.sign(self.seed, signature + comment.encode())
        line = base64.b64encode(_HASHED + self.key_id + signature).decode()
        return (
            f'{_UNTRUSTED}signature of edge_perception, key {self.public().name}\n{line}\n'
            f'{_TRUSTED}{comment}\n{base64.b64encode(both).decode()}\n'
        )


@dataclass(frozen=True, slots=True)
class Signature:
    """
    A signature file, not checked.

    :param hashed: whether it is over the BLAKE2b-512 of the content.
    :param whole: 64 bytes, over ``signature`` and comment.
    """

    key_id: bytes
    hashed: bool
    signature: bytes
    comment: str
    whole: bytes

    @classmethod
    def parse(cls, text: str) -> Signature:
        """
        Read a signature file.

        :raises FormatError: it is none.
        """
        lines = text.splitlines()
        if len(lines) != 4 or not lines[2].startswith(_TRUSTED):
            raise FormatError('expected the four lines of a minisign signature')
        data, whole = _decoded(lines[1], 74, 'a signature'), _decoded(lines[3], 64, 'a signature')
        if data[:2] not in (_PLAIN, _HASHED):
            raise FormatError('it is no Ed25519 signature of minisign')
        comment = lines[2].removeprefix(_TRUSTED)
        return cls(data[2:10], data[:2] == _HASHED, data[10:], comment, whole)

    def is_of(self, key: PublicKey, content: bytes) -> bool:
        """Tell whether a key signed the content, and the comment with it."""
        message = hashlib.blake2b(content).digest() if self.hashed else content
        return (
            key.key_id == self.key_id
            and ed25519.is_valid(key.key, message, self.signature)
            and ed25519.is_valid(key.key, self.signature + self.comment.encode(), self.whole)
        )


def _decoded(line: str, size: int, what: str) -> bytes:
    try:
        data = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        data = b''
    if len(data) != size:
        raise FormatError(f'expected {what} of minisign, {size} bytes in base64')
    return data


def _checksum(key_id: bytes, secret: bytes) -> bytes:
    return hashlib.blake2b(_PLAIN + key_id + secret, digest_size=32).digest()


def _crossed(data: bytes, password: str, salt: bytes, operations: int, memory: int) -> bytes:
    """Return data XORed with a stream made of the password, by the limits of libsodium."""
    operations = max(operations, 32768)
    blocks = 8
    most = operations // (blocks * 4)
    if operations >= memory // 32:
        most = memory // (blocks * 128)
    exponent = next(n for n in range(1, 64) if 1 << n > most // 2)
    parallel = 1
    if operations >= memory // 32:
        parallel = max(min((operations // 4) >> exponent, 0x3FFFFFFF) // blocks, 1)
    stream = hashlib.scrypt(
        password.encode(),
        salt=salt,
        n=1 << exponent,
        r=blocks,
        p=parallel,
        maxmem=(1 << exponent) * blocks * 128 + (1 << 25),
        dklen=len(data),
    )
    return bytes(a ^ b for a, b in zip(data, stream))
