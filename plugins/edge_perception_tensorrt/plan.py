# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Read plan files without TensorRT, which may crash on unknown ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import json
from pathlib import Path

from edge_perception.contract import ArtifactError
from edge_perception.contract import read_artifact
from edge_perception_tensorrt.library import version_numbers

# As NVIDIA's samples/common/sampleEngines.cpp reads it: four letters, four zero bytes, and from
# byte 24 on major, minor, patch and build of the TensorRT that made the plan (8.6 and later).
MAGIC = b'ftrt'
VERSION_AT = 24
HEADER_SIZE = 28
# Ultralytics writes the length of a JSON string as four bytes, the string, and then the plan.
LENGTH_SIZE = 4
LONGEST_METADATA = 1 << 24
BUILD_AGAIN = 'build it again on this machine from its ONNX'
COPY_AGAIN = 'copy the file again, or build it again from its ONNX'


@dataclass(frozen=True, slots=True)
class PlanFile:
    """
    A file whose head is that of a plan.

    :param offset: where the plan begins.
    :param version: of the TensorRT that made it, e.g. ``10.3.0.26``; empty where it does not say.
    :param metadata: of the exporter.
    """

    content: bytes
    offset: int
    version: str
    metadata: Mapping[str, str]

    @property
    def plan(self) -> memoryview:
        """The plan itself."""
        return memoryview(self.content)[self.offset :]


def read_plan(artifact: Path) -> PlanFile:
    """
    Read a file and refuse what is not a plan.

    :raises ArtifactError: it is missing, unreadable, empty, or not a plan.
    """
    content = read_artifact(artifact, again=COPY_AGAIN)
    offset, metadata = _prefix(content)
    header = content[offset : offset + HEADER_SIZE]
    if not header.startswith(MAGIC):
        raise ArtifactError(artifact, reason='is not a TensorRT plan', remedy=BUILD_AGAIN)
    if len(header) < HEADER_SIZE:
        raise ArtifactError(artifact, reason='ends within its header', remedy=COPY_AGAIN)
    said = header[4:8] == bytes(4)
    version = '.'.join(map(str, header[VERSION_AT:])) if said else ''
    return PlanFile(content, offset, version, metadata)


def check_version(artifact: Path, plan: PlanFile, installed: str) -> None:
    """
    Refuse a plan of another TensorRT, before TensorRT reads it.

    :param installed: version of TensorRT here.
    :raises ArtifactError: names both versions.
    """
    if plan.version and version_numbers(plan.version) != version_numbers(installed):
        raise ArtifactError(
            artifact,
            reason=f'was built by TensorRT {plan.version}, and this is TensorRT {installed}',
            remedy=BUILD_AGAIN,
        )


def _prefix(content: bytes) -> tuple[int, Mapping[str, str]]:
    """Return where the plan begins, and the metadata before it."""
    length = int.from_bytes(content[:LENGTH_SIZE], 'little')
    end = LENGTH_SIZE + length
    if content.startswith(MAGIC) or length > min(len(content), LONGEST_METADATA):
        return 0, {}
    try:
        metadata = json.loads(content[LENGTH_SIZE:end].decode('utf-8'))
    except ValueError:
        return 0, {}
    if not isinstance(metadata, dict):
        return 0, {}
    return end, {str(key): _as_text(value) for key, value in metadata.items()}


def _as_text(value: object) -> str:
    """Return a value as Ultralytics writes it into ONNX files: its ``str``."""
    if isinstance(value, dict):
        # JSON has no numbers as keys, so the index of a class has become a string.
        value = {int(key) if key.isdecimal() else key: each for key, each in value.items()}
    return str(value)
