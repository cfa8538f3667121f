# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A signed model on its way into command and engine."""

from __future__ import annotations

from pathlib import Path
import shutil

from click.testing import CliRunner
import pytest

from edge_perception.cli.main import main
from edge_perception.models.assembly import assemble
from edge_perception.models.finding import ZOO
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import ArtifactRequest
from edge_perception.models.request import Request
from edge_perception.signing.signature_error import SignatureError
from edge_perception.signing.signature_policy import SignaturePolicy


@pytest.fixture
def signed(tmp_path, monkeypatch):
    """Make a model, sign it by the commands, and return how to load it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('XDG_DATA_HOME', str(tmp_path / 'data'))
    model = shutil.copytree(ZOO / 'landing_pad', tmp_path / 'pad')
    (tmp_path / 'keys').mkdir()
    command('keys', 'generate', 'release', '--password', '')
    shutil.copy('release.pub', 'keys')
    command('sign', 'pad', '--key', 'release.key', '--version', '2')

    def load(mode='require', *, place=model, **more):
        policy = SignaturePolicy(mode, tmp_path / 'keys')
        request = Request(str(place), 'onnxruntime', signatures=policy, **more)
        assembled = assemble(PluginHost(), request)
        assembled.pipeline.engine.deactivate()
        return assembled

    return load


def command(*words, status=0):
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.output


def test_what_is_loaded_is_the_private_copy(signed):
    assembled = signed()
    assert assembled.model.folder != Path('pad').absolute()
    assert assembled.artifact.path.parent == assembled.model.folder
    assert assembled.model.place == Path('pad').absolute()
    assert assembled.model.admitted.words.startswith('version 2, key ')
    assert not assembled.warnings()
    private = assembled.model.admitted.folder
    del assembled
    assert not private.exists()


def test_a_copy_is_gone_when_its_model_is_refused(signed, tmp_path, monkeypatch):
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'private'))
    (tmp_path / 'private').mkdir()
    Path('pad/more').touch()
    with pytest.raises(SignatureError):
        signed()
    assert not list((tmp_path / 'private').iterdir())


def test_warn_loads_with_a_warning(signed):
    Path('pad/more').touch()
    (warning,) = signed('warn').warnings()
    assert 'more' in warning
    assert not signed('off').warnings()


@pytest.mark.parametrize('name', ['model.onnx', 'model.yaml'])
def test_a_file_alone_is_not_a_signed_model(signed, name):
    place = Path('pad', name).absolute()
    if name == 'model.yaml':  # stands for its folder
        assert signed(place=place).model.admitted.signed
        return
    with pytest.raises(SignatureError) as refused:
        signed(place=place)
    assert refused.value.code == 'signature_missing'


def test_an_artifact_beside_the_folder_is_not_signed(signed, tmp_path):
    inside = signed(artifact=ArtifactRequest(str(tmp_path / 'pad' / 'model.onnx')))
    assert inside.artifact.path.parent == inside.model.folder
    shutil.copy('pad/model.onnx', 'other.onnx')
    with pytest.raises(SignatureError) as refused:
        signed(artifact=ArtifactRequest(str(tmp_path / 'other.onnx')))
    assert refused.value.code == 'signature_missing'


def test_models_of_the_package_need_no_signature(signed):
    assert signed(place='landing_pad').model.folder == ZOO / 'landing_pad'


def test_an_old_model_does_not_come_back_once_a_newer_one_was_loaded(signed):
    command('sign', 'pad', '--key', 'release.key', '--version', '1')
    signed()
    command('sign', 'pad', '--key', 'release.key', '--version', '2')
    signed()
    command('sign', 'pad', '--key', 'release.key', '--version', '1')
    with pytest.raises(SignatureError) as refused:
        signed()
    assert refused.value.code == 'version_rolled_back'


def test_verify_says_who_signed(signed):
    words = ('verify', 'pad', '--signature', '--trust', 'keys')
    assert 'version 2' in command(*words)
    Path('pad/model.onnx').write_bytes(b'x')
    assert 'file_changed' in command(*words, status=2)


def test_mistakes_with_keys_are_said(signed):
    assert 'release.key' in command('keys', 'generate', 'release', '--password', '', status=2)
    for key in ('release.pub', 'nothing.key', 'keys'):
        output = command('sign', 'pad', '--key', key, '--version', '3', status=2)
        assert key in output and 'configuration_invalid' in output
    assert 'trusted' in command('keys', 'list', '--trust', 'keys')
