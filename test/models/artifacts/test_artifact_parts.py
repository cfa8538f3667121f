# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Artifacts that are more than one file, as their engine declares them."""

from __future__ import annotations

import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import FOLDER
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.artifacts import choose_artifact
from edge_perception.models.digests import artifact_sha256
from edge_perception.models.proofs import Proof
from edge_perception.models.proofs import write_proof
from edge_perception.testing import FakeEngineType


class PartsType(FakeEngineType):
    name = 'parts'
    artifact_suffixes = ('.param', '.box')
    artifact_parts = {'.param': ('.bin',), '.box': (FOLDER,)}


@pytest.fixture
def save(model):
    """Return a function that writes the files of an artifact and its proof."""

    def write(name, *files):
        path = model.folder / 'artifacts' / name
        for file in (path.parent / each for each in files):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(file.name.encode())
        digest = artifact_sha256(path)
        write_proof(path, Proof(digest, model.digest(), 'parts', 'fp16', 'net.onnx', True))
        return path

    return write


def choose(model, name=''):
    path = str(model.folder / 'artifacts' / name) if name else ''
    kind = PartsType()
    return choose_artifact(model, kind, kind.options_type(), request=ArtifactRequest(path)).path


def refusal(model, name):
    with pytest.raises(ArtifactError) as raised:
        choose(model, name)
    return raised.value.reason


def test_a_folder_is_chosen_and_proven_as_a_whole(model, save):
    path = save('net.box', 'net.box/graph', 'net.box/weights/1')
    assert choose(model) == choose(model, 'net.box') == path
    (path / 'weights' / '1').write_bytes(b'other')
    assert refusal(model, 'net.box') == 'was changed after it was proven'
    (path / 'weights' / '1').write_bytes(b'1')
    assert choose(model) == path
    (path / 'weights' / '2').touch()
    assert refusal(model, 'net.box') == 'was changed after it was proven'


def test_a_link_to_a_folder_would_hide_its_files(model, save, tmp_path):
    path = save('net.box', 'net.box/graph')
    (path / 'more').symlink_to(tmp_path)
    assert 'the link more' in refusal(model, 'net.box')


@pytest.mark.parametrize(
    ('files', 'reason'),
    [
        (['net.param'], 'lacks its second file net.bin'),
        (['net.box'], 'is a file, expected a folder'),
        (['net.param/graph'], 'is no file'),
        (['other.box/graph'], 'no such file'),
    ],
)
def test_what_is_not_whole_is_not_loaded(model, files, reason):
    for file in (model.folder / 'artifacts' / each for each in files):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    name = 'net.box' if reason == 'no such file' else files[0].partition('/')[0]
    assert refusal(model, name) == reason
