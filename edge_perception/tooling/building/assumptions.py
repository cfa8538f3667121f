# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
What a bare model file does not say, taken from the habits of its family.

For the offline tools only, where a person reads what was assumed and looks at the pictures; the
node wants a manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_perception.contract import ManifestError
from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_manifest
from edge_perception.models.drafting import draft_manifest
from edge_perception.models.drafting import UNANSWERED

# As the training code of each family feeds its networks.
HABITS: Mapping[str, Mapping[str, Any]] = {
    'yolox': {
        'color': 'bgr',
        'scale': 1.0,
        'mean': 0.0,
        'std': 1.0,
        'resize': 'letterbox_top_left',
        'fill': 114,
    },
    'yolo': {
        'color': 'rgb',
        'scale': 1 / 255,
        'mean': 0.0,
        'std': 1.0,
        'resize': 'letterbox_center',
        'fill': 114,
    },
    'nanodet': {
        'color': 'bgr',
        'scale': 1.0,
        'mean': [103.53, 116.28, 123.675],
        'std': [57.375, 57.12, 58.395],
        'resize': 'letterbox_center',
        'fill': 0,
    },
    'yunet': {
        'color': 'bgr',
        'scale': 1.0,
        'mean': 0.0,
        'std': 1.0,
        'resize': 'letterbox_top_left',
        'fill': 0,
    },
}


@dataclass(frozen=True, slots=True)
class Assumed:
    """
    A manifest that nobody wrote.

    :param said: what was assumed, one sentence.
    """

    manifest: ModelManifest
    said: str


def assume(description: ModelDescription, *, source: Path) -> Assumed | None:
    """Return the manifest that a file most probably needs; None where no habit helps."""
    draft = draft_manifest(description, source=source.name)
    habits = HABITS.get(draft.values['decoder']['name'])
    if habits is None:
        return None
    recipe = draft.values['input']
    taken = {key: value for key, value in habits.items() if recipe.get(key) in (UNANSWERED, None)}
    recipe.update(taken)
    # A converter may have given the only input of an artifact another name.
    recipe.pop('name', None)
    try:
        manifest = parse_manifest(draft.values, folder=source.parent, subject=str(source))
    except ManifestError:
        return None  # e.g. the size of the input is open
    listed = ', '.join(f'{key} {value}' for key, value in taken.items())
    said = (
        f'{source.name} has no manifest; as its outputs look like those of '
        f'{manifest.decoder!r}, assumed: {listed}'
    )
    return Assumed(manifest, said)
