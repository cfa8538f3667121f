# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
What a bare model file does not say, taken from the habits of its family.

For the offline tools only, where a person reads what was assumed and looks at the images; the
node wants a manifest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_perception.contract import ModelManifest
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
    manifest = draft.completed(folder=source.parent, subject=str(source))
    if manifest is None or not draft.habits:
        return None
    listed = ', '.join(f'{key} {value}' for key, value in draft.assumed.items())
    said = (
        f'{source.name} has no manifest; as its outputs look like those of '
        f'{manifest.decoder!r}, assumed: {listed}'
    )
    return Assumed(manifest, said)
