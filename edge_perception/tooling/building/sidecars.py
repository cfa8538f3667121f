# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the gate leaves behind: the proof of what passed, the report of what did not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from datetime import timezone
from pathlib import Path
from types import MappingProxyType

from edge_perception.contract import ArtifactError
from edge_perception.contract import ConfigurationError
from edge_perception.contract import EngineType
from edge_perception.contract import Options
from edge_perception.contract import parse_options
from edge_perception.contract.loading.processor import computes_float16
from edge_perception.contract.loading.processor import machine_in_words
from edge_perception.contract.user_files import write_whole
from edge_perception.contract.user_files import writing
from edge_perception.models.artifacts import given_options
from edge_perception.models.digests import artifact_sha256
from edge_perception.models.finding import Model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.plugin_host import probe
from edge_perception.models.proofs import Proof
from edge_perception.models.proofs import proof_path
from edge_perception.models.proofs import read_proof
from edge_perception.models.proofs import write_proof
from edge_perception.tooling.building.precision import precision_of
from edge_perception.tooling.gate.comparison import GateVerdict
from edge_perception.tooling.gate.gate_report import gate_page
from edge_perception.tooling.notes import note
from edge_perception.tooling.variants import REFERENCE_ENGINE
from edge_perception.tooling.variants import Variant

# Of a proof: what was compared, and how.
_SUBJECTS = ('artifact_sha256', 'model_digest')
_CONDITIONS = ('options', 'computed', 'device', 'precision')


def precision_to_prove(engine_type: EngineType, variant: Variant) -> str:
    """
    Return the precision whose limits hold: that of the file, or the one the engine computes in.

    :raises ConfigurationError: the file does not say.
    """
    precision = precision_of(variant.path)
    if precision == 'fp32':
        return engine_type.precision(_parsed(engine_type, variant))
    if not precision:
        problem = f'{variant.path.name} does not say, expected fp32, fp16 or int8'
        raise ConfigurationError('--precision', [problem])
    return precision


def prove(
    host: PluginHost, candidate: Variant, verdict: GateVerdict, *, reference: str
) -> Path | None:
    """
    Write the proof of what passed, or remove that of what did not; return its path if written.

    A proof that was made with other options of the engine, or by the limits of another precision,
    and that still holds, stays: what was rejected now says nothing of it.

    :param reference: what it was compared with, in words.
    :raises ConfigurationError: it cannot be written or removed.
    """
    engine_type = host.engines[candidate.engine]
    path = proof_path(candidate.path, candidate.engine)
    with writing(path):
        options = _parsed(engine_type, candidate)
        proof = proof_of(candidate, engine_type, verdict, reference=reference, options=options)
        if verdict.passed:
            return write_proof(candidate.path, proof)
        if path.exists() and not _says_nothing_of(candidate, proof):
            path.unlink()
            note(f'{path} is removed, the artifact does not pass any more')
    return None


def _says_nothing_of(candidate: Variant, rejected: Proof) -> bool:
    """Tell whether the proof beside an artifact holds, and is for something else."""
    try:
        proof = read_proof(candidate.path, candidate.engine)
    except ArtifactError:
        return False
    if proof is None:
        return False
    holds = all(getattr(proof, each) == getattr(rejected, each) for each in _SUBJECTS)
    return holds and any(getattr(proof, each) != getattr(rejected, each) for each in _CONDITIONS)


def _parsed(engine_type: EngineType, variant: Variant) -> Options:
    owner = f'engine {engine_type.name!r}'
    return parse_options(engine_type.options_type, variant.options, owner=owner)


def reference_in_words(model: Model, engine: str = REFERENCE_ENGINE) -> str:
    """Return what an artifact was compared with, and its precision where the file says it."""
    precision = precision_of(model.source)
    return f'{model.source.name} on {engine}' + (precision and f', {precision}')


def now() -> str:
    """Return date and time, ISO 8601, UTC."""
    return datetime.now(timezone.utc).isoformat(timespec='seconds')


def proof_of(
    candidate: Variant,
    engine_type: EngineType,
    verdict: GateVerdict,
    *,
    options: Options,
    reference: str = '',
    versions: Mapping[str, str] = MappingProxyType({}),
) -> Proof:
    """
    Return the proof of an artifact.

    :param options: of the engine, with which it was compared.
    :raises EdgePerceptionError: a file cannot be read, or the device is gone.
    """
    return Proof(
        artifact_sha256=artifact_sha256(candidate.path),
        model_digest=candidate.model.digest(),
        engine=engine_type.name,
        precision=verdict.precision,
        reference=reference or reference_in_words(candidate.model),
        passed=verdict.passed,
        device=engine_type.device_key(options),
        figures=verdict.figures(),
        versions={**versions, 'engine': probe(engine_type).runtime},
        made=now(),
        computed=verdict.computed or engine_type.precision(options),
        machine=machine_in_words(),
        native_float16=computes_float16(),
        options=given_options(options),
    )


def write_report(
    verdict: GateVerdict, candidate: Variant, *, path: Path | None, reference: str = ''
) -> Path | None:
    """
    Write the HTML report where one is asked for or needed, and return its path.

    :raises ConfigurationError: it cannot be written.
    """
    if verdict.passed and path is None:
        return None
    model, artifact = candidate.model, candidate.path
    path = path or Path(f'{artifact.name}.{candidate.engine}.gate.html')
    rows = [
        ('artifact', artifact.name),
        ('engine', candidate.engine),
        ('precision', verdict.precision),
        ('reference', reference or reference_in_words(model)),
        ('images', str(verdict.images)),
    ]
    title = f'{artifact.name} beside its reference'
    text = gate_page(verdict, title=title, rows=rows, manifest=model.manifest)
    with writing(path):
        return write_whole(path, text)
