# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Every artifact of a model on every engine: what evaluate and bench go through."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from edge_perception.cli.offline import load_side
from edge_perception.cli.offline import Side
from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineType
from edge_perception.contract import EngineUnavailableError
from edge_perception.core.artifacts import ARTIFACTS_FOLDER
from edge_perception.core.assembly import Assembled
from edge_perception.core.engine_choice import AUTO
from edge_perception.core.engine_choice import choose_engine
from edge_perception.core.engine_choice import engines_for
from edge_perception.core.models import Model
from edge_perception.core.plugin_host import PluginHost
from edge_perception.core.plugin_host import probe
from edge_perception.core.proofs import file_sha256
from edge_perception.core.proofs import read_proof
from edge_perception.core.shelves import current_entries
from edge_perception.core.shelves import ENTRY_FILE
from edge_perception.core.shelves import model_shelf
from edge_perception.tooling.precision import precision_of

ALL = 'all'


@dataclass(frozen=True)
class Variant:
    """One artifact of a model on one engine."""

    model: Model
    engine: str
    path: Path
    precision: str
    options: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """Name of the file with where it lies: the folder artifacts, or the cache."""
        inside = self.path.parent == self.model.folder / ARTIFACTS_FOLDER
        shelf = 'cache' if (self.path.parent / ENTRY_FILE).is_file() else ''
        return '/'.join(filter(None, (ARTIFACTS_FOLDER if inside else shelf, self.path.name)))

    def with_options(self, values: Mapping[str, Any]) -> Variant:
        """Return the same with other options of its engine."""
        options = {self.engine: {**self.options.get(self.engine, {}), **values}}
        return Variant(self.model, self.engine, self.path, self.precision, options)


def variants(
    host: PluginHost, model: Model, engine: str, *, files: Sequence[Path] = ()
) -> list[Variant]:
    """
    Return what can be run here: for each engine the source, and each artifact with a proof.

    A copy of the same artifact is left out.

    :param engine: a name, or ``all``.
    :param files: these artifacts instead, proven or not.
    :raises ArtifactError: one of them does not exist.
    :raises EngineUnavailableError: the engine does not work here, or none can load the model.
    """
    for path in files:
        if not path.is_file():
            raise ArtifactError(path, reason='no such file', remedy='correct the path')
    engines = engines_for(host, AUTO) if engine == ALL else [choose_engine(host, engine)]
    found = [
        Variant(model, each.name, path, precision)
        for each in sorted(engines, key=lambda e: e.name != 'onnxruntime')
        if probe(each).available
        for path, precision in _files(model, each, files)
    ]
    if not found:
        raise EngineUnavailableError(
            engine, reason=f'nothing of {model.manifest.name} can be loaded by it'
        )
    return found


@contextmanager
def load(host: PluginHost, variant: Variant) -> Iterator[Assembled]:
    """
    Give the variant, active and warm.

    :raises EdgePerceptionError: it cannot be loaded.
    """
    side = Side(variant.engine, variant.path, variant.precision, variant.options)
    assembled = load_side(host, variant.model, side)
    try:
        yield assembled
    finally:
        assembled.pipeline.engine.deactivate()


def _files(
    model: Model, engine_type: EngineType, files: Sequence[Path]
) -> Iterator[tuple[Path, str]]:
    suffixes = engine_type.artifact_suffixes
    if files:
        yield from ((path, precision_of(path)) for path in files if path.suffix in suffixes)
        return
    if model.source.suffix in suffixes:
        yield model.source, engine_type.precision(engine_type.options_type())
    seen: set[str] = set()
    for shelf in (model.folder / ARTIFACTS_FOLDER, *current_entries(model_shelf(model))):
        for path in sorted(shelf.glob('*')) if shelf.is_dir() else ():
            if path.suffix in suffixes:
                proof = read_proof(path, engine_type.name)
                if (
                    proof is not None
                    and proof.passed
                    and (digest := file_sha256(path)) not in seen
                ):
                    seen.add(digest)
                    yield path, proof.precision
