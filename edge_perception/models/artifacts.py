# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Choose the file that an engine loads for a model, and judge whether it was proven.

The ONNX of a model, computed in float32, is the reference and needs no proof. Everything else
needs one for the engine that loads it, or a user who says ``allow_unverified``.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
import shlex
from typing import Any

from edge_perception.contract import ArtifactError
from edge_perception.contract import check_whole
from edge_perception.contract import EngineType
from edge_perception.contract import FOLDER
from edge_perception.contract import option_specs
from edge_perception.contract import Options
from edge_perception.contract.loading.processor import computes_float16
from edge_perception.models.artifact_directories import build_command
from edge_perception.models.digests import artifact_sha256
from edge_perception.models.finding import Model
from edge_perception.models.proofs import Proof
from edge_perception.models.proofs import proof_path
from edge_perception.models.proofs import read_proof
from edge_perception.signing.signature_policy import Admitted

ARTIFACTS_FOLDER = 'artifacts'
GOLDEN_FOLDER = 'golden'  # of a model, with a few images of what it is for
REFERENCE_SUFFIX = '.onnx'
# Files in which ``verify`` reads the precision.
SAYING = ('.onnx', '.tflite')
# The most exact first: who wants speed asks for a precision.
PRECISIONS = ('fp32', 'fp16', 'int8')


@dataclass(frozen=True, slots=True)
class ArtifactRequest:
    """
    Which artifact a user asks for.

    :param path: this file; empty: any.
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
    The file or folder that an engine loads.

    :param precision: in which it computes; empty where that is unknown.
    :param warning: why it should not be trusted, in words; empty when it was proven.
    :param device: for which it was proven; ``any`` where it runs on all.
    :param proven: when and where, in words; empty where it needs no proof or has none.
    :param built: what the cache of this machine holds for the model, and why some is not used.
    """

    path: Path
    precision: str
    warning: str = ''
    device: str = 'any'
    proven: str = ''
    built: tuple[Admitted, ...] = ()


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
    return _Choice(model, engine_type, options, cached).choose(request)


def artifact_files(
    model: Model, engine_type: EngineType, cached: Sequence[Path]
) -> Iterator[Path]:
    """Give the files that an engine reads in the folder artifacts of a model and in the cache."""
    for folder in (model.folder / ARTIFACTS_FOLDER, *cached):
        for path in sorted(folder.glob('*')) if folder.is_dir() else ():
            if _is_artifact(path, engine_type):
                yield path


def _is_artifact(path: Path, engine_type: EngineType) -> bool:
    """Tell whether an engine reads such a file, or such a folder."""
    folder = FOLDER in engine_type.artifact_parts.get(path.suffix, ())
    return path.suffix in engine_type.artifact_suffixes and (
        path.is_dir() if folder else path.is_file()
    )


def given_options(options: Options) -> dict[str, Any]:
    """Return the options that are not as they come, by name, as JSON has them."""
    values = {
        spec.name: (getattr(options, spec.name), spec) for spec in option_specs(type(options))
    }
    return {
        name: list(value) if spec.kind is tuple else value
        for name, (value, spec) in values.items()
        if value != spec.default
    }


