# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
What a bare model file does not say, taken from the habits of its family.

For the offline tools only, where a person reads what was assumed and looks at the pictures; the
node wants a manifest.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from edge_perception.contract import ManifestError
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_manifest
from edge_perception.contract import UNANSWERED
from edge_perception.models.drafting import Draft


@dataclass(frozen=True, slots=True)
class Assumed:
    """
    A manifest that nobody wrote.

    :param said: what was assumed, one sentence.
    """

    manifest: ModelManifest
    said: str


def assume(draft: Draft, *, source: Path) -> Assumed | None:
    """Return the manifest that a file most probably needs; None where no habit helps."""
    if not draft.habits:
        return None
    values = deepcopy(draft.values)
    recipe, options = values['input'], values['decoder'].get('options', {})
    taken = {
        key: value for key, value in draft.habits.items() if recipe.get(key) in (UNANSWERED, None)
    }
    recipe.update(taken)
    # Stretched images have no fill, and open options their defaults.
    for part in (recipe, options):
        for key in [key for key, value in part.items() if value == UNANSWERED]:
            del part[key]
    # A converter may have given the only input of an artifact another name.
    recipe.pop('name', None)
    try:
        manifest = parse_manifest(values, folder=source.parent, subject=str(source))
    except ManifestError:
        return None  # e.g. the size of the input is open
    listed = ', '.join(f'{key} {value}' for key, value in taken.items())
    said = (
        f'{source.name} has no manifest; as its outputs look like those of '
        f'{manifest.decoder!r}, assumed: {listed}'
    )
    return Assumed(manifest, said)
