# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the author of an engine declares, and how its clauses get engines to test."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from typing import ClassVar

import pytest

from edge_perception.contract import Engine
from edge_perception.contract import EngineType
from edge_perception.contract import Options
from edge_perception.contract import parse_options
from edge_perception.models.plugin_host import probe
from edge_perception.testing.conformance.clauses import Conformance
from edge_perception.testing.conformance.clauses import not_applicable
from edge_perception.testing.conformance.networks import BASIC
from edge_perception.testing.conformance.networks import TinyNetwork
from edge_perception.testing.conformance.onnx_files import save_from_the_future
from edge_perception.testing.conformance.onnx_files import save_onnx


class EngineSubject(Conformance):
    """
    The engine under test.

    :param engine_type: an instance, as the plugin registers it.
    :param options: values for the options, by name; others keep their default.
    :param parity: for each precision that the engine declares, how far its results may be from
        the reference, as a share of the greatest number. Rounding gives 1e-5 in fp32, 5e-3 in
        fp16, and a step of 1/255 in int8, several times over.
    :param limits: what the engine declares and this device does not have, each with the reason:
        precisions, ``dynamic_shapes``, or ``ranks`` (outputs of one, three and five dimensions).
    """

    _needed = ('engine_type',)
    engine_type: ClassVar[EngineType]
    options: ClassVar[Mapping[str, Any]] = {}
    parity: ClassVar[Mapping[str, float]] = {'fp32': 1e-5}
    limits: ClassVar[Mapping[str, str]] = {}

    def make_artifact(self, network: TinyNetwork, precision: str, path: Path) -> None:
        """Write a model in the format of the engine; override it for formats but ONNX."""
        if path.suffix != '.onnx':
            raise NotImplementedError(
                f'override make_artifact: it has to write a TinyNetwork as a {path.suffix} file'
            )
        save_onnx(network, path, precision=precision)

    def make_stale_artifact(self, folder: Path) -> Path:
        """
        Write a file for another version of the runtime, or another device, and return its path.

        Override it where files become stale; for ONNX it is one of a version yet to come.
        """
        suffix = self.engine_type.artifact_suffixes[0]
        if suffix != '.onnx':
            not_applicable(f'{suffix} files do not become stale')
        path = folder / f'stale{suffix}'
        save_from_the_future(BASIC, path)
        return path

    @property
    def parsed_options(self) -> Options:
        """The options as the host hands them over."""
        return parse_options(self.engine_type.options_type, self.options, owner=self.subject())

    @pytest.fixture
    def artifacts(
        self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Artifacts:
        """Return the files of this engine, made when they are first asked for."""
        availability = probe(self.engine_type)
        if not availability.available:
            pytest.skip(f'{self.subject()} is not available here: {availability.reason}')
        self.facts['runtime'] = availability.runtime
        folder: Path | None = vars(request.cls).get('_artifacts')
        if folder is None:
            folder = request.cls._artifacts = tmp_path_factory.mktemp(self.engine_type.name)
        return Artifacts(self, folder)

    def create(self, network: TinyNetwork, artifact: Path) -> Engine:
        """Return an engine for a model that was saved as a file."""
        engine = self.engine_type.create(network.manifest, artifact, self.parsed_options)
        self.facts['device'] = engine.device
        return engine

    @contextmanager
    def active(self, network: TinyNetwork, artifacts: Artifacts) -> Iterator[Engine]:
        """Give an engine that is active and warm."""
        with self.create(network, artifacts.of(network)) as engine:
            engine.warm_up()
            yield engine


class Artifacts:
    """Files with tiny networks, each made once for a folder, which is that of a test class."""

    def __init__(self, subject: EngineSubject, folder: Path) -> None:
        self._subject, self._folder = subject, folder

    def in_folder(self, folder: Path) -> Artifacts:
        """Return the same files, made again in another folder."""
        return Artifacts(self._subject, folder)

    @property
    def suffix(self) -> str:
        """First suffix of the engine."""
        return self._subject.engine_type.artifact_suffixes[0]

    def of(self, network: TinyNetwork, precision: str = '') -> Path:
        """
        Return the file of a model.

        :param precision: empty stands for the first that the engine declares.
        """
        precision = precision or next(iter(self._subject.parity))
        folder = self._folder / f'{network.name}_{precision}'
        path = folder / f'{network.name}{self.suffix}'
        if not path.exists():
            folder.mkdir(exist_ok=True)
            self._subject.make_artifact(network, precision, path)
        return path
