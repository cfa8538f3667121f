# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import sys

import numpy as np
import onnx
from onnx import helper
from onnx import numpy_helper
import pytest
import yaml

from edge_perception.contract import load_manifest
from edge_perception.contract import ManifestError
from edge_perception.contract import UNANSWERED
from test.support.networks import save
from test.support.networks import save_identity
from test.support.networks import tensor
from test.support.raising import raises
from tools.model_folders import HERE

ONNX_MODELS = {
    'yolox_nano': 'yolox',
    'light_person_detector': 'yolox',
    'nanodet_m': 'nanodet',
    'movenet_lightning': 'movenet',
    'mobilenet_v1': 'classifier',
    'yunet_320': 'yunet',
    'yunet_dynamic': 'yunet',
}


def look(invoke, *arguments) -> dict:
    result = invoke('inspect', *arguments, '--json')
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_every_onnx_file_has_the_golden_signature(invoke, shared_data):
    golden = json.loads((shared_data / 'golden/io_signatures.json').read_text())
    files = sorted(shared_data.glob('*/*.onnx'))
    assert len(files) == len(ONNX_MODELS)
    for file in files:
        seen = look(invoke, file)
        assert seen['parameters'] > 10_000
        assert seen['opsets']['ai.onnx'] in (11, 13)
        expected = golden.get(file.name)
        if expected is not None:
            assert sorted(seen['operators']) == expected['ops']
            assert seen['ir_version'] == expected['ir']
            assert seen['producer'] == expected['producer']
            for kind in ('inputs', 'outputs'):
                names = [each['name'] for each in expected[kind]]
                assert [each['name'] for each in seen[kind]] == names
            if file.name != 'yunet_n_dynamic.onnx':
                shapes = [each['shape'] for each in expected['outputs']]
                assert [each['shape'] for each in seen['outputs']] == shapes


@pytest.mark.parametrize(('name', 'decoder'), ONNX_MODELS.items())
def test_the_decoder_of_real_models_is_guessed_and_called_a_guess(invoke, model, name, decoder):
    folder = model(name)
    source = load_manifest(folder / 'model.yaml').source
    seen = look(invoke, folder / source)
    assert seen['decoder'] == decoder
    assert any(f'the decoder {decoder!r} is a guess' in each for each in seen['unknown'])
    assert any('color order' in each for each in seen['unknown'])
    if name != 'yunet_dynamic':  # decoders cannot check an input without a size
        assert decoder in seen['decoders_that_fit']


@pytest.mark.parametrize('name', ONNX_MODELS)
def test_a_draft_with_the_answers_is_the_manifest(invoke, model, name):
    folder = model(name)
    right = load_manifest(folder / 'model.yaml')
    answers = yaml.safe_load((HERE / name / 'model.yaml').read_text())
    (folder / 'model.yaml').unlink()
    result = invoke('inspect', folder / right.source, '--draft')
    assert result.exit_code == 0, result.stderr
    text = (folder / 'model.yaml').read_text()
    assert '# The file does not say:' in text
    assert "fill: '?'" in text
    assert 'the color order of the input' in text
    with raises(ManifestError, "input.color: got '?'"):
        load_manifest(folder / 'model.yaml')
    draft = yaml.safe_load(text)
    for key, value in draft['input'].items():
        if value == UNANSWERED:
            defaults = {'scale': 1.0, 'mean': 0.0, 'std': 1.0}
            draft['input'][key] = answers['input'].get(key, defaults.get(key))
    draft['input']['fill'] = answers['input'].get('fill', 114)
    draft['labels'] = answers.get('labels')
    (folder / 'model.yaml').write_text(yaml.safe_dump(draft))
    completed = load_manifest(folder / 'model.yaml')
    assert completed.sha256 == right.sha256
    assert completed.decoder == right.decoder
    assert completed.labels == right.labels
    assert completed.keypoint_names == right.keypoint_names
    for key in ('width', 'height', 'layout', 'dtype', 'color', 'scale', 'mean', 'std', 'resize'):
        assert getattr(completed.input, key) == getattr(right.input, key), key


def test_a_draft_never_replaces_a_manifest_unasked(invoke, model):
    folder = model('yolox_nano')
    before = (folder / 'model.yaml').read_text()
    result = invoke('inspect', folder / 'yolox_nano.onnx', '--draft')
    assert result.exit_code == 2
    assert 'exists already, expected --force' in result.stderr
    assert (folder / 'model.yaml').read_text() == before
    assert invoke('inspect', folder / 'yolox_nano.onnx', '--draft', '--force').exit_code == 0
    assert (folder / 'model.yaml').read_text() != before


