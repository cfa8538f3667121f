# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The sidecar of an artifact: proof that on one engine it gives what the reference gives.

It lies beside the artifact, as ``<file>.<engine>.proof.json``, because the same file may be right
on one engine and wrong on another (an ONNX in symmetric INT8 is). It does not hold any more when a
byte of the artifact or of the model changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
import hashlib
import json
from pathlib import Path
from typing import Any

from edge_perception.contract import ArtifactError
from edge_perception.contract.user_files import write_whole

PROOF_VERSION = 1


@dataclass(frozen=True, slots=True)
class Proof:
    """
    What was compared with what, and how it ended.

    :param artifact_sha256: hex digest of the artifact, with the weights that lie beside it.
    :param model_sha256: hex digest of the source of the model.
    :param engine: on which the artifact was run.
    :param precision: of the artifact: fp32, fp16 or int8, or bf16 where only the engine has it.
    :param device: ``any``, or the ``device_key`` of the engine.
    :param reference: what it was compared with, in words.
    :param passed: False marks an artifact that its maker kept although it is wrong.
    :param figures: what was measured.
    :param versions: of the libraries that took part.
    :param made: date and time, ISO 8601, UTC.
    :param computed: ``EngineType.precision`` of the engine while they were compared; sidecars
        that do not say it are of engines that computed in float32.
    :param machine: on which they were compared, in words; empty where the sidecar does not say.
    :param native_float16: whether its processor computed float16 as such.
    """

    artifact_sha256: str
    model_sha256: str
    engine: str
    precision: str
    reference: str
    passed: bool
    device: str = 'any'
    figures: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    made: str = ''
    computed: str = 'fp32'
    machine: str = ''
    native_float16: bool = False


def proof_path(artifact: Path, engine: str) -> Path:
    """Return where the sidecar of an artifact lies."""
    return artifact.with_name(f'{artifact.name}.{engine}.proof.json')


def read_proof(artifact: Path, engine: str) -> Proof | None:
    """
    Read a sidecar; None when there is none.

    :raises ArtifactError: it cannot be read.
    """
    path = proof_path(artifact, engine)
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
        version = values.pop('proof_version')
        if version != PROOF_VERSION:
            raise ValueError(f'proof_version: got {version}, expected {PROOF_VERSION}')
        unknown = set(values) - {each.name for each in fields(Proof)}
        if unknown:
            raise ValueError(f'unknown keys {", ".join(sorted(unknown))}')
        return Proof(**values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(
            artifact,
            reason=f'its proof {path.name} cannot be read: {error}',
            remedy=f'delete {path} and verify the artifact again',
        ) from error


def write_proof(artifact: Path, proof: Proof) -> Path:
    """
    Write a sidecar, whole or not at all, and return its path.

    :raises OSError: the folder cannot be written.
    """
    path = proof_path(artifact, proof.engine)
    text = json.dumps({'proof_version': PROOF_VERSION, **asdict(proof)}, indent=2)
    return write_whole(path, text + '\n')


def file_sha256(path: Path) -> str:
    """
    Return the hex digest of a file.

    :raises ArtifactError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open('rb') as file:
            for block in iter(lambda: file.read(1 << 20), b''):
                digest.update(block)
    except OSError as error:
        raise ArtifactError(
            path,
            reason=f'cannot be read: {error.strerror}',
            remedy='check its permissions and the disk',
        ) from error
    return digest.hexdigest()
