# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Build and judge an artifact, under the lock of its entry in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
import shutil
from typing import Any

from edge_perception.contract import ArtifactError
from edge_perception.contract import Builder
from edge_perception.contract import BuildError
from edge_perception.contract import BuildReport
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import EngineType
from edge_perception.contract import parse_options
from edge_perception.contract.fields import did_you_mean
from edge_perception.contract.user_files import replacing
from edge_perception.contract.user_files import writing
from edge_perception.models.artifact_directories import cache_directory
from edge_perception.models.artifact_directories import ENTRY_FILE
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.artifacts import choose_artifact
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.plugin_host import probe
from edge_perception.models.proofs import write_proof
from edge_perception.signing.device_key import sign_built
from edge_perception.tooling.building import artifact_cache
from edge_perception.tooling.building.artifact_build import build
from edge_perception.tooling.building.artifact_build import BuildRequest
from edge_perception.tooling.building.sidecars import now
from edge_perception.tooling.building.sidecars import proof_of
from edge_perception.tooling.building.sidecars import write_report
from edge_perception.tooling.frame_sources import Source
from edge_perception.tooling.gate.comparison import GateVerdict
from edge_perception.tooling.notes import note
from edge_perception.tooling.offline import judge
from edge_perception.tooling.progress import steps
from edge_perception.tooling.variants import REFERENCE_ENGINE
from edge_perception.tooling.variants import Variant

# Signal to noise that the second and the third try aim at when INT8 has failed the gate.
KEEP_FLOAT_DB = (10.0, 15.0)
CACHED = (
    'taken from the cache with its verdict: nothing that it depends on has changed; to judge it '
    'again, by other --images or for a --report, add --rebuild'
)


@dataclass(frozen=True)
class BuildResult:
    """
    What became of a build.

    :param artifact: None where it was rejected and not kept.
    :param verdicts: by engine; empty where it came from the cache.
    :param reports: those that were written; of what is rejected always.
    """

    artifact: Path | None
    passed: bool
    cached: bool = False
    notes: tuple[str, ...] = ()
    verdicts: Mapping[str, GateVerdict] = field(default_factory=dict)
    reports: tuple[Path, ...] = ()
    ingredients: Mapping[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            'artifact': str(self.artifact or ''),
            'passed': self.passed,
            'cached': self.cached,
            'notes': list(self.notes),
            'gate': {engine: each.values() for engine, each in self.verdicts.items()},
            'reports': list(map(str, self.reports)),
            'ingredients': dict(self.ingredients),
        }

    def copied(self, folder: Path) -> BuildResult:
        """
        Copy artifact and proofs into a folder, and say where.

        :raises ConfigurationError: it cannot be written.
        """
        assert self.artifact is not None
        for file in sorted(self.artifact.parent.iterdir()):
            target = folder / file.name
            with writing(target):
                if file.is_dir():
                    part = shutil.copytree(file, target.with_name(f'.{target.name}.part'))
                    shutil.rmtree(target, ignore_errors=True)
                    part.rename(target)
                elif file.name != ENTRY_FILE:
                    with replacing(target) as part:
                        shutil.copyfile(file, part)
        return replace(self, artifact=folder / self.artifact.name)


def choose_builder(host: PluginHost, name: str) -> Builder:
    """
    Return the builder of a target, if its tools are here.

    :raises BuildError: no plugin offers the target, or its tools are missing.
    """
    builder = host.builders.get(name)
    if builder is None:
        known = ', '.join(sorted(host.builders)) or 'none'
        hint = did_you_mean(name, host.builders)
        raise BuildError(f'target {name!r}: no plugin builds for it, targets are {known}{hint}')
    availability = probe(builder)
    if not availability.available:
        raise BuildError(f'target {name}: {availability.reason}; {availability.remedy}')
    return builder


