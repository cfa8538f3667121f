# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One build with its gate, under the lock of its entry in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from datetime import datetime
from datetime import timezone
from pathlib import Path
import shutil
from typing import Any

from edge_perception.contract import ArtifactError
from edge_perception.contract import Builder
from edge_perception.contract import BuildError
from edge_perception.contract import BuildReport
from edge_perception.contract import EngineType
from edge_perception.contract import parse_options
from edge_perception.contract.fields import did_you_mean
from edge_perception.models.artifact_directories import cache_directory
from edge_perception.models.artifact_directories import ENTRY_FILE
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.artifacts import choose_artifact
from edge_perception.models.atomic_files import replacing
from edge_perception.models.atomic_files import writing
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.plugin_host import probe
from edge_perception.models.proofs import proof_path
from edge_perception.models.proofs import write_proof
from edge_perception.tooling.building.artifact_build import build
from edge_perception.tooling.building.artifact_build import BuildRequest
from edge_perception.tooling.building.artifact_cache import Entry
from edge_perception.tooling.building.artifact_cache import locked
from edge_perception.tooling.building.artifact_cache import make_current
from edge_perception.tooling.building.artifact_cache import publish
from edge_perception.tooling.building.artifact_cache import read_entry
from edge_perception.tooling.building.artifact_cache import workspace
from edge_perception.tooling.building.sidecars import proof_of
from edge_perception.tooling.building.sidecars import write_report
from edge_perception.tooling.frame_sources import Source
from edge_perception.tooling.gate.comparison import GateVerdict
from edge_perception.tooling.notes import note
from edge_perception.tooling.offline import judge
from edge_perception.tooling.offline import REFERENCE_ENGINE
from edge_perception.tooling.offline import Side
from edge_perception.tooling.progress import steps

# What the second and the third try aim at when 8 bits have failed the gate.
KEEP_FLOAT_DB = (10.0, 15.0)
CACHED = (
    'taken from the cache, as it was judged when it was built: nothing that it depends on has '
    'changed; to judge it anew, by other --images or for a --report, add --rebuild'
)


