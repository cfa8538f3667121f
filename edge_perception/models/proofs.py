# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The sidecar of an artifact: proof that on one engine it gives what the reference gives.

It lies beside the artifact, as ``<file>.<engine>.proof.json``, because the same file may be right
on one engine and wrong on another (an ONNX in symmetric INT8 is). It does not hold any more when a
byte of the artifact changes, or what decides what the model sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from dataclasses import MISSING
import json
from pathlib import Path
from typing import Any

from edge_perception.contract import ArtifactError
from edge_perception.contract.errors import in_words
from edge_perception.contract.fields import Fields
from edge_perception.contract.fields import shown
from edge_perception.contract.loading.artifact_files import PROOF_SUFFIX
from edge_perception.contract.loading.artifact_files import read_regular
from edge_perception.contract.user_files import write_whole

PROOF_VERSION = 2
MOST_PROOF_BYTES = 1 << 20
# Of fields whose values are mappings: of what.
_MAPPED = {'figures': object, 'versions': str, 'options': object}


@dataclass(frozen=True, slots=True)
class Proof:
    """
    What was compared with what, and how it ended.

    :param artifact_sha256: hex digest of the artifact, with the files that are loaded with it.
    :param model_digest: of the model that it was compared with, see ``ModelDigest``.
    :param engine: on which the artifact was run.
    :param precision: of the artifact: fp32, fp16 or int8, or bf16 where only the engine has it.
    :param device: ``any``, or the ``device_key`` of the engine.
    :param reference: what it was compared with, in words.
    :param passed: False marks an artifact that its maker kept although it is wrong.
    :param figures: what was measured.
    :param versions: of the libraries that took part.
    :param made: date and time, ISO 8601, UTC.
    :param computed: what ``Engine.precision`` said while they were compared, or where it said
        nothing ``EngineType.precision``; sidecars without it are of engines in float32.
    :param machine: on which they were compared, in words; empty where the sidecar does not say.
    :param native_float16: whether its processor computed float16 as such.
    :param options: of the engine, by name, those that were given.
    """

    artifact_sha256: str
    model_digest: str
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
    options: Mapping[str, Any] = field(default_factory=dict)


def proof_path(artifact: Path, engine: str) -> Path:
    """Return where the sidecar of an artifact lies."""
    return artifact.with_name(f'{artifact.name}.{engine}{PROOF_SUFFIX}')


def read_proof(artifact: Path, engine: str) -> Proof | None:
    """
    Read a sidecar; None when there is none.

    :raises ArtifactError: it cannot be read.
    """
    path = proof_path(artifact, engine)
    try:
        values = json.loads(read_regular(path, most_bytes=MOST_PROOF_BYTES))
        return _checked(values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or in_words(error)
        raise ArtifactError(
            artifact,
            reason=f'its proof {path.name} cannot be read: {reason}',
            remedy=f'delete {path} and verify the artifact again',
        ) from error


def _checked(values: object) -> Proof:
    """
    Return the proof that JSON holds.

    :raises ValueError: a key is unknown, missing or has a value of another type.
    """
    problems: list[str] = []
    read = Fields(values, problems=problems)
    if (version := read.raw('proof_version')) != PROOF_VERSION or isinstance(version, bool):
        raise ValueError(f'proof_version: got {shown(version)}, expected {PROOF_VERSION}')
    known: dict[str, Any] = {}
    for each in fields(Proof):
        if each.name in _MAPPED:
            known[each.name] = read.mapping(each.name, of=_MAPPED[each.name])
        elif each.type == 'bool':
            known[each.name] = read.switch(each.name, None if each.default is MISSING else False)
        elif each.default is MISSING:
            known[each.name] = read.text(each.name)
        else:
            empty = read.raw(each.name) == ''
            known[each.name] = '' if empty else read.text(each.name, str(each.default))
    read.finish()
    if problems:
        raise ValueError('; '.join(problems))
    return Proof(**known)


def write_proof(artifact: Path, proof: Proof) -> Path:
    """
    Write a sidecar, whole or not at all, and return its path.

    :raises OSError: the folder cannot be written.
    """
    path = proof_path(artifact, proof.engine)
    text = json.dumps({'proof_version': PROOF_VERSION, **asdict(proof)}, indent=2)
    return write_whole(path, text + '\n')