class GatedBuild:
    """
    Build what is requested, and judge it on every engine that the target is for.

    :param sources: the images for the gate.
    :param command: what a user types to have the same built again.
    :raises EdgePerceptionError: no engine here can run the result.
    """

    def __init__(
        self,
        host: PluginHost,
        request: BuildRequest,
        *,
        sources: Sequence[Source],
        report: Path | None,
        command: str = '',
    ) -> None:
        self._host = host
        self._request = request
        self._sources = sources
        self._report = report
        self._command = command
        self._engine_options = request.engine_options()
        owner = f'target {request.builder.name!r}: engine'
        # The options without which the engines cannot load the result.
        self._engines = {
            each.name: parse_options(
                each.options_type, self._engine_options, owner=f'{owner} {each.name!r}'
            )
            for each in _engines_of(host, request.builder)
        }

    def run(self, *, rebuild: bool, keep_rejected: bool) -> BuildResult:
        """
        Build, judge and store, or take what is stored already.

        :raises EdgePerceptionError: it could not be built or judged.
        """
        directory, name = cache_directory(self._request.model), self._request.entry_name()
        ingredients = dict(self._request.ingredients())

        def waiting() -> None:
            note('another build of the same is under way; waiting for it')

        with artifact_cache.locked(directory, name, waiting=waiting):
            entry = None if rebuild else artifact_cache.read_entry(directory / name)
            if entry is not None and self._is_good_here(entry):
                artifact_cache.make_current(directory, name)
                return BuildResult(entry.artifact, True, True, (CACHED,), ingredients=ingredients)
            with artifact_cache.workspace(directory, name) as folder:
                made, verdicts = self._build(folder)
                done = self._judged(made, verdicts, ingredients)
                if not done.passed and not keep_rejected:
                    return done
                self._prove(made, verdicts)
                values = {
                    'model': self._request.model.manifest.name,
                    'command': self._command,
                    'made': now(),
                    'versions': dict(made.versions),
                    'ingredients': ingredients,
                }
                stored = artifact_cache.publish(
                    made.artifact, directory, name, values=values, passed=done.passed
                )
                sign_built(stored.folder, model_digest=self._request.model.digest())
                return replace(done, artifact=stored.artifact)

    def _judged(
        self, made: BuildReport, verdicts: Mapping[str, GateVerdict], ingredients: dict[str, Any]
    ) -> BuildResult:
        """Write the reports, and return what became of the build."""
        reports = [
            write_report(verdicts[each.engine], each, path=self._report)
            for each in self.candidates(made.artifact)
        ]
        passed = all(each.passed for each in verdicts.values())
        written = tuple(path for path in reports if path is not None)
        return BuildResult(None, passed, False, made.notes, verdicts, written, ingredients)

    def _prove(self, made: BuildReport, verdicts: Mapping[str, GateVerdict]) -> None:
        for each in self.candidates(made.artifact):
            proof = proof_of(
                each,
                self._host.engines[each.engine],
                verdicts[each.engine],
                options=self._engines[each.engine],
                versions=made.versions,
            )
            write_proof(made.artifact, proof)

    def candidates(self, artifact: Path) -> list[Variant]:
        """Return the artifact on each engine that the target is for."""
        model, precision = self._request.model, self._request.precision
        return [
            Variant(model, name, artifact, precision, self._engine_options)
            for name in self._engines
        ]

    def _is_good_here(self, entry: artifact_cache.Entry) -> bool:
        """Tell whether every engine would load an entry; it may have been updated since."""
        model, request = self._request.model, ArtifactRequest(str(entry.artifact))
        try:
            for name, options in self._engines.items():
                engine_type, cached = self._host.engines[name], [entry.folder]
                choose_artifact(model, engine_type, options, request=request, cached=cached)
        except ArtifactError:
            return False
        return bool(entry.values.get('passed'))

    def _build(self, folder: Path) -> tuple[BuildReport, dict[str, GateVerdict]]:
        """Build and judge; INT8 that fails is tried again with layers in float."""
        model = self._request.model
        reference = Variant(model, REFERENCE_ENGINE, model.source)
        for keep_float_db in (None, *KEEP_FLOAT_DB):
            with steps() as step:
                made = build(self._request, folder, step, keep_float_db=keep_float_db)
            verdicts = {
                each.engine: judge(
                    self._host, reference=reference, candidate=each, sources=self._sources
                )
                for each in self.candidates(made.artifact)
            }
            if not self._request.may_keep_float or all(e.passed for e in verdicts.values()):
                break
            if keep_float_db != KEEP_FLOAT_DB[-1]:
                note('INT8 loses too much; looking for the layers to keep in float')
        passed = all(each.passed for each in verdicts.values())
        if self._request.precision == 'int8' and not passed:
            made = replace(made, notes=(*made.notes, *self._right_elsewhere(made, reference)))
        return made, verdicts

    def _right_elsewhere(self, made: BuildReport, reference: Variant) -> Iterator[str]:
        """
        Say that the same INT8 file passes on the engine of the reference, where it does.

        Then it is no matter of the images. OpenVINO 2026.4.1 on an AMD EPYC gives the scores of
        YOLOX-nano -0.4 dB, and 7.0 dB, as ONNX Runtime gives, where LP_TRANSFORMS_MODE is off.
        """
        engine, tried = self._host.engines[reference.engine], reference.engine in self._engines
        if tried or made.artifact.suffix not in engine.artifact_suffixes:
            return
        other = replace(reference, path=made.artifact, precision=self._request.precision)
        note(f'INT8 loses too much; looking whether it does on {engine.name} as well')
        try:
            verdict = judge(
                self._host, reference=reference, candidate=other, sources=self._sources
            )
        except EdgePerceptionError:  # the file may have operators that one engine alone has
            return
        if verdict.passed:
            names = ', '.join(probe(self._host.engines[e]).runtime for e in self._engines)
            yield (
                f'the same INT8 file passes on {engine.name}: {names} computes it less exactly on '
                'this machine, which other calibration images hardly change; take --target '
                f'{engine.name} or --precision fp16'
            )


def _engines_of(host: PluginHost, builder: Builder) -> list[EngineType]:
    """
    Return the engines that a target is for and that work here.

    :raises BuildError: there are none, so nothing could be proven.
    """
    wanted = builder.engine or builder.name
    meant = [each for each in host.engines.values() if each.name == wanted]
    working = [each for each in meant if probe(each).available]
    if not working:
        lacking = '; '.join(f'{each.name}: {probe(each).reason}' for each in meant)
        raise BuildError(
            f'target {builder.name}: no engine that works here loads it '
            f'({lacking or "none exists"}), so it cannot be proven; build it on a machine that can'
        )
    return working