@dataclass(frozen=True)
class BuildResult:
    """
    What became of an order.

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
        gates = {
            engine: {'passed': each.passed, 'problems': each.problems, **each.figures()}
            for engine, each in self.verdicts.items()
        }
        return {
            'artifact': str(self.artifact or ''),
            'passed': self.passed,
            'cached': self.cached,
            'notes': list(self.notes),
            'gate': gates,
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
            if file.name != ENTRY_FILE and file.is_file():
                with replacing(folder / file.name) as part, writing(folder / file.name):
                    shutil.copyfile(file, part)
        return replace(self, artifact=folder / self.artifact.name)


def choose_builder(host: PluginHost, name: str) -> Builder:
    """
    Return the builder of a target, if its tools are here.

    :raises BuildError: nobody offers the target, or its tools are missing.
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
    One order, its pictures for the gate, and the engines that have to pass.

    :param sources: the pictures for the gate.
    :param command: what a user types to have the same built again.
    :ivar engine_options: values without which the engines cannot load the result, by name.
    :raises EdgePerceptionError: no engine here can run the result.
    """

    def __init__(
        self,
        host: PluginHost,
        order: BuildRequest,
        *,
        sources: Sequence[tuple[str, Source]],
        report: Path | None,
        command: str = '',
    ) -> None:
        self._command = command
        self._host = host
        self._order = order
        self._report = report
        self._sources = sources
        self.engines = _engines_of(host, order.builder)
        self.engine_options = order.engine_options()
        self._parsed = {
            each.name: parse_options(
                each.options_type,
                self.engine_options,
                owner=f'target {order.builder.name!r}: engine {each.name!r}',
            )
            for each in self.engines
        }

    def run(self, *, rebuild: bool, keep_rejected: bool) -> BuildResult:
        """
        Build, judge and store, or take what is stored already.

        :raises EdgePerceptionError: it could not be built or judged.
        """
        directory, name = cache_directory(self._order.model), self._order.entry_name()
        ingredients = dict(self._order.ingredients())

        def waiting() -> None:
            note('another build of the same is under way; waiting for it')

        with locked(directory, name, waiting=waiting):
            entry = None if rebuild else read_entry(directory / name)
            if entry is not None and self._is_good_here(entry):
                make_current(directory, name)
                return BuildResult(entry.artifact, True, True, (CACHED,), ingredients=ingredients)
            with workspace(directory, name) as folder:
                report, verdicts = self._build(folder)
                passed = all(each.passed for each in verdicts.values())
                reports = self._write_reports(report.artifact, verdicts)
                done = BuildResult(
                    None, passed, False, report.notes, verdicts, reports, ingredients
                )
                if not passed and not keep_rejected:
                    return done
                self._prove(report, verdicts)
                values = {
                    'model': self._order.model.manifest.name,
                    'command': self._command,
                    'made': datetime.now(timezone.utc).isoformat(timespec='seconds'),
                    'versions': dict(report.versions),
                    'ingredients': ingredients,
                }
                made = report.artifact.parent
                stored = publish(
                    made, directory, name,
                    artifact=report.artifact.name, values=values, passed=passed,
                )  # fmt: skip
                return replace(done, artifact=stored.artifact)

    def _is_good_here(self, entry: Entry) -> bool:
        """Tell whether every engine would load an entry; it may have been updated since."""
        try:
            for each in self.engines:
                choose_artifact(
                    self._order.model,
                    each,
                    self._parsed[each.name],
                    request=ArtifactRequest(path=str(entry.artifact)),
                    cached=[entry.folder],
                )
        except ArtifactError:
            return False
        return bool(entry.values.get('passed'))

    def _build(self, folder: Path) -> tuple[BuildReport, dict[str, GateVerdict]]:
        """Build and judge; what fails in 8 bits gets another try with layers in float."""
        for keep_float_db in (None, *KEEP_FLOAT_DB):
            with steps() as step:
                report = build(self._order, folder, step, keep_float_db=keep_float_db)
            verdicts = self._judge(report.artifact)
            passed = all(each.passed for each in verdicts.values())
            if passed or not self._order.may_keep_float:
                break
            if keep_float_db != KEEP_FLOAT_DB[-1]:
                note('8 bits lose too much; looking for the layers that lose most')
        return report, verdicts

    def _judge(self, artifact: Path) -> dict[str, GateVerdict]:
        """Compare with the reference on every engine that the target is for."""
        return {
            engine_type.name: judge(
                self._host,
                self._order.model,
                reference=Side(REFERENCE_ENGINE),
                candidate=Side(
                    engine_type.name,
                    artifact,
                    self._order.precision,
                    {engine_type.name: dict(self.engine_options)},
                ),
                sources=self._sources,
            )
            for engine_type in self.engines
        }

    def _write_reports(
        self, artifact: Path, verdicts: Mapping[str, GateVerdict]
    ) -> tuple[Path, ...]:
        paths = []
        for engine, verdict in verdicts.items():
            path = write_report(
                verdict, self._order.model, artifact=artifact, engine=engine, path=self._report
            )
            if path is not None:
                paths.append(path)
        return tuple(paths)

    def _prove(self, report: BuildReport, verdicts: Mapping[str, GateVerdict]) -> None:
        for engine_type in self.engines:
            proof = proof_of(
                self._order.model,
                report.artifact,
                engine_type,
                verdicts[engine_type.name],
                options=self._parsed[engine_type.name],
                versions=report.versions,
            )
            path = write_proof(report.artifact, proof)
            assert path == proof_path(report.artifact, engine_type.name)


def _engines_of(host: PluginHost, builder: Builder) -> list[EngineType]:
    """
    Return the engines that a target is for and that work here.

    :raises BuildError: there are none, so nothing could be proven.
    """
    wanted = builder.engine or builder.name
    meant = [each for each in host.engines.values() if each.name == wanted]
    working = [each for each in meant if probe(each).available]
    if not working:
        lacking = (
            '; '.join(f'{each.name}: {probe(each).reason}' for each in meant) or 'none exists'
        )
        raise BuildError(
            f'target {builder.name}: no engine that works here loads it ({lacking}), so it cannot '
            'be proven; build it on a machine that can'
        )
    return working
