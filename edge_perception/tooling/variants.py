# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The files of a model on the engines that load them: what commands load, compare and measure."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edge_perception.contract import ArtifactError
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import EngineType
from edge_perception.contract import Options
from edge_perception.contract import parse_options
from edge_perception.models.artifact_directories import cached_entries
from edge_perception.models.artifact_directories import ENTRY_FILE
from edge_perception.models.artifacts import artifact_files
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.artifacts import ARTIFACTS_FOLDER
from edge_perception.models.artifacts import choose_artifact
from edge_perception.models.assembly import assemble
from edge_perception.models.assembly import Assembled
from edge_perception.models.assembly import raise_all
from edge_perception.models.digests import artifact_sha256
from edge_perception.models.engine_choice import AUTO
from edge_perception.models.engine_choice import engines_for
from edge_perception.models.finding import Model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.plugin_host import probe
from edge_perception.models.proofs import proof_path
from edge_perception.models.request import Request
from edge_perception.tooling.building.precision import precision_of
from edge_perception.tooling.notes import note

ALL = 'all'
REFERENCE_ENGINE = 'onnxruntime'
NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Variant:
    """
    One file of a model on one engine.

    :param precision: of the file; empty where it does not matter.
    :param options: of the engine, by name; those that are left out have their default.
    """

    model: Model
    engine: str
    path: Path
    precision: str = ''
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """Name of the file with where it lies: the folder artifacts, or the cache."""
        if self.path.parent == self.model.folder / ARTIFACTS_FOLDER:
            return f'{ARTIFACTS_FOLDER}/{self.path.name}'
        cached = (self.path.parent / ENTRY_FILE).is_file()
        return f'cache/{self.path.name}' if cached else self.path.name


@dataclass
class VariantFigures:
    """
    What was measured of one variant, or why nothing was.

    :param facts: by name, beside what says which variant it is.
    :param trouble: why there are no figures; empty where there are.
    """

    variant: Variant
    figures: Mapping[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    trouble: str = ''

    def values(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            'engine': self.variant.engine,
            'artifact': self.variant.path.name,
            'path': str(self.variant.path),
            'precision': self.variant.precision,
            **self.facts,
            'trouble': self.trouble,
            **self.figures,
        }


def variants(
    host: PluginHost,
    model: Model,
    engine: str,
    *,
    files: Sequence[Path] = (),
    options: Mapping[str, Mapping[str, Any]] = NO_OPTIONS,
) -> list[Variant]:
    """
    Return what can be run here: for each engine the source, and each artifact with a proof.

    Copies of an artifact are left out. A proof that does not hold is noted on standard error.

    :param engine: a name, or ``all``.
    :param files: these artifacts instead, proven or not.
    :param options: by engine.
    :raises ArtifactError: one of the files does not exist, or no such engine reads it; or there
        is nothing to run.
    :raises EngineUnavailableError: the engine does not work here.
    :raises OptionError: an option does not exist or has a value that it cannot have.
    """
    engines = engines_for(host, AUTO if engine == ALL else engine)
    engines = [each for each in engines if probe(each).available]
    raise_all([error for path in files for error in _unread(path, engines)])
    found = []
    for each in sorted(engines, key=lambda e: e.name != REFERENCE_ENGINE):
        values = dict(options.get(each.name, {}))
        parsed = parse_options(each.options_type, values, owner=f'engine {each.name!r}')
        pairs = _named(each, files) if files else _proven(model, each, parsed)
        found += [Variant(model, each.name, path, precision, values) for path, precision in pairs]
    if not found:
        raise ArtifactError(
            model.source,
            reason=f'{_unread_by(engines)}, and has no artifact that is proven for them',
            remedy='build one, or name a file with --artifact',
        )
    return found


@contextmanager
def load(host: PluginHost, variant: Variant) -> Iterator[Assembled]:
    """
    Give the variant, active and warm, whatever its proof says.

    :raises EdgePerceptionError: it cannot be loaded.
    """
    artifact = ArtifactRequest(str(variant.path), precision=variant.precision, unjudged=True)
    options = {variant.engine: variant.options}
    request = Request(
        model=variant.model.manifest.name,
        engine=variant.engine,
        engine_options=options,
        artifact=artifact,
    )
    assembled = assemble(host, request, model=variant.model)
    try:
        yield assembled
    finally:
        # What cannot be given back must not hide what was found, or what went wrong before.
        with suppress(Exception):
            assembled.pipeline.engine.deactivate()


def told(error: EdgePerceptionError) -> str:
    """Return all sentences of an error in one line."""
    return ' '.join(sentence for _, sentence in error.sentences())


def _unread(path: Path, engines: Sequence[EngineType]) -> Iterator[ArtifactError]:
    if not path.exists():
        yield ArtifactError(path, reason='no such file', remedy='correct the path')
    elif not any(path.suffix in each.artifact_suffixes for each in engines):
        remedy = 'name such a file, or the engine that reads this one'
        yield ArtifactError(path, reason=_unread_by(engines), remedy=remedy)


def _unread_by(engines: Sequence[EngineType]) -> str:
    reading = [f'{each.name} ({", ".join(each.artifact_suffixes)})' for each in engines]
    names = ', '.join(reading) or 'none works here'
    return f'is read by none of the engines that are measured: {names}'


def _named(engine_type: EngineType, files: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    suffixes = engine_type.artifact_suffixes
    yield from ((path, precision_of(path)) for path in files if path.suffix in suffixes)


def _proven(model: Model, engine_type: EngineType, options: Options) -> Iterator[tuple[Path, str]]:
    """Give the source, and each artifact that the node would load."""
    suffixes = engine_type.artifact_suffixes
    if model.source.suffix in suffixes:
        yield model.source, engine_type.precision(options)
    seen: set[str] = set()
    cached = cached_entries(model)
    for path in artifact_files(model, engine_type, cached):
        if not proof_path(path, engine_type.name).is_file():
            continue
        request = ArtifactRequest(str(path))
        try:
            chosen = choose_artifact(model, engine_type, options, request=request, cached=cached)
        except ArtifactError as error:
            note(f'left out: {error}')
            continue
        digest = artifact_sha256(path)
        if digest not in seen:
            seen.add(digest)
            yield path, chosen.precision
