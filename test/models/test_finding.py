# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from hashlib import sha256
import os
from pathlib import Path
import sys

import numpy as np
import pytest
import yaml

from edge_perception.contract import ArtifactError
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import InputRecipe
from edge_perception.contract import ManifestError
from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelNotFoundError
from edge_perception.contract import TensorSpec
from edge_perception.contract.loading.artifact_files import MOST_ARTIFACT_BYTES
from edge_perception.decoders import DECODERS
from edge_perception.models import finding as models
from edge_perception.models.digests import external_files
from edge_perception.models.digests import source_sha256
from edge_perception.models.drafting import Draft
from edge_perception.models.drafting import draft_manifest
from edge_perception.models.finding import find_model
from edge_perception.models.finding import Model
from test.support.raising import raises

FLOAT = np.dtype(np.float32)
WEIGHTS = b'weights'
# What an Ultralytics export says of itself; it is enough to run it.
DESCRIPTION = ModelDescription(
    inputs=(TensorSpec('images', (1, 3, 64, 96), FLOAT),),
    outputs=(TensorSpec('output0', (1, 6, 126), FLOAT),),
    metadata={
        'task': 'detect',
        'names': "{0: 'person', 1: 'car'}",
        'imgsz': '[64, 96]',
        'stride': '32',
        'batch': '1',
    },
)


def refuse(path: Path) -> ModelDescription:
    raise AssertionError(f'{path} has a manifest and need not be described')


def find(name: object, *, folders: tuple[Path, ...] = (), describe=refuse) -> Model:
    def draft(path: Path) -> Draft:
        return draft_manifest(describe(path), source=path.name, decoders=DECODERS)

    environ = {'EDGE_PERCEPTION_MODEL_PATH': os.pathsep.join(map(str, folders))}
    return find_model(str(name), draft=draft, environ=environ)


def sentence(error: type[EdgePerceptionError], name: object, **options: object) -> str:
    with pytest.raises(error) as raised:
        find(name, **options)
    return str(raised.value)


def write_model(folder: Path, *, digest: str = '', source: str = 'net.onnx') -> Path:
    """Make a model folder and return it."""
    folder.mkdir(parents=True)
    (folder / 'net.onnx').write_bytes(WEIGHTS)
    values = {
        'manifest_version': 1,
        'name': f'the {folder.name}',
        'source': {'file': source, 'sha256': digest},
        'input': {'width': 96, 'height': 64},
        'decoder': {'name': 'yolo'},
    }
    if not digest:
        del values['source']['sha256']
    (folder / 'model.yaml').write_text(yaml.safe_dump(values), encoding='utf-8')
    return folder


@pytest.fixture(autouse=True)
def zoo(tmp_path, monkeypatch):
    folder = tmp_path / 'zoo'
    write_model(folder / 'landing_pad')
    monkeypatch.setattr(models, 'ZOO', folder)
    return folder


@pytest.mark.parametrize('named', ['.', 'model.yaml'])
def test_a_model_is_found_by_its_folder_or_by_its_manifest(tmp_path, named):
    folder = write_model(tmp_path / 'mine')
    model = find(folder / named)
    assert model.folder == folder
    assert model.source == folder / 'net.onnx'
    assert model.manifest.name == 'the mine'


def test_a_manifest_may_have_another_name(tmp_path):
    folder = write_model(tmp_path / 'mine')
    (folder / 'model.yaml').rename(folder / 'night.yml')
    assert find(folder / 'night.yml').manifest.name == 'the mine'


def test_a_path_may_start_at_the_home_of_the_user(tmp_path, monkeypatch):
    write_model(tmp_path / 'mine')
    monkeypatch.setenv('HOME', str(tmp_path))
    assert find('~/mine').manifest.name == 'the mine'


def test_a_bare_file_that_says_enough_needs_no_manifest(tmp_path):
    path = tmp_path / 'best.onnx'
    path.write_bytes(WEIGHTS)
    model = find(path, describe=lambda asked: DESCRIPTION if asked == path else None)
    assert (model.folder, model.source) == (tmp_path, path)
    assert model.manifest.labels.names == ('person', 'car')
    assert model.manifest.input == InputRecipe(
        width=96, height=64, scale=model.manifest.input.scale
    )


