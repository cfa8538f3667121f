# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""B01 to B09: the clauses of builders."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
import os
from pathlib import Path
import pickle
import subprocess
import sys
import tempfile
import time
from typing import Any
from typing import ClassVar

import numpy as np
import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import Builder
from edge_perception.contract import BuildError
from edge_perception.contract import BuildPlan
from edge_perception.contract import BuildReport
from edge_perception.contract import Engine
from edge_perception.contract import EngineType
from edge_perception.contract import parse_options
from edge_perception.contract import Tensors
from edge_perception.models.plugin_host import probe
from edge_perception.testing.conformance.clauses import check_options
from edge_perception.testing.conformance.clauses import check_sentence
from edge_perception.testing.conformance.clauses import Conformance
from edge_perception.testing.conformance.clauses import NAME
from edge_perception.testing.conformance.clauses import not_applicable
from edge_perception.testing.conformance.engine.engine_type import PRECISIONS
from edge_perception.testing.conformance.interruption import run_until
from edge_perception.testing.conformance.networks import BASIC
from edge_perception.testing.conformance.networks import check_parity
from edge_perception.testing.conformance.networks import run
from edge_perception.testing.conformance.onnx_files import save_onnx

FINGERPRINT = """
import pickle, sys
builder, plan = pickle.load(open(sys.argv[1], 'rb'))
pickle.dump(dict(builder.fingerprint(plan)), open(sys.argv[2], 'wb'))
"""
IMAGES = 4
GRACE_S = 5.0


