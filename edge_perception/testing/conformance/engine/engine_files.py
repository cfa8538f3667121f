# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""E10 to E17: files, good ones and others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
import shutil

import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineError
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import FOLDER
from edge_perception.contract import TensorMismatchError
from edge_perception.contract.loading.artifact_files import folder_files
from edge_perception.contract.loading.artifact_files import second_files
from edge_perception.testing.conformance.clauses import check_sentence
from edge_perception.testing.conformance.clauses import not_applicable
from edge_perception.testing.conformance.engine.engine_subject import Artifacts
from edge_perception.testing.conformance.engine.engine_subject import EngineSubject
from edge_perception.testing.conformance.networks import BASIC
from edge_perception.testing.conformance.networks import HEAVY
from edge_perception.testing.conformance.networks import OPEN
from edge_perception.testing.conformance.networks import run

FOREIGN = b'\x89PNG\r\n\x1a\n' + bytes(range(256)) * 8
POINTER = b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n'


class EngineFileClauses(EngineSubject):
    """Clauses of ``describe`` and of what ``create`` makes of a file."""

    def test_e10_describe_says_what_create_finds(self, artifacts: Artifacts) -> None:
        """
        ``describe`` gives names, shapes and dtypes of a file as the engine has them later.

        Or no inputs, or no outputs, where the format does not tell them.
        """
        path = artifacts.of(BASIC)
        description = self.engine_type.describe(path)
        engine = self.create(BASIC, path)
        if not description.inputs and not description.outputs:
            not_applicable('describe tells no tensors')
        assert description.inputs in ((), engine.inputs)
        said, found = (
            [(each.name, each.dtype) for each in outputs]
            for outputs in (description.outputs, engine.outputs)
        )
        assert said in ([], found)

    def test_e11_a_missing_file(self, artifacts: Artifacts, tmp_path: Path) -> None:
        """A file that does not exist is an ``ArtifactError`` with its path and a remedy."""
        self._check_refused(tmp_path / f'nowhere{artifacts.suffix}')

    @pytest.mark.parametrize('how', ['folder', 'empty', 'half', 'foreign', 'text', 'git_lfs'])
    def test_e12_a_damaged_or_foreign_file(
        self, how: str, artifacts: Artifacts, tmp_path: Path
    ) -> None:
        """
        A file that is empty, cut off or something else is an ``ArtifactError``.

        It has the path and a remedy, from ``describe`` and from ``create``; the process goes on.
        """
        path = tmp_path / f'damaged{artifacts.suffix}'
        if how == 'folder':
            path.mkdir()
        elif (whole := artifacts.of(HEAVY)).is_dir():
            shutil.copytree(whole, path)
            for file in folder_files(path):
                damage(file, how)
        else:
            shutil.copyfile(whole, path)
            damage(path, how)
        self._check_refused(path)

    def test_e13_a_stale_file(self, artifacts: Artifacts, tmp_path: Path) -> None:
        """A file for another version of the runtime or another device is an ``ArtifactError``."""
        path = self.make_stale_artifact(tmp_path)
        with pytest.raises(ArtifactError) as caught:
            self.create(BASIC, path)
        check_artifact_error(caught.value, path)

    @pytest.mark.parametrize('what', ['size', 'dtype', 'name'])
    def test_e14_a_manifest_that_does_not_fit(self, what: str, artifacts: Artifacts) -> None:
        """An input other than the manifest says is a ``TensorMismatchError`` of ``create``."""
        wrong = {
            'size': {'width': BASIC.width * 2},
            'dtype': {'dtype': 'uint8'},
            'name': {'name': 'no_such_input'},
        }[what]
        recipe = replace(BASIC.manifest.input, **wrong)  # type: ignore[arg-type]
        manifest = replace(BASIC.manifest, input=recipe)
        with pytest.raises(TensorMismatchError) as caught:
            self.engine_type.create(manifest, artifacts.of(BASIC), self.parsed_options)
        check_sentence(caught.value)
        assert caught.value.tensor in str(caught.value)

    def test_e15_open_sizes_become_those_of_the_manifest(self, artifacts: Artifacts) -> None:
        """Where ``dynamic_shapes`` is declared, open sizes of the input become the manifest's."""
        if not self.engine_type.capabilities.dynamic_shapes:
            not_applicable('dynamic_shapes is not declared')
        if 'dynamic_shapes' in self.limits:
            not_applicable(self.limits['dynamic_shapes'])
        with self.active(OPEN, artifacts) as engine:
            assert all(size > 0 for spec in engine.inputs for size in spec.shape)
            assert run(engine, OPEN, OPEN.image())['scores'].shape == (1, OPEN.classes)

    def test_e16_no_file_is_written(
        self, artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        An engine writes nothing beside the artifact, nothing into the working folder.

        A cache is an option that names its folder.
        """
        working, folder = tmp_path / 'working', tmp_path / 'artifact'
        working.mkdir()
        folder.mkdir()
        monkeypatch.chdir(working)
        # Not the files of other clauses, beside which a cache may already exist.
        path = artifacts.in_folder(folder).of(BASIC)
        before = contents_of(path.parent)
        with self.create(BASIC, path) as engine:
            engine.warm_up()
        assert contents_of(path.parent) == before
        assert list(working.iterdir()) == []

    @pytest.mark.parametrize('how', ['missing', 'empty', 'half', 'git_lfs'])
    def test_e17_a_second_file_that_is_missing_or_damaged(
        self, how: str, artifacts: Artifacts, tmp_path: Path
    ) -> None:
        """
        Where an artifact is several files, ``create`` refuses it when one is missing or cut off.

        Or a pointer of Git LFS. ``artifact_parts`` declares them, because the host looks for them.
        """
        path = artifacts.in_folder(tmp_path).of(HEAVY)
        parts = self.engine_type.artifact_parts.get(path.suffix, ())
        assert path.is_dir() == (FOLDER in parts), 'artifact_parts has to declare a folder'
        others = folder_files(path) if path.is_dir() else second_files(path, path.read_bytes())
        if not others:
            not_applicable('an artifact is one file')
        for other in others:
            beside = path not in other.parents and other.name.startswith(f'{path.stem}.')
            declared = not beside or other.name.removeprefix(path.stem) in parts
            assert declared, f'artifact_parts has to declare {other.name}'
            content = other.read_bytes()
            damage(other, how)
            with pytest.raises(ArtifactError) as caught:
                self.create(HEAVY, path)
            check_artifact_error(caught.value, other if str(other) in str(caught.value) else path)
            other.write_bytes(content)
        assert self.create(HEAVY, path)

    def _check_refused(self, path: Path) -> None:
        with pytest.raises(ArtifactError) as caught:
            self.create(BASIC, path)
        check_artifact_error(caught.value, path)
        with pytest.raises(ArtifactError) as caught:
            self.engine_type.describe(path)
        check_artifact_error(caught.value, path)


def damage(file: Path, how: str) -> None:
    """Remove a file, or write something else into it."""
    whole = file.read_bytes()
    file.unlink()
    contents = {
        'empty': b'',
        'half': whole[: len(whole) // 2],
        'foreign': FOREIGN,
        'text': b'this is not a model\n' * 50,
        'git_lfs': POINTER,
    }
    if how in contents:
        file.write_bytes(contents[how])


def contents_of(folder: Path) -> dict[Path, bytes]:
    """Return all files below a folder."""
    return {each: each.read_bytes() for each in sorted(folder.rglob('*')) if each.is_file()}


def check_artifact_error(error: EngineError, path: Path) -> None:
    """Assert one line that names the file and says what to do."""
    check_sentence(error)
    assert isinstance(error, (ArtifactError, EngineUnavailableError))
    assert str(path) in str(error), error
    assert error.reason and error.remedy