def test_a_bare_file_that_says_too_little_gets_all_questions_and_the_command(tmp_path):
    path = tmp_path / 'best.onnx'
    path.write_bytes(WEIGHTS)
    silent = ModelDescription(inputs=DESCRIPTION.inputs, outputs=DESCRIPTION.outputs)
    with pytest.raises(ManifestError) as raised:
        find(path, describe=lambda _: silent)
    *questions, advice = raised.value.problems
    assert len(questions) > 1
    assert all(each.startswith('the file does not say ') for each in questions)
    assert advice.endswith(
        f'edge-perception inspect {path} --draft --output {tmp_path}/model_draft.yaml'
    )
    assert not any('class names' in each for each in questions)


def test_a_name_is_looked_up_in_the_folders_in_their_order_and_then_in_the_zoo(tmp_path):
    first, second = tmp_path / 'first', tmp_path / 'second'
    write_model(second / 'yolox')
    write_model(second / 'landing_pad')
    assert find('yolox', folders=(first, second)).folder == second / 'yolox'
    write_model(first / 'yolox')
    assert find('yolox', folders=(first, second)).folder == first / 'yolox'
    assert find('landing_pad', folders=(first, second)).folder == second / 'landing_pad'
    assert find('landing_pad', folders=(first,)).folder == tmp_path / 'zoo' / 'landing_pad'


def test_without_an_environment_of_its_own_it_is_that_of_the_process(tmp_path, monkeypatch):
    write_model(tmp_path / 'folder' / 'yolox')
    monkeypatch.setenv('EDGE_PERCEPTION_MODEL_PATH', str(tmp_path / 'folder'))
    assert find_model('yolox', draft=refuse).manifest.name == 'the yolox'


def test_a_folder_here_comes_before_a_name(tmp_path, monkeypatch):
    here = write_model(tmp_path / 'here' / 'landing_pad')
    monkeypatch.chdir(here.parent)
    assert find('landing_pad').folder.resolve() == here


def test_an_unknown_name_gets_all_known_ones(tmp_path):
    write_model(tmp_path / 'folder' / 'yolox')
    (tmp_path / 'folder' / 'notes').mkdir()
    (tmp_path / 'folder' / 'readme.txt').write_text('', encoding='utf-8')
    assert sentence(
        ModelNotFoundError, 'yolo', folders=(tmp_path / 'folder', tmp_path / 'no')
    ) == (
        "model 'yolo': no such file or folder, and no model of this name; "
        'known names: landing_pad, yolox; more are looked for in EDGE_PERCEPTION_MODEL_PATH'
    )


def test_no_name_at_all_is_asked_for():
    assert sentence(ModelNotFoundError, '') == (
        'model: got nothing, expected the path of a model folder or the name of a model; '
        'known names: landing_pad'
    )


def test_nothing_known_at_all_is_said(zoo, monkeypatch):
    monkeypatch.setattr(models, 'ZOO', zoo / 'nowhere')
    assert 'known names: none' in sentence(ModelNotFoundError, 'yolo')