class BuilderConformance(Conformance):
    """
    Proves a builder.

    ::

        class TestMyBuilder(BuilderConformance):
            builder = MyBuilder()
            engine_type = MyEngineType()
            parity = {'fp32': 1e-5, 'int8': 0.05}

    :param options: values for the options, by name; others keep their default.
    :param engine_type: an engine that loads what is built.
    :param parity: for each precision of the builder, how far the results may be from the
        reference, as a share of the greatest number.
    """

    _needed = ('builder',)
    builder: ClassVar[Builder]
    options: ClassVar[Mapping[str, Any]] = {}
    engine_type: ClassVar[EngineType | None] = None
    parity: ClassVar[Mapping[str, float]] = {'fp32': 1e-5}

    @pytest.fixture
    def plan(self, tmp_path: Path) -> BuildPlan:
        """Return a plan for the first precision."""
        return self.plan_for(self.builder.precisions[0], tmp_path / 'model')

    def plan_for(self, precision: str, folder: Path) -> BuildPlan:
        """Return a plan for a tiny network in the form that the builder wants."""
        import cv2

        availability = probe(self.builder)
        if not availability.available:
            pytest.skip(f'{self.subject()} is not available here: {availability.reason}')
        self.facts['runtime'] = availability.runtime
        folder.mkdir()
        source = folder / BASIC.manifest.source
        save_onnx(BASIC, source, precision=self.builder.source_form(precision))
        images = tuple(folder / f'{seed}.png' for seed in range(IMAGES))
        for seed, path in enumerate(images):
            # An image file has blue first.
            cv2.imwrite(str(path), BASIC.image(seed)[0, ::-1].transpose(1, 2, 0) * 255)
        options = parse_options(self.builder.options_type, self.options, owner=self.subject())
        plan = BuildPlan(BASIC.manifest, source, precision=precision, options=options)
        return plan if precision != 'int8' else replace(plan, calibration=images, samples=samples)

    @pytest.fixture
    def outside(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outside:
        """Return the folders into which a builder must not write."""
        return Outside(tmp_path, monkeypatch)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Build in every precision that is declared."""
        super().pytest_generate_tests(metafunc)
        if 'precision' in metafunc.fixturenames and metafunc.cls is not None:
            metafunc.parametrize('precision', list(metafunc.cls.builder.precisions))

    def test_b01_the_host_takes_it_without_its_tools(self) -> None:
        """Importing and registering a builder imports none of its tools."""
        self._check_registered_without_vendor()

    @pytest.mark.parametrize('how', ['missing', 'broken'])
    def test_b02_probe_explains_tools_that_cannot_be_imported(self, how: str) -> None:
        """``probe`` does not raise where its tools are missing or broken; it says what to do."""
        self._check_probe_without_vendor(how)

    def test_b03_what_it_declares(self) -> None:
        """It has a name, a suffix with a dot, precisions, parity for each, described options."""
        assert NAME.fullmatch(self.builder.name)
        assert self.builder.suffix.startswith('.')
        assert self.builder.precisions and set(self.builder.precisions) <= set(PRECISIONS)
        assert set(self.parity) == set(self.builder.precisions)
        check_options(self.builder.options_type)

    def test_b04_fingerprints_are_stable(self, plan: BuildPlan, tmp_path: Path) -> None:
        """
        ``fingerprint`` is strings by name, with the version of each tool.

        Equal plans have equal ones, also in another process.
        """
        mark = dict(self.builder.fingerprint(plan))
        assert mark, 'expected at least the version of a tool'
        assert all(isinstance(each, str) and each for pair in mark.items() for each in pair)
        assert dict(self.builder.fingerprint(replace(plan))) == mark
        question, answer = tmp_path / 'question', tmp_path / 'answer'
        question.write_bytes(pickle.dumps((self.builder, plan)))
        subprocess.run(
            [sys.executable, '-c', FINGERPRINT, str(question), str(answer)],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
            check=True,
        )
        assert pickle.loads(answer.read_bytes()) == mark

    def test_b05_artifacts_are_right(
        self, precision: str, tmp_path: Path, outside: Outside
    ) -> None:
        """``build`` gives a file with its suffix that equals the reference in each precision."""
        plan = self.plan_for(precision, tmp_path / 'model')
        report = self.builder.build(plan, outside.workspace)
        assert report.artifact.is_file()
        assert report.artifact.suffix == self.builder.suffix
        assert report.artifact.resolve().is_relative_to(outside.workspace.resolve())
        assert report.versions and all(report.versions.values()), 'expected versions of tools'
        assert all('\n' not in note for note in report.notes)
        if self.engine_type is None:
            not_applicable('no engine_type is declared to load the artifact')
        with self._load(plan, report) as engine:
            # Values that an image of 8 bits per channel can hold.
            image = np.rint(BASIC.image() * 255).astype(np.float32) / np.float32(255)
            outputs = run(engine, BASIC, image)
            check_parity(BASIC, image, outputs, tolerance=self.parity[precision])

    def test_b06_only_the_workspace_is_written(
        self, precision: str, tmp_path: Path, outside: Outside
    ) -> None:
        """
        ``build`` writes into its workspace only, and does not change the source.

        Nothing stays in the working folder, the home folder or the folder of temporary files.
        """
        plan = self.plan_for(precision, tmp_path / 'model')
        outside.watch(plan)
        self.builder.build(plan, outside.workspace)
        outside.check()

    def test_b07_what_cannot_be_built_is_explained(
        self, plan: BuildPlan, outside: Outside
    ) -> None:
        """
        A build that fails is a ``BuildError`` in one line, and leaves nothing outside.

        As when the source cannot be read. What a damaged one gives, the engine refuses.
        """
        outside.watch(plan)
        plan.source.write_bytes(b'this is not a model\n' * 50)
        with outside.as_it_is(), pytest.raises((BuildError, ArtifactError)):
            report = self.builder.build(plan, outside.empty_workspace('damaged'))
            assert self.engine_type is not None, 'a damaged source was built'
            self._load(plan, report)
        plan.source.unlink()
        with outside.as_it_is(), pytest.raises(BuildError) as caught:
            self.builder.build(plan, outside.empty_workspace('missing'))
        check_sentence(caught.value)

    @pytest.mark.parametrize('share', [0.1, 0.5, 0.9])
    def test_b08_a_build_can_be_interrupted(
        self, share: float, plan: BuildPlan, outside: Outside
    ) -> None:
        """Ctrl-C ends a build; nothing stays outside the workspace, no process goes on."""

        def build() -> object:
            folder = tempfile.mkdtemp(dir=outside.workspace)
            return self.builder.build(plan, Path(folder))

        build()  # what is done once for each process
        before = _children()
        calls, _ = run_until(build)
        moment = int(share * calls)
        outside.watch(plan)
        # Python swallows what comes while it collects garbage.
        tries = (run_until(build, calls=moment + late) for late in range(3))
        assert any(interrupted for _, interrupted in tries), 'the build ignored Ctrl-C'
        outside.check()
        deadline = time.monotonic() + GRACE_S
        while (left := _children() - before) and time.monotonic() < deadline:
            time.sleep(0.02)  # what was killed and not waited for ends in its own time
        assert not left, f'processes that go on: {left}'
        build()

    def test_b09_a_second_build_does_not_depend_on_the_first(
        self, plan: BuildPlan, outside: Outside
    ) -> None:
        """Two builds of one plan, one after the other, both succeed."""
        for name in ('first', 'second'):
            workspace = outside.empty_workspace(name)
            assert self.builder.build(plan, workspace).artifact.is_file()

    def _load(self, plan: BuildPlan, report: BuildReport) -> Engine:
        assert self.engine_type is not None
        options = parse_options(
            self.engine_type.options_type,
            self.builder.engine_options(plan.options),
            owner=f'engine_options of {self.subject()}',
        )
        return self.engine_type.create(BASIC.manifest, report.artifact, options)


def samples() -> Iterator[Tensors]:
    """Yield the images of a plan as inputs of its source."""
    for seed in range(IMAGES):
        yield {'image': BASIC.image(seed)}


class Outside:
    """Everything around a workspace that a builder might write into."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._patch = folder, monkeypatch
        self.workspace = folder / 'workspace'
        self.workspace.mkdir()
        self._before: Mapping[Path, bytes | None] = {}

    def empty_workspace(self, name: str) -> Path:
        """Return a folder of its own for one build, as the host gives it."""
        folder = self.workspace / name
        folder.mkdir()
        return folder

    def watch(self, plan: BuildPlan) -> None:
        """Move the home folder and others to where we can see them, and remember all files."""
        places: dict[str, Callable[[Path], object]] = {
            'working': self._patch.chdir,
            'home': lambda path: self._patch.setenv('HOME', str(path)),
            'cache': lambda path: self._patch.setenv('XDG_CACHE_HOME', str(path)),
            'temporary': self._use_for_temporary_files,
        }
        for name, use in places.items():
            path = self._folder / name
            path.mkdir()
            use(path)
        self._before = self._files()
        assert plan.source.parent == self._folder / 'model'

    @contextmanager
    def as_it_is(self) -> Iterator[None]:
        """Assert that a block changes nothing."""
        self._before = self._files()
        yield
        self.check()

    def check(self) -> None:
        """Assert that nothing is new, gone or changed since then."""
        after = self._files()
        changed = {path for path, content in self._before.items() if after.get(path) != content}
        assert {*(after.keys() - self._before.keys()), *changed} == set()

    def _use_for_temporary_files(self, path: Path) -> None:
        self._patch.setenv('TMPDIR', str(path))
        self._patch.setattr(tempfile, 'tempdir', str(path))

    def _files(self) -> Mapping[Path, bytes | None]:
        return {
            path: path.read_bytes() if path.is_file() else None
            for path in self._folder.rglob('*')
            if self.workspace not in (path, *path.parents)
        }


def _children() -> set[str]:
    """Return the ids of the processes that this one has started and that still run."""
    started = [
        child
        for task in Path('/proc/self/task').glob('*/children')
        for child in task.read_text().split()
    ]
    return {child for child in started if _state(child) not in ('', 'Z')}


def _state(process: str) -> str:
    """Return the state of a process, Z for one that has ended; empty where it is gone."""
    try:
        return Path('/proc', process, 'stat').read_text().rpartition(')')[2].split()[0]
    except OSError:
        return ''