def test_a_draft_goes_where_the_user_says_but_not_away_from_the_model(invoke, tmp_path):
    (tmp_path / 'inner').mkdir()
    (tmp_path / 'other').mkdir()
    model = save_identity(tmp_path / 'inner/net.onnx')
    assert invoke('inspect', model, '--draft', '--output', tmp_path / 'a.yaml').exit_code == 0
    assert yaml.safe_load((tmp_path / 'a.yaml').read_text())['source']['file'] == 'inner/net.onnx'
    result = invoke('inspect', model, '--draft', '--output', tmp_path / 'other/a.yaml')
    assert result.exit_code == 2
    assert 'has to lie in the folder of its model' in result.stderr
    assert list((tmp_path / 'other').iterdir()) == []
    assert invoke('inspect', model, '--output', tmp_path / 'b.yaml').exit_code == 2


def test_names_of_tensors_cannot_break_out_of_the_comments(invoke, tmp_path):
    evil = 'image\nname: evil\x85\u2028x: 1\x00\x1b[31m'
    node = helper.make_node('Identity', [evil], [evil + '2'])
    shape = (1, 3, 32, 32)
    save(tmp_path / 'net.onnx', [node], [tensor(evil, shape)], [tensor(evil + '2', shape)])
    result = invoke('inspect', tmp_path / 'net.onnx', '--draft')
    assert result.exit_code == 0, result.stderr
    draft = yaml.safe_load((tmp_path / 'model.yaml').read_text())
    assert draft['name'] == 'net'
    assert 'x' not in draft


def test_a_folder_shows_all_problems_of_its_manifest_and_the_tensors(invoke, model):
    folder = model('yolox_nano')
    manifest = folder / 'model.yaml'
    text = manifest.read_text()
    manifest.write_text(text.replace('width: 416', 'width: -1').replace('fill', 'fil'))
    result = invoke('inspect', folder)
    assert result.exit_code == 1
    assert '1x3549x85 float32' in result.stdout
    assert 'input.width: got -1' in result.stderr
    assert "input.fil: unknown key, did you mean 'fill'?" in result.stderr
    manifest.write_text(
        text.replace('width: 416', 'width: 320').replace('yolox\n', 'movenet\n', 1)
    )
    result = invoke('inspect', folder)
    assert result.exit_code == 1
    assert '1x3x416x320 float32 from the manifest' in result.stderr
    manifest.write_text(text)
    result = invoke('inspect', folder)
    assert (result.exit_code, result.stderr) == (0, '')


def test_a_decoder_that_does_not_fit_is_a_problem(invoke, model):
    manifest = model('yolox_nano') / 'model.yaml'
    manifest.write_text(manifest.read_text().replace('name: yolox\n', 'name: movenet\n'))
    result = invoke('inspect', manifest.parent)
    assert result.exit_code == 1
    assert "decoder 'movenet' of yolox_nano: got outputs output 1x3549x85" in result.stderr


def test_files_that_are_no_models(invoke, tmp_path):
    (tmp_path / 'text.onnx').write_text('no model')
    (tmp_path / 'empty.onnx').touch()
    (tmp_path / 'model.xyz').touch()
    for name in ('text.onnx', 'empty.onnx', 'model.xyz', 'missing.onnx'):
        result = invoke('inspect', tmp_path / name)
        assert result.exit_code == 2
        (line,) = result.stderr.splitlines()
        assert line.startswith('error [')
        assert name in line


def test_weights_in_another_file_are_named_and_missed(invoke, tmp_path):
    shape = (1, 3, 32, 32)
    model = save(
        tmp_path / 'net.onnx',
        [helper.make_node('Add', ['image', 'weight'], ['result'])],
        [tensor('image', shape)],
        [tensor('result', shape)],
        constants=[numpy_helper.from_array(np.ones(shape, np.float32), 'weight')],
    )
    onnx.save(onnx.load(model), model, save_as_external_data=True, location='net.bin')
    seen = look(invoke, model)
    assert (seen['external_data'], seen['parameters']) == (['net.bin'], 3 * 32 * 32)
    (tmp_path / 'net.bin').unlink()
    result = invoke('inspect', model)
    assert result.exit_code == 1
    assert 'its weights in net.bin are missing' in result.stderr
    assert '1x3x32x32 float32' in result.stdout


def test_operators_of_strangers_are_shown_with_their_domain(invoke, tmp_path):
    save_identity(tmp_path / 'net.onnx', operator='Magic', domain='org.strange')
    assert look(invoke, tmp_path / 'net.onnx')['operators'] == {'org.strange.Magic': 1}


def test_without_the_library_onnx_the_rest_is_shown(invoke, model, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnx', None)
    monkeypatch.setattr('edge_perception.tooling.model_facts.can_read_graphs', lambda: False)
    result = invoke('inspect', model('yolox_nano'))
    assert result.exit_code == 0
    assert '1x3549x85 float32' in result.stdout
    assert 'pip install onnx' in result.stderr


def test_a_model_that_does_not_exist_is_not_replaced_by_the_only_one_beside(tmp_path, invoke):
    save_identity(tmp_path / 'other.onnx')
    result = invoke('inspect', str(tmp_path / 'missing.onnx'), '--draft')
    assert result.exit_code == 2
    assert 'model_not_found' in result.stderr
    assert not (tmp_path / 'model.yaml').exists()
