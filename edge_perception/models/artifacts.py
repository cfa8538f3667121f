# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Which file an engine loads for a model, and whether it was proven equal to the reference.

The ONNX of a model, computed in float32, is the reference and needs no proof. Everything else
needs one for the engine that loads it, or a user who says ``allow_unverified``.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
import shlex

from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineType
from edge_perception.contract import option_specs
from edge_perception.contract import Options
from edge_perception.models.artifact_directories import build_command
from edge_perception.models.external_data import artifact_sha256
from edge_perception.models.external_data import model_sha256
from edge_perception.models.finding import Model
from edge_perception.models.proofs import Proof
from edge_perception.models.proofs import proof_path
from edge_perception.models.proofs import read_proof

ARTIFACTS_FOLDER = 'artifacts'
GOLDEN_FOLDER = 'golden'  # of a model, with a few pictures of what it is for
REFERENCE_SUFFIX = '.onnx'
# The most exact first: who wants speed asks for a precision.
PRECISIONS = ('fp32', 'fp16', 'int8')


@dataclass(frozen=True, slots=True)
class ArtifactRequest:
    """
    Which artifact a user wants.

    :param path: this file; empty leaves the choice to us.
    :param precision: one of ``PRECISIONS``; empty: the most exact that there is.
    :param allow_unverified: a file without proof will do where no other is.
    :param unjudged: take ``path`` whatever its proof says; for the gate, which makes the proof.
    """

    path: str = ''
    precision: str = ''
    allow_unverified: bool = False
    unjudged: bool = False


@dataclass(frozen=True, slots=True)
class Artifact:
    """
    The file that an engine loads.

    :param precision: in what it computes; empty where nobody says.
    :param warning: why it should not be trusted, in words; empty when it was proven.
    :param device: for which it was proven; ``any`` where it runs on all.
    """

    path: Path
    precision: str
    warning: str = ''
    device: str = 'any'


def choose_artifact(
    model: Model,
    engine_type: EngineType,
    options: Options,
    *,
    request: ArtifactRequest,
    cached: Sequence[Path] = (),
) -> Artifact:
    """
    Choose the artifact of a model for an engine.

    :param options: of the engine; they decide in what it computes, and on which device.
    :param cached: folders with artifacts of this model that were built on this machine, beside
        those in the model's own folder; they are good for the runtime that they were built with.
    :raises ArtifactError: there is none that may be loaded; the text says what to run.
    """
    found = list(_candidates(model, engine_type, request, cached))
    if request.path and request.unjudged:
        return Artifact(found[0], request.precision)
    if request.precision and not request.path:
        found = [each for each in found if _may_be(each, engine_type, request.precision)]
    judged, refused = _judge_all(found, model, engine_type, options, cached)
    if request.precision:
        judged = [each for each in judged if each.precision == request.precision or each.warning]
    judged.sort(key=lambda each: (bool(each.warning), _rank(each, model)))
    if judged and (request.allow_unverified or not judged[0].warning):
        return judged[0]
    if judged:
        verify = _verify(judged[0].path, model, engine_type, options)
        raise ArtifactError(
            judged[0].path,
            reason=judged[0].warning,
            remedy=f'{verify}, or set allow_unverified',
        )
    if refused:
        raise refused[0]
    raise _missing(model, engine_type, options, request)


def _candidates(
    model: Model, engine_type: EngineType, request: ArtifactRequest, cached: Sequence[Path]
) -> Iterator[Path]:
    if request.path:
        path = Path(request.path).expanduser()
        if path.suffix not in engine_type.artifact_suffixes:
            raise ArtifactError(
                path,
                reason=f'the engine {engine_type.name} reads '
                f'{", ".join(engine_type.artifact_suffixes)}',
                remedy='name such a file, or the engine that reads this one',
            )
        if not path.is_file():
            raise ArtifactError(path, reason='no such file', remedy='correct the path')
        yield path
        return
    if model.source.suffix in engine_type.artifact_suffixes:
        yield model.source
    for directory in (model.folder / ARTIFACTS_FOLDER, *cached):
        for path in sorted(directory.glob('*')) if directory.is_dir() else ():
            if path.suffix in engine_type.artifact_suffixes and path.is_file():
                yield path


def _may_be(path: Path, engine_type: EngineType, precision: str) -> bool:
    """Tell whether nothing says that a file computes in another precision."""
    try:
        proof = read_proof(path, engine_type.name)
    except ArtifactError:  # whoever judges the file says what is wrong with its proof
        return True
    return proof is None or proof.precision == precision


def _judge_all(
    found: Sequence[Path],
    model: Model,
    engine_type: EngineType,
    options: Options,
    cached: Sequence[Path],
) -> tuple[list[Artifact], list[ArtifactError]]:
    """Return what may be loaded, with what speaks against it, and why others must not be."""
    judged: list[Artifact] = []
    refused: list[ArtifactError] = []
    for path in found:
        try:
            judged.append(
                _judge(path, model, engine_type, options, same_runtime=path.parent in cached)
            )
        except ArtifactError as error:
            refused.append(error)
    return judged, refused


