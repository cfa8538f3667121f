# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Attacks on a signed model folder, each by its code."""

from __future__ import annotations

import os
import shutil

import pytest

from edge_perception.signing.device_key import device_keys
from edge_perception.signing.device_key import make_device_key
from edge_perception.signing.device_key import sign_built
from edge_perception.signing.minisign import SecretKey
from edge_perception.signing.signature_error import SignatureError
from edge_perception.signing.signature_policy import SignaturePolicy
from edge_perception.signing.signature_policy import versions_file
from edge_perception.signing.signed_folder import FileList
from edge_perception.signing.signed_folder import LIST
from edge_perception.signing.signed_folder import sign_folder
from edge_perception.signing.signed_folder import SIGNATURE

KEY = SecretKey(b'release1', bytes(range(32)))
PUBLIC = KEY.public()
OTHER = SecretKey(b'another1', bytes(range(1, 33)))
DIGEST = 64 * 'a'
FILES = {'model.yaml': b'name: x', 'model.onnx': b'abc', 'artifacts/model.tflite': b'def'}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_DATA_HOME', str(tmp_path / 'data'))


@pytest.fixture(scope='module')
def original(tmp_path_factory):
    model = tmp_path_factory.mktemp('original')
    for path, content in FILES.items():
        (model / path).parent.mkdir(parents=True, exist_ok=True)
        (model / path).write_bytes(content)
    sign(model)
    return model


@pytest.fixture
def folder(original, tmp_path):
    """Return a signed folder."""
    return shutil.copytree(original, tmp_path / 'model')


@pytest.fixture
def policy(tmp_path):
    keys = tmp_path / 'keys'
    keys.mkdir()
    (keys / 'release.pub').write_text(PUBLIC.text())
    return SignaturePolicy('require', keys)


def sign(model, *, key=KEY, version=2, name='x'):
    signed = sign_folder(model, key, name=name, version=version, model_digest=DIGEST)
    for each, text in signed.items():
        (model / each).write_text(text)


def code_of(policy, folder):
    with pytest.raises(SignatureError) as refused:
        policy.admit(folder)
    return refused.value.code


def test_a_private_copy_is_what_was_signed(folder, policy):
    admitted = policy.admit(folder)
    copied = {
        path.relative_to(admitted.folder).as_posix(): path.read_bytes()
        for path in admitted.folder.rglob('*')
        if path.is_file()
    }
    assert copied == FILES
    assert admitted.folder.parent.stat().st_mode & 0o777 == 0o700
    (folder / 'model.onnx').write_bytes(b'changed after the check')
    assert (admitted.folder / 'model.onnx').read_bytes() == b'abc'


@pytest.mark.parametrize('path', FILES)
def test_a_changed_bit(folder, policy, path):
    content = bytearray(FILES[path])
    content[-1] ^= 1
    (folder / path).write_bytes(content)
    assert code_of(policy, folder) == 'file_changed'


def test_two_files_of_one_size_exchanged(folder, policy):
    (folder / 'model.onnx').write_bytes(FILES['artifacts/model.tflite'])
    (folder / 'artifacts/model.tflite').write_bytes(FILES['model.onnx'])
    assert code_of(policy, folder) == 'file_changed'


def grow(folder):
    with (folder / 'model.onnx').open('ab') as file:
        file.truncate(1 << 40)


def link_away(folder):
    (folder / 'model.onnx').rename(folder.parent / 'elsewhere')
    (folder / 'model.onnx').symlink_to(folder.parent / 'elsewhere')


def link_folder(folder):
    shutil.move(folder / 'artifacts', folder.parent / 'artifacts')
    (folder / 'artifacts').symlink_to(folder.parent / 'artifacts')


@pytest.mark.parametrize(
    ('attack', 'code'),
    [
        (lambda folder: (folder / 'plugin.so').write_bytes(b'x'), 'file_extra'),
        (lambda folder: (folder / '.gitignore').write_bytes(b'x'), 'file_extra'),
        (lambda folder: os.mkfifo(folder / 'pipe'), 'file_extra'),
        (link_away, 'file_extra'),
        (link_folder, 'file_extra'),
        (grow, 'file_changed'),
        (lambda folder: (folder / 'model.onnx').unlink(), 'file_missing'),
        (lambda folder: (folder / SIGNATURE).unlink(), 'signature_missing'),
        (lambda folder: (folder / LIST).unlink(), 'signature_missing'),
        (lambda folder: sign(folder, key=OTHER), 'key_unknown'),
        (lambda folder: sign(folder, key=SecretKey(KEY.key_id, OTHER.seed)), 'signature_wrong'),
    ],
)  # fmt: skip
def test_an_attack_is_refused_by_its_code(folder, policy, attack, code):
    attack(folder)
    assert code_of(policy, folder) == code


