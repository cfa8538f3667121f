# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the offline commands share: the model, pictures, engines, and the gate over them."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Any

from edge_perception.contract import ArtifactError
from edge_perception.contract import ConfigurationError
from edge_perception.contract import Frame
from edge_perception.contract import ManifestError
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.artifacts import GOLDEN_FOLDER
from edge_perception.models.assembly import assemble
from edge_perception.models.assembly import Assembled
from edge_perception.models.drafting import draft_file
from edge_perception.models.engine_choice import AUTO
from edge_perception.models.engine_choice import choose_engine
from edge_perception.models.engine_choice import engines_for
from edge_perception.models.finding import check_source
from edge_perception.models.finding import find_model
from edge_perception.models.finding import Model
from edge_perception.models.finding import read_manifest
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.plugin_host import probe
from edge_perception.models.request import Request
from edge_perception.tooling.building.assumptions import assume
from edge_perception.tooling.frame_sources import count_samples
from edge_perception.tooling.frame_sources import find_sources
from edge_perception.tooling.frame_sources import samples
from edge_perception.tooling.frame_sources import Source
from edge_perception.tooling.gate.average_precision import Dataset
from edge_perception.tooling.gate.average_precision import evaluate
from edge_perception.tooling.gate.comparison import Gate
from edge_perception.tooling.gate.comparison import GateVerdict
from edge_perception.tooling.gate.comparison import with_labels
from edge_perception.tooling.gate.gate_limits import limits_for
from edge_perception.tooling.notes import note
from edge_perception.tooling.progress import counted
from edge_perception.tooling.progress import Step
from edge_perception.tooling.progress import steps

REFERENCE_ENGINE = 'onnxruntime'
MANIFEST_SUFFIXES = ('.yaml', '.yml')


@dataclass(frozen=True)
class Side:
    """
    One of the two that the gate compares.

    :param path: the file that the engine loads; empty for the source of the model.
    """

    engine: str
    path: Path | None = None
    precision: str = ''
    options: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def chosen(self) -> dict[str, Any]:
        """Options of its engine that were named."""
        return self.options.get(self.engine, {})


def offline_model(host: PluginHost, name: str, manifest: Path | None = None) -> Model:
    """
    Find a model; of a bare file without manifest, say what is assumed.

    :param manifest: describes a bare file, wherever it lies.
    :raises EdgePerceptionError: there is none, or it is not clear how it is fed and read.
    """
    path = Path(name).expanduser()
    if manifest is not None:
        return _with_manifest(path, manifest)
    try:
        return find_model(name, draft=partial(draft_file, host))
    except ManifestError as error:
        if not path.is_file() or path.suffix in MANIFEST_SUFFIXES:
            raise
        draft = draft_file(host, path)
        if draft.unsupported:
            raise
        assumed = assume(draft, source=path)
        if assumed is None:
            raise ManifestError(
                error.subject, [*error.problems, 'or name one with --manifest']
            ) from error
        note(assumed.said)
        return Model(folder=path.parent, manifest=assumed.manifest, source=path, named=path)


def _with_manifest(source: Path, manifest: Path) -> Model:
    if not source.is_file():
        raise ArtifactError(
            source, reason='no such file', remedy='give the ONNX file that --manifest describes'
        )
    read = read_manifest(manifest)
    check_source(source, read)
    return Model(folder=source.parent, manifest=read, source=source, named=source)


def pictures(model: Model, names: Sequence[str]) -> list[tuple[str, Source]]:
    """
    Return the pictures and videos to look at: those that are named, else the golden ones.

    :raises ConfigurationError: there are none, or one cannot be read.
    """
    golden = model.folder / GOLDEN_FOLDER
    if not names:
        if not golden.is_dir():
            raise ConfigurationError(
                'pictures',
                [
                    f'the model has no folder {golden}, expected pictures of what it is for; '
                    'name them with --images FOLDER'
                ],
            )
        names = (str(golden),)
    sources, unreadable = find_sources(tuple(names))
    if unreadable:
        raise ConfigurationError('pictures', [str(each) for each in unreadable])
    if any(source.live for source in sources):
        raise ConfigurationError('pictures', ['a camera never gives the same picture twice'])
    return [(Path(source.name).name, source) for source in sources]


