# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Find the model, images and engine of an offline command, and run the gate over them."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from edge_perception.contract import ArtifactError
from edge_perception.contract import ConfigurationError
from edge_perception.contract import Frame
from edge_perception.contract import ManifestError
from edge_perception.models.artifacts import GOLDEN_FOLDER
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
from edge_perception.tooling import frame_sources
from edge_perception.tooling.building.assumptions import assume
from edge_perception.tooling.gate.average_precision import evaluate
from edge_perception.tooling.gate.coco_annotations import Dataset
from edge_perception.tooling.gate.comparison import Gate
from edge_perception.tooling.gate.comparison import GateVerdict
from edge_perception.tooling.gate.comparison import with_labels
from edge_perception.tooling.gate.gate_limits import limits_for
from edge_perception.tooling.notes import note
from edge_perception.tooling.progress import counted
from edge_perception.tooling.progress import Step
from edge_perception.tooling.progress import steps
from edge_perception.tooling.variants import load
from edge_perception.tooling.variants import REFERENCE_ENGINE
from edge_perception.tooling.variants import Variant

MANIFEST_SUFFIXES = ('.yaml', '.yml')


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
        described = error.subject != str(path)  # by a manifest, which is wrong
        if described or not path.is_file() or path.suffix in MANIFEST_SUFFIXES:
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


def gate_images(model: Model, names: Sequence[str]) -> list[frame_sources.Source]:
    """
    Return the images and videos to look at: those that are named, else the golden ones.

    :raises ConfigurationError: there are none, or one cannot be read.
    """
    golden = model.folder / GOLDEN_FOLDER
    if not names and not golden.is_dir():
        problem = f'the model has no folder {golden}, expected images that show its objects'
        raise ConfigurationError('images', [f'{problem}; name them with --images FOLDER'])
    sources, unreadable = frame_sources.find_sources(tuple(names) or (str(golden),))
    problems = [str(each) for each in unreadable]
    if any(source.live for source in sources):
        problems.append('a camera gives no image twice, expected files; record a video')
    if problems:
        raise ConfigurationError('images', problems)
    return sources


def frames(sources: Sequence[frame_sources.Source]) -> Iterator[tuple[str, Frame]]:
    """
    Give every image, and frames from all over each video, with a name.

    :raises ImageError: one cannot be read.
    """
    for source in sources:
        name = Path(source.name).name
        for index, frame in frame_sources.samples(source):
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


def judge(
    host: PluginHost,
    *,
    reference: Variant,
    candidate: Variant,
    sources: Sequence[frame_sources.Source],
    dataset: Dataset | None = None,
) -> GateVerdict:
    """
    Run both sides over the images, with a progress bar, and judge.

    :param candidate: with its precision.
    :param dataset: labeled images, by which both are judged as well.
    :raises EdgePerceptionError: a side, an image or a limit cannot be used.
    """
    limits = limits_for(candidate.model.manifest, candidate.precision)
    with ExitStack() as stack:
        step = stack.enter_context(steps())
        sides: list[Assembled] = []
        for each in (reference, candidate):
            step(f'loading {each.path.name} on {each.engine}', None)
            sides.append(stack.enter_context(load(host, each)))
        if coarse := sides[-1].coarse():
            raise coarse
        gate = Gate(*sides, precision=candidate.precision, limits=limits)
        advance = counted(
            step, 'comparing images', of=frame_sources.count_samples(sources), then='judging'
        )
        for name, frame in frames(sources):
            gate.add(name, frame)
            advance()
        verdict = gate.verdict()
        if dataset is None:
            return verdict
        ours, theirs = (_average_precision(each, dataset, step) for each in sides)
    return with_labels(verdict, reference_ap=ours, candidate_ap=theirs, limits=limits)


def _average_precision(assembled: Assembled, dataset: Dataset, step: Step) -> float:
    what = f'labeled images on {assembled.engine}'
    advance = counted(step, what, of=len(dataset.images), then='average precision')
    return evaluate(assembled, dataset, advance=advance)['AP']