@pytest.mark.parametrize(
    'name', ['./landing_pad', 'models/landing_pad', '~nobody_here/x', 'a\0b', 'x' * 5000]
)
def test_what_can_only_be_a_path_is_not_looked_up_elsewhere(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert 'no such file or folder' in sentence(ModelNotFoundError, name)


def test_a_folder_without_a_manifest_says_which_file_is_missing(tmp_path):
    assert sentence(ManifestError, tmp_path) == (
        f'{tmp_path}/model.yaml: cannot be read: No such file or directory'
    )


def test_a_source_that_is_missing_is_named(tmp_path):
    folder = write_model(tmp_path / 'mine')
    (folder / 'net.onnx').unlink()
    assert sentence(ArtifactError, folder) == (
        f'artifact {folder}/net.onnx: no such file; put the file there or correct source.file '
        'of the manifest of the mine'
    )


@pytest.mark.parametrize('source', ['a\0b', 'x' * 5000, '.', 'net.onnx/more'])
def test_a_source_that_cannot_be_a_file_is_missing(tmp_path, source):
    folder = write_model(tmp_path / 'mine', source=source)
    assert ': no such file; ' in sentence(ArtifactError, folder)


def test_the_digest_of_the_source_is_checked(tmp_path):
    right = sha256(WEIGHTS).hexdigest()
    assert find(write_model(tmp_path / 'right', digest=right.upper())).manifest.sha256 == right
    folder = write_model(tmp_path / 'wrong', digest='0' * 64)
    assert sentence(ArtifactError, folder) == (
        f'artifact {folder}/net.onnx: has sha256 {right}, the manifest expects {"0" * 64}; '
        'restore the file that the manifest was written for, or correct source.sha256'
    )


@pytest.mark.skipif(sys.platform != 'linux', reason='needs a file of Linux that cannot be read')
def test_a_source_that_cannot_be_read_is_said_in_words(tmp_path):
    folder = write_model(tmp_path / 'mine', digest='0' * 64)
    (folder / 'net.onnx').unlink()
    (folder / 'net.onnx').symlink_to('/proc/self/mem')
    assert 'cannot be read: Input/output error; ' in sentence(ArtifactError, folder)


def test_a_manifest_that_is_not_valid_says_what_is_wrong(tmp_path):
    folder = write_model(tmp_path / 'mine')
    (folder / 'model.yaml').write_text('manifest_version: 1', encoding='utf-8')
    assert f'{folder}/model.yaml: name: got nothing' in sentence(ManifestError, folder)


def test_a_folder_with_a_model_and_no_manifest_says_how_to_write_one(tmp_path):
    (tmp_path / 'net.onnx').write_bytes(b'')
    with pytest.raises(ManifestError) as raised:
        find_model(str(tmp_path), draft=lambda _: None)
    assert str(raised.value).endswith(
        f'edge-perception inspect {tmp_path}/net.onnx --draft --output {tmp_path}/model.yaml'
    )


def test_a_draft_with_open_questions_is_called_unfinished(tmp_path):
    folder = write_model(tmp_path / 'mine')
    manifest = folder / 'model.yaml'
    text = manifest.read_text()
    manifest.write_text(text.replace('height: 64', "height: 64\n  fill: '?'\n  color: green"))
    with pytest.raises(ManifestError) as raised:
        find(folder)
    fill, color = sorted(raised.value.problems, key=lambda each: 'color' in each)
    assert fill.startswith("input.fill: got '?'")
    assert fill.endswith('; the draft is unfinished, put in the answer')
    assert 'unfinished' not in color
    manifest.write_text(text.replace('name: yolo', "name: '?'"))
    assert "decoder.name: got '?', expected the name of a decoder" in sentence(
        ManifestError, folder
    )


def test_the_manifest_beside_a_file_counts(tmp_path):
    folder = write_model(tmp_path / 'yolox')
    model = find(folder / 'net.onnx')
    assert (model.manifest.name, model.place) == ('the yolox', folder / 'net.onnx')
    (folder / 'other.onnx').write_bytes(WEIGHTS)
    other = find(folder / 'other.onnx', describe=lambda _: DESCRIPTION)
    assert other.manifest.name == 'other'


def test_a_wrong_manifest_beside_a_file_is_not_passed_over(tmp_path):
    folder = write_model(tmp_path / 'yolox')
    manifest = folder / 'model.yaml'
    manifest.write_text(manifest.read_text().replace('width: 96', 'width: wide'))
    assert 'input.width' in sentence(ManifestError, folder / 'net.onnx')


def test_a_folder_with_one_ir_is_a_model(tmp_path):
    folder = tmp_path / 'net_openvino_model'
    folder.mkdir()
    (folder / 'net.xml').write_bytes(WEIGHTS)
    model = find(folder, describe=lambda _: DESCRIPTION)
    assert (model.source, model.place) == (folder / 'net.xml', folder)
    (folder / 'second.xml').write_bytes(WEIGHTS)
    assert 'model.yaml' in sentence(ManifestError, folder)


def test_an_onnx_that_never_ends_is_no_model(tmp_path):
    """Neither nested without end nor of a hundred million fields; read in a stated time."""
    path = tmp_path / 'net.onnx'
    for fields in (b'\x0a\x00', b'\x08\x00'):  # of no length, and of none that is counted
        path.write_bytes(fields * 3_000_000)
        with raises(ArtifactError, 'ONNX', artifact=path):
            external_files(path)
    inner = b''
    for _ in range(3000):
        inner = nested(inner)
    path.write_bytes(field(7, inner))
    with raises(ArtifactError, 'ONNX', artifact=path):
        external_files(path)


def test_a_model_file_beyond_the_limit_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / 'net.onnx'
    path.touch()
    os.truncate(path, MOST_ARTIFACT_BYTES + 1)  # takes no room on the disk, and seconds to digest
    with raises(ArtifactError, MOST_ARTIFACT_BYTES, artifact=path):
        source_sha256(path)


def nested(inner: bytes) -> bytes:
    """Return a graph whose only node has a graph as its attribute."""
    return field(1, field(5, field(6, inner)))


def field(number: int, content: bytes) -> bytes:
    length, size = b'', len(content)
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content