def frames(sources: Sequence[tuple[str, Source]]) -> Iterator[tuple[str, Frame]]:
    """
    Give every picture, and frames from all over each video, with a name.

    :raises ImageError: one cannot be read.
    """
    for name, source in sources:
        for index, frame in samples(source):
            yield (f'{name} {index}' if source.moving else name), frame


def engine_for(host: PluginHost, artifact: Path, wanted: str) -> str:
    """
    Return the engine that loads an artifact: the one that is wanted, else the first that can.

    An engine whose own format it is comes before those that read it as well.

    :raises EngineUnavailableError: the one that is wanted does not work here.
    :raises ArtifactError: none that works here reads it.
    """
    if wanted:
        return choose_engine(host, wanted).name
    reading = [
        each for each in engines_for(host, AUTO) if artifact.suffix in each.artifact_suffixes
    ]
    reading.sort(key=lambda each: each.artifact_suffixes.index(artifact.suffix))
    if artifact.suffix == '.onnx':
        reading.sort(key=lambda each: each.name != REFERENCE_ENGINE)
    for each in reading:
        if probe(each).available:
            return each.name
    lacking = '; '.join(f'{each.name}: {probe(each).reason}' for each in reading)
    raise ArtifactError(
        artifact,
        reason=f'no engine that works here reads {artifact.suffix or "such"} files',
        remedy=lacking or 'name a file that an engine reads',
    )


def load_side(host: PluginHost, model: Model, side: Side) -> Assembled:
    """
    Return one side, active and warm, whatever its proof says.

    :raises EdgePerceptionError: it cannot be loaded.
    """
    request = ArtifactRequest(
        path=str(side.path or model.source), precision=side.precision, unjudged=True
    )
    request = Request(
        model=model.manifest.name,
        engine=side.engine,
        engine_options=side.options,
        artifact=request,
    )
    return assemble(host, request, model=model)


def judge(
    host: PluginHost,
    model: Model,
    *,
    reference: Side,
    candidate: Side,
    sources: Sequence[tuple[str, Source]],
    dataset: Dataset | None = None,
) -> GateVerdict:
    """
    Run both sides over the pictures, with a progress bar, and judge.

    :param candidate: with its precision.
    :param dataset: labeled pictures, by which both are judged as well.
    :raises EdgePerceptionError: a side, a picture or a limit cannot be used.
    """
    limits = limits_for(model.manifest, candidate.precision)
    sides: list[Assembled] = []
    try:
        with steps() as step:
            for each in (reference, candidate):
                step(f'loading {(each.path or model.source).name} on {each.engine}', None)
                sides.append(load_side(host, model, each))
            gate = Gate(*sides, precision=candidate.precision, limits=limits)
            of = count_samples(source for _, source in sources)
            advance = counted(step, 'comparing pictures', of=of, then='judging')
            for name, frame in frames(sources):
                gate.add(name, frame)
                advance()
            verdict = gate.verdict()
            if dataset is None:
                return verdict
            ours, theirs = (_average_precision(each, dataset, step) for each in sides)
        return with_labels(verdict, reference_ap=ours, candidate_ap=theirs, limits=limits)
    finally:
        for side in sides:
            # What cannot be given back must not hide what went wrong before.
            with suppress(Exception):
                side.pipeline.engine.deactivate()


def _average_precision(assembled: Assembled, dataset: Dataset, step: Step) -> float:
    what = f'labeled pictures on {assembled.engine}'
    advance = counted(step, what, of=len(dataset.pictures), then='average precision')
    return evaluate(assembled, dataset, advance=advance)['AP']
