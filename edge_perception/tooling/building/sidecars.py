# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a verdict leaves behind: the sidecar of what passed, the report of what did not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from datetime import timezone
from pathlib import Path

from edge_perception.contract import EngineType
from edge_perception.contract import Options
from edge_perception.models.atomic_files import replacing
from edge_perception.models.atomic_files import writing
from edge_perception.models.external_data import artifact_sha256
from edge_perception.models.external_data import model_sha256
from edge_perception.models.finding import Model
from edge_perception.models.plugin_host import probe
from edge_perception.models.proofs import Proof
from edge_perception.tooling.building.precision import precision_of
from edge_perception.tooling.gate import gate_report
from edge_perception.tooling.gate.comparison import GateVerdict
from edge_perception.tooling.offline import REFERENCE_ENGINE


def reference_in_words(model: Model, engine: str = REFERENCE_ENGINE) -> str:
    """Return what an artifact was compared with, and its precision where the file says it."""
    precision = precision_of(model.source)
    return f'{model.source.name} on {engine}' + (precision and f', {precision}')


def proof_of(
    model: Model,
    artifact: Path,
    engine_type: EngineType,
    verdict: GateVerdict,
    *,
    reference: str = '',
    options: Options | None = None,
    versions: Mapping[str, str] | None = None,
) -> Proof:
    """
    Return the sidecar of an artifact.

    :param options: of the engine; None stands for its defaults.
    :raises EdgePerceptionError: a file cannot be read, or the device is gone.
    """
    options = options or engine_type.options_type()
    return Proof(
        artifact_sha256=artifact_sha256(artifact),
        model_sha256=model_sha256(model.source),
        engine=engine_type.name,
        precision=verdict.precision,
        reference=reference or reference_in_words(model),
        passed=verdict.passed,
        device=engine_type.device_key(options),
        figures=verdict.figures(),
        versions={**(versions or {}), 'engine': probe(engine_type).runtime},
        made=datetime.now(timezone.utc).isoformat(timespec='seconds'),
        computed=engine_type.precision(options),
    )


def write_report(
    verdict: GateVerdict,
    model: Model,
    *,
    artifact: Path,
    engine: str,
    path: Path | None,
    reference: str = '',
) -> Path | None:
    """
    Write the HTML report where one is wanted or needed, and return its path.

    :raises ConfigurationError: it cannot be written.
    """
    if verdict.passed and path is None:
        return None
    path = path or Path(f'{artifact.name}.{engine}.gate.html')
    rows = [
        ('artifact', artifact.name),
        ('engine', engine),
        ('precision', verdict.precision),
        ('reference', reference or reference_in_words(model)),
        ('pictures', str(verdict.pictures)),
    ]
    title = f'{artifact.name} beside its reference'
    text = gate_report.page(verdict, title=title, rows=rows, manifest=model.manifest)
    with replacing(path) as temporary, writing(path):
        temporary.write_text(text, encoding='utf-8')
    return path