@dataclass(frozen=True, slots=True)
class _Choice:
    """The choice of an artifact for one engine with one set of options."""

    model: Model
    engine_type: EngineType
    options: Options
    cached: Sequence[Path]

    def choose(self, request: ArtifactRequest) -> Artifact:
        found = [self._named(request.path)] if request.path else list(self._candidates())
        if request.path and request.unjudged:
            return Artifact(found[0], request.precision)
        if request.precision and not request.path:
            found = [each for each in found if self._may_be(each, request.precision)]
        judged: list[Artifact] = []
        refused: list[ArtifactError] = []
        for path in found:
            try:
                judged.append(self._judge(path))
            except ArtifactError as error:
                refused.append(error)
        if wanted := request.precision:
            judged = [each for each in judged if each.precision == wanted or each.warning]
        judged.sort(key=lambda each: (bool(each.warning), self._rank(each)))
        if judged and (request.allow_unverified or not judged[0].warning):
            return judged[0]
        if judged:
            path = judged[0].path
            command = self._verify(path, request.precision or judged[0].precision)
            remedy = f'{command}, or set allow_unverified'
            raise ArtifactError(path, reason=judged[0].warning, remedy=remedy)
        raise refused[0] if refused else self._missing(request.precision)

    def _named(self, name: str) -> Path:
        path, suffixes = Path(name).expanduser(), self.engine_type.artifact_suffixes
        if path.suffix not in suffixes:
            reason = f'the engine {self.engine_type.name} reads {", ".join(suffixes)}'
            remedy = 'name such a file, or the engine that reads this one'
            raise ArtifactError(path, reason=reason, remedy=remedy)
        check_whole(path, self.engine_type.artifact_parts)
        return path

    def _candidates(self) -> Iterator[Path]:
        if self.model.source.suffix in self.engine_type.artifact_suffixes:
            yield self.model.source
        yield from artifact_files(self.model, self.engine_type, self.cached)

    def _may_be(self, path: Path, precision: str) -> bool:
        """Tell whether nothing says that a file computes in another precision."""
        try:
            proof = read_proof(path, self.engine_type.name)
        except ArtifactError:  # what is wrong with its proof is said when it is judged
            return True
        return proof is None or proof.precision == precision

    def _judge(self, path: Path) -> Artifact:
        """
        Return an artifact with what speaks against it.

        :raises ArtifactError: it must not be loaded, whatever the user says.
        """
        check_whole(path, self.engine_type.artifact_parts)
        computed = self.engine_type.precision(self.options)
        is_source = path.resolve() == self.model.source.resolve()
        if is_source and path.suffix == REFERENCE_SUFFIX and computed == 'fp32':
            return Artifact(path, computed)
        proof = read_proof(path, self.engine_type.name)
        if proof is None:
            how = f' in {computed}' if computed != 'fp32' else ''
            reason = f'not verified against the reference{how} on {self.engine_type.name}'
            return Artifact(path, '', warning=reason)
        if proof.passed and proof.artifact_sha256 != artifact_sha256(path):
            return Artifact(path, proof.precision, warning='was changed after it was proven')
        same_runtime = path.parent in self.cached
        if reason := self._why_not(proof, same_runtime=same_runtime):
            made_here = build_command(path.parent) if same_runtime else ''
            remedy = f'build it again: {made_here or self._build(proof.precision)}'
            if proof.passed and not same_runtime and proof.model_digest != self.model.digest():
                remedy += f', or {self._verify(path, proof.precision)}'
            raise ArtifactError(path, reason=reason, remedy=remedy)
        if computed not in ('fp32', proof.computed):
            reason = f'was compared in {proof.computed}, not in {computed}'
            return Artifact(path, proof.precision, warning=reason)
        where = proof.machine or 'an unknown machine'
        # An artifact for one device is computed there, whatever the processor does.
        bound = proof.precision != 'fp16' or proof.device != 'any'
        if not bound and computes_float16() and not proof.native_float16:
            reason = (
                f'was proven in fp16 on {where}, and this processor computes float16 natively, '
                'which is less exact'
            )
            return Artifact(path, proof.precision, warning=reason)
        proven = f'{proof.made} on {where}'.strip()
        return Artifact(path, proof.precision, device=proof.device, proven=proven)

    def _why_not(self, proof: Proof, *, same_runtime: bool) -> str:
        """Return why an artifact must not be loaded here; empty when it may be."""
        if not proof.passed:
            return f'was compared with {proof.reference} and rejected'
        if proof.model_digest != self.model.digest():
            return f'was proven for another {self.model.source.name}, input, decoder or labels'
        device = self.engine_type.device_key(self.options)
        if proof.device not in ('any', device):
            return f'was made for {proof.device}, this is {device}'
        runtime = self.engine_type.probe().runtime
        if same_runtime and proof.versions.get('engine') != runtime:
            return f'was built for {proof.versions.get("engine")}, this is {runtime}'
        return ''

    def _rank(self, artifact: Artifact) -> tuple[bool, int, bool]:
        known = artifact.precision in PRECISIONS
        place = PRECISIONS.index(artifact.precision) if known else len(PRECISIONS)
        return artifact.path != self.model.source, place, artifact.device == 'any'

    def _verify(self, path: Path, precision: str = '') -> str:
        """
        Return the command that proves a file, as it has to be typed.

        :param precision: of the file; empty: as it says itself, or else its name.
        """
        words = ['edge-perception', 'verify', str(path), '--reference', str(self.model.place)]
        flags = ['--engine', self.engine_type.name]
        computed = self.engine_type.precision(self.options)
        if not precision and path.suffix not in SAYING:
            precision = next((each for each in PRECISIONS if each in path.stem), 'fp32')
        # What computes float32 in less has the limits of that.
        precision = computed if precision == 'fp32' and path.suffix not in SAYING else precision
        if precision and not (precision == 'fp32' and computed != 'fp32'):
            flags += ['--precision', precision]
        for name, value in given_options(self.options).items():
            value = ','.join(map(str, value)) if isinstance(value, list) else value
            flags += ['-o', f'{name}={value}']
        return f'verify it: {shlex.join(words)}{self._images()} {shlex.join(flags)}'

    def _missing(self, precision: str) -> ArtifactError:
        kind = f'in {precision} ' if precision else ''
        suffixes = ', '.join(self.engine_type.artifact_suffixes)
        reason = (
            f'has nothing {kind}that the engine {self.engine_type.name} reads ({suffixes}), '
            f'neither in its folder {ARTIFACTS_FOLDER} nor in the cache'
        )
        remedy = f'{self._beside(precision)}build it: {self._build(precision)}'
        if (source := self.model.source.suffix) != REFERENCE_SUFFIX:
            # Artifacts are built from ONNX alone.
            remedy = (
                f'choose an engine that reads {source} ("edge-perception plugins" lists them), or '
                "'auto'"
            )
        return ArtifactError(self.model.folder, reason=reason, remedy=remedy)

    def _beside(self, precision: str) -> str:
        """Return what to do with a file that lies beside the model; empty if there is none."""
        for path in sorted(self.model.folder.glob('*')):
            fits = _is_artifact(path, self.engine_type) and path != self.model.source
            if not fits or (precision and not self._may_be(path, precision)):
                continue
            proven = proof_path(path, self.engine_type.name).is_file()
            first = '' if proven else f'{self._verify(path, precision)}, then '
            return (
                f'{path.name} beside the model is not looked at: {first}move it and its proof to '
                f'{self.model.folder / ARTIFACTS_FOLDER}, or name it (artifact, for commands '
                '--artifact); or '
            )
        return ''

    def _build(self, precision: str) -> str:
        target = self.engine_type.build_target or self.engine_type.name
        more = {'': '', 'fp32': '', 'int8': ' --precision int8 --calibration FOLDER'}
        command = f'edge-perception build {shlex.quote(str(self.model.place))} --target {target}'
        return command + more.get(precision, f' --precision {precision}') + self._images()

    def _images(self) -> str:
        """Return the option that the gate needs where a model has no images of its own."""
        return '' if (self.model.folder / GOLDEN_FOLDER).is_dir() else ' --images FOLDER'
