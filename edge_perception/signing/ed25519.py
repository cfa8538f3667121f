# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Sign and check with Ed25519, as RFC 8032 5.1 has it, in plain Python.

One signature is checked at each start, which takes some milliseconds: not worth a library at run
time. Signing is not done in constant time; it happens on the computer of who holds the key.
"""

from __future__ import annotations

import hashlib

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)
SEED_BYTES = KEY_BYTES = 32
SIGNATURE_BYTES = 64

# Extended coordinates: x = X / Z, y = Y / Z, x y = T / Z.
_Point = tuple[int, int, int, int]
_NEUTRAL: _Point = (0, 1, 1, 0)


def public_key(seed: bytes) -> bytes:
    """Return the public key, 32 bytes, of a secret seed of 32 bytes."""
    return _packed(_times(_scalar(seed)[0], _BASE))


def sign(seed: bytes, message: bytes) -> bytes:
    """Return the signature, 64 bytes."""
    scalar, prefix = _scalar(seed)
    key = _packed(_times(scalar, _BASE))
    once = _hashed(prefix, message)
    commitment = _packed(_times(once, _BASE))
    answer = (once + _hashed(commitment, key, message) * scalar) % _ORDER
    return commitment + answer.to_bytes(32, 'little')


def is_valid(key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether a signature of a message is that of a public key."""
    if len(key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    point, commitment = _unpacked(key), _unpacked(signature[:32])
    answer = int.from_bytes(signature[32:], 'little')
    if point is None or commitment is None or answer >= _ORDER:
        return False
    challenge = _hashed(signature[:32], key, message)
    return _equal(_times(answer, _BASE), _sum(commitment, _times(challenge, point)))


def _scalar(seed: bytes) -> tuple[int, bytes]:
    if len(seed) != SEED_BYTES:
        raise ValueError(f'a seed has {SEED_BYTES} bytes, got {len(seed)}')
    digest = hashlib.sha512(seed).digest()
    clamped = int.from_bytes(digest[:32], 'little') & ((1 << 254) - 8) | 1 << 254
    return clamped, digest[32:]


def _hashed(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b''.join(parts)).digest(), 'little') % _ORDER


def _sum(first: _Point, second: _Point) -> _Point:
    a = (first[1] - first[0]) * (second[1] - second[0]) % _P
    b = (first[1] + first[0]) * (second[1] + second[0]) % _P
    c = 2 * first[3] * second[3] * _D % _P
    d = 2 * first[2] * second[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(number: int, point: _Point) -> _Point:
    result = _NEUTRAL
    while number:
        if number & 1:
            result = _sum(result, point)
        point, number = _sum(point, point), number >> 1
    return result


def _equal(first: _Point, second: _Point) -> bool:
    return not (
        (first[0] * second[2] - second[0] * first[2]) % _P
        or (first[1] * second[2] - second[1] * first[2]) % _P
    )


def _packed(point: _Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, 'little')


def _unpacked(data: bytes) -> _Point | None:
    y = int.from_bytes(data, 'little')
    sign_bit, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (not x and sign_bit):
        return None
    if x & 1 != sign_bit:
        x = _P - x
    return x, y, 1, x * y % _P


_BASE_Y = 4 * pow(5, _P - 2, _P) % _P
_base = _unpacked(_BASE_Y.to_bytes(32, 'little'))
assert _base is not None
_BASE: _Point = _base