@pytest.mark.parametrize(
    'change',
    [
        lambda text: text.replace('\n', '\r\n'),
        lambda text: text + f'{DIGEST}  0 more\n',
        lambda text: text.replace('version 2', 'version 3'),
        lambda text: text[:-1],
    ],
)
def test_a_changed_list(folder, policy, change):
    (folder / LIST).write_bytes(change((folder / LIST).read_text()).encode())
    assert code_of(policy, folder) == 'signature_wrong'


@pytest.mark.parametrize('length', [0, 1, 60, 200])
def test_a_cut_signature(folder, policy, length):
    (folder / SIGNATURE).write_text((folder / SIGNATURE).read_text()[:length])
    assert code_of(policy, folder) == 'signature_wrong'


@pytest.mark.parametrize(
    'text',
    [
        'edge_perception firmware v1\nname x\n',
        f'edge_perception model v1\nname x\nversion 1\ndigest {DIGEST}\n{DIGEST}  3 ../x\n',
        f'edge_perception model v1\nname x\nversion 1\ndigest {DIGEST}\n{DIGEST}  3 /etc/x\n',
        f'edge_perception model v1\nname x\nversion 01\ndigest {DIGEST}\n',
        f'edge_perception model v1\nname x\nversion 1\ndigest {DIGEST}\n' + 2 * f'{DIGEST}  3 x\n',
    ],
)
def test_a_list_of_a_trusted_key_that_says_too_much(folder, policy, text):
    (folder / LIST).write_text(text)
    (folder / SIGNATURE).write_text(KEY.sign(text.encode(), 'comment'))
    assert code_of(policy, folder) == 'signature_wrong'


def test_a_renamed_folder_is_the_same_model(folder, policy):
    assert policy.admit(folder.rename(folder.with_name('renamed'))).signed.content.version == 2


def test_an_older_version_is_refused_once_a_newer_one_was_loaded(folder, policy):
    policy.admit(folder).loaded()
    sign(folder, version=1)
    assert code_of(policy, folder) == 'version_rolled_back'
    sign(folder, version=1, name='y')
    policy.admit(folder)
    versions_file().write_text('{damaged')
    assert code_of(policy, folder) == 'version_rolled_back'


def test_a_revoked_key(folder, policy):
    (policy.trust_folder / 'release.revoked').write_text(PUBLIC.text())
    assert code_of(policy, folder) == 'key_revoked'


@pytest.mark.parametrize('name', ['', 'release.pub'])
def test_keys_that_others_can_write_count_for_nothing(folder, policy, name):
    (policy.trust_folder / name).chmod(0o666 if name else 0o777)
    assert code_of(policy, folder) == 'key_unknown'


def test_warn_loads_and_says_what_require_refuses(folder, policy):
    (folder / 'extra').touch()
    admitted = SignaturePolicy('warn', policy.trust_folder).admit(folder)
    assert admitted.folder == folder
    assert 'extra' in admitted.warning


def test_another_model_than_the_signed_one(folder, policy):
    admitted = policy.admit(folder)
    admitted.check_digest(DIGEST)
    with pytest.raises(SignatureError) as refused:
        admitted.check_digest(64 * 'b')
    assert refused.value.code == 'file_changed'


def test_what_a_device_built_is_known_by_its_own_key(folder, policy):
    sign_built(folder, model_digest=DIGEST)
    assert policy.admit_built(folder).folder is not None  # still that of the release key
    key = make_device_key()
    assert make_device_key() == key
    sign_built(folder, model_digest=DIGEST)
    assert code_of(policy, folder) == 'key_unknown'
    assert policy.admit_built(folder).signed.key == key.public()
    assert list(device_keys().keys) == [key.key_id]
    (folder / 'model.onnx').write_bytes(b'abd')
    admitted = policy.admit_built(folder)
    assert admitted.folder is None and 'model.onnx' in admitted.warning


def test_a_list_is_written_in_one_way():
    with pytest.raises(ValueError, match='purpose'):
        FileList.parse('')