def _judge(
    path: Path, model: Model, engine_type: EngineType, options: Options, *, same_runtime: bool
) -> Artifact:
    """
    Return an artifact with what speaks against it.

    :raises ArtifactError: it must not be loaded, whatever the user says.
    """
    computed = engine_type.precision(options)
    is_source = path.resolve() == model.source.resolve()
    if is_source and path.suffix == REFERENCE_SUFFIX and computed == 'fp32':
        return Artifact(path, computed)
    proof = read_proof(path, engine_type.name)
    if proof is None:
        how = f', computed in {computed},' if computed != 'fp32' else ''
        reason = f'nobody has compared it{how} on {engine_type.name} with the reference'
        return Artifact(path, '', warning=reason)
    if proof.passed and proof.artifact_sha256 != artifact_sha256(path):
        return Artifact(path, proof.precision, warning='was changed after it was proven')
    if reason := _why_not(proof, model, engine_type, options, same_runtime=same_runtime):
        made_here = build_command(path.parent) if same_runtime else ''
        build = made_here or _build(model, engine_type, proof.precision)
        raise ArtifactError(path, reason=reason, remedy=f'build it again: {build}')
    if computed not in ('fp32', proof.computed):
        reason = f'was compared in {proof.computed}, not in {computed}'
        return Artifact(path, '', warning=reason)
    return Artifact(path, proof.precision, device=proof.device)


def _why_not(
    proof: Proof, model: Model, engine_type: EngineType, options: Options, *, same_runtime: bool
) -> str:
    """Return why an artifact must not be loaded here; empty when it may be."""
    if not proof.passed:
        return f'was compared with {proof.reference} and rejected'
    if proof.model_sha256 != model_sha256(model.source):
        return f'was made from another version of {model.source.name}'
    device = engine_type.device_key(options)
    if proof.device not in ('any', device):
        return f'was made for {proof.device}, this is {device}'
    runtime = engine_type.probe().runtime
    if same_runtime and proof.versions.get('engine') != runtime:
        return f'was built for {proof.versions.get("engine")}, this is {runtime}'
    return ''


def _rank(artifact: Artifact, model: Model) -> tuple[bool, int, bool]:
    known = artifact.precision in PRECISIONS
    place = PRECISIONS.index(artifact.precision) if known else len(PRECISIONS)
    return artifact.path != model.source, place, artifact.device == 'any'


def _verify(path: Path, model: Model, engine_type: EngineType, options: Options) -> str:
    command = shlex.join(['edge-perception', 'verify', str(path), '--reference', str(model.place)])
    words = shlex.join(['--engine', engine_type.name, *_assignments(engine_type, options)])
    return f'verify it: {command}{_images(model)} {words}'


def _assignments(engine_type: EngineType, options: Options) -> Iterator[str]:
    """Return the options of a command that set what is not the default."""
    for spec in option_specs(engine_type.options_type):
        value = getattr(options, spec.name)
        if value != spec.default:
            yield from ('-o', f'{spec.name}={",".join(value) if spec.kind is tuple else value}')


def _missing(
    model: Model, engine_type: EngineType, options: Options, request: ArtifactRequest
) -> ArtifactError:
    kind = f'in {request.precision} ' if request.precision else ''
    return ArtifactError(
        model.folder,
        reason=f'has nothing {kind}that the engine {engine_type.name} reads '
        f'({", ".join(engine_type.artifact_suffixes)}), neither in its folder '
        f'{ARTIFACTS_FOLDER} nor in the cache',
        remedy=f'{_beside(model, engine_type, options, request)}build it: '
        f'{_build(model, engine_type, request.precision)}',
    )


def _beside(
    model: Model, engine_type: EngineType, options: Options, request: ArtifactRequest
) -> str:
    """Return what to do with a file that lies where nothing looks; nothing if there is none."""
    for path in sorted(model.folder.glob('*')):
        fits = path.suffix in engine_type.artifact_suffixes and path != model.source
        if not fits or (request.precision and not _may_be(path, engine_type, request.precision)):
            continue
        directory = model.folder / ARTIFACTS_FOLDER
        proven = proof_path(path, engine_type.name).is_file()
        first = '' if proven else f'{_verify(path, model, engine_type, options)}, then '
        return (
            f'{path.name} beside the model is not looked at: {first}move it and its proof to '
            f'{directory}, or name it (artifact, for commands --artifact); or '
        )
    return ''


def _build(model: Model, engine_type: EngineType, precision: str) -> str:
    target = engine_type.build_target or engine_type.name
    more = {'': '', 'fp32': '', 'int8': ' --precision int8 --calibration FOLDER'}
    command = f'edge-perception build {shlex.quote(str(model.place))} --target {target}'
    return command + more.get(precision, f' --precision {precision}') + _images(model)


def _images(model: Model) -> str:
    """Return the option that the gate needs where a model has no pictures of its own."""
    return '' if (model.folder / GOLDEN_FOLDER).is_dir() else ' --images FOLDER'
