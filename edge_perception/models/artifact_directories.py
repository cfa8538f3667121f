# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Where built artifacts lie: one folder for each model, one entry in it for each build.

::

    $XDG_CACHE_HOME/edge_perception/artifacts/
      <model>/                       digest of what decides what the model sees
        int8-onnxruntime.current     which entry is the last one that was built or asked for
        int8-onnxruntime-<key>/      an artifact, its proofs, and what its key was made of

An entry appears by being renamed, so it is there whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
import hashlib
import json
from pathlib import Path
from typing import Any

from edge_perception.contract.loading.artifact_files import read_regular
from edge_perception.contract.user_files import cache_folder
from edge_perception.models.finding import Model

CURRENT_SUFFIX = '.current'
ENTRY_FILE = 'entry.json'
DIGITS = 20  # of digests in names of folders
MOST_ENTRY_BYTES = 1 << 20
LONGEST_NAME = 255  # that files can have


def cache_root() -> Path:
    """Return the folder of all built artifacts; it may not exist yet."""
    return cache_folder() / 'artifacts'


def cache_directory(model: Model) -> Path:
    """
    Return the folder of the artifacts of one model; it may not exist yet.

    :raises ArtifactError: the model cannot be read.
    """
    return cache_root() / model.digest()[:DIGITS]


def cached_entries(model: Model) -> list[Path]:
    """
    Return the current entries of one model, by name.

    :raises ArtifactError: the model cannot be read.
    """
    return current_entries(cache_directory(model))


def current_entries(directory: Path) -> list[Path]:
    """Return the current entries, one for each target and precision, by name."""
    if not directory.is_dir():
        return []
    entries = []
    for pointer in sorted(directory.glob(f'*{CURRENT_SUFFIX}')):
        name = current_name(pointer)
        entry = directory / name
        if name and entry.parent == directory and entry.is_dir():
            entries.append(entry)
    return entries


def current_name(pointer: Path) -> str:
    """Return the name of the entry that a file names; empty where it names none."""
    try:
        name = read_regular(pointer, most_bytes=LONGEST_NAME + 1).decode('utf-8').strip()
    except (OSError, ValueError):  # none yet, pruned meanwhile, or damaged
        return ''
    return '' if '\0' in name or name in ('.', '..') else name


def build_command(entry: Path) -> str:
    """Return the command that made an entry; empty where it does not say."""
    try:
        values = json.loads(read_regular(entry / ENTRY_FILE, most_bytes=MOST_ENTRY_BYTES))
        return str(values.get('command', ''))
    except (OSError, ValueError, AttributeError, RecursionError):  # pruned meanwhile, or damaged
        return ''


def key_of(values: Mapping[str, Any]) -> str:
    """Return a short digest of values that JSON can hold."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
