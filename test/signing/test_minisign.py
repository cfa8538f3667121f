# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Ed25519 and the files of minisign, by vectors that others made."""

from __future__ import annotations

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import pytest

from edge_perception.signing import ed25519
from edge_perception.signing import minisign

# RFC 8032 7.1, tests 1 to 3: seed, public key, message, signature.
VECTORS = [
    (
        '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
        'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
        '',
        'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155'
        '5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ),
    (
        '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
        '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
        '72',
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da'
        '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ),
    (
        'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
        'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
        'af82',
        '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac'
        '18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ),
]
PUBLIC = 'RWQoXkfh0WbWiav3LSu+qtwLzoBQ1Iz8YMRVViUjRekHOLQnaokgubdc'
# Of the content b'hello', made by minisign.
SIGNED = """untrusted comment: signature
RUQoXkfh0WbWiQe7S43M7G2SmUQGI35S5I9ENpejicyz9a32mvKwVsoZhEo2Zt2Lnsjk4lhnuO2JAx/eKuL+6QeFFVI9KapdcAk=
trusted comment: timestamp:1796062176
iTMmBHauJNfENeJfSmO4DxpUf2ysdI3vkHT9doALbLL7LadUnjksoH9Oow0/gl+6jKz2zbBRTEdFLr527yQtAA==
"""
KEY = minisign.SecretKey(b'\1\2\3\4\5\6\7\10', bytes(range(32)))


@pytest.mark.parametrize(('seed', 'key', 'message', 'signature'), VECTORS)
def test_ed25519_is_that_of_the_rfc(seed, key, message, signature):
    seed, message = bytes.fromhex(seed), bytes.fromhex(message)
    assert ed25519.public_key(seed).hex() == key
    assert ed25519.sign(seed, message).hex() == signature
    assert ed25519.is_valid(bytes.fromhex(key), message, bytes.fromhex(signature))


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 511), st.integers(0, 255))
def test_one_bit_makes_a_signature_wrong(bit, other_bit):
    signature = bytearray(ed25519.sign(KEY.seed, b'content'))
    signature[bit // 8] ^= 1 << bit % 8
    key = bytearray(KEY.public().key)
    assert not ed25519.is_valid(bytes(key), b'content', bytes(signature))
    key[other_bit // 8] ^= 1 << other_bit % 8
    assert not ed25519.is_valid(bytes(key), b'content', ed25519.sign(KEY.seed, b'content'))


def test_a_scalar_beyond_the_order_is_no_second_signature():
    signature = ed25519.sign(KEY.seed, b'content')
    order = 2**252 + 27742317777372353535851937790883648493
    larger = int.from_bytes(signature[32:], 'little') + order
    forged = signature[:32] + larger.to_bytes(32, 'little')
    assert not ed25519.is_valid(KEY.public().key, b'content', forged)


def test_a_signature_of_minisign_is_read():
    key, signature = minisign.PublicKey.parse(PUBLIC), minisign.Signature.parse(SIGNED)
    assert signature.is_of(key, b'hello')
    assert not signature.is_of(key, b'hellp')
    assert not signature.is_of(KEY.public(), b'hello')
    changed = minisign.Signature.parse(SIGNED.replace('1796062176', '1796062177'))
    assert not changed.is_of(key, b'hello')


@pytest.mark.parametrize('password', ['', 'correct horse'])
def test_keys_are_read_back(password, monkeypatch):
    # As little memory as the format allows: with minisign's own limits it is 1 GiB.
    monkeypatch.setattr(minisign, '_MEMORY', 1 << 20)
    monkeypatch.setattr(minisign, '_OPERATIONS', 1 << 15)
    text = KEY.text(password)
    assert minisign.SecretKey.parse(text, password) == KEY
    assert minisign.PublicKey.parse(KEY.public().text()) == KEY.public()
    if password:
        with pytest.raises(minisign.PasswordError):
            minisign.SecretKey.parse(text, 'wrong')


@given(st.text(max_size=200))
def test_what_is_no_file_of_minisign_is_said(text):
    for kind in (minisign.PublicKey, minisign.SecretKey, minisign.Signature):
        with pytest.raises(minisign.FormatError):
            kind.parse(text)
