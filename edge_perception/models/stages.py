# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Makes the stages that a model gets, and puts them in order."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from edge_perception.contract import Decoder
from edge_perception.contract import ManifestError
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_options
from edge_perception.contract import Stage
from edge_perception.models.plugin_checks import mistakes_of


def make_stage(
    kind: type[Stage], manifest: ModelManifest, values: Mapping[str, Any]
) -> Stage | None:
    """
    Return a stage for a model; None where it does not apply.

    :param values: its options, as the user gave them.
    :raises EdgePerceptionError: options or model do not allow it, or its author erred.
    """
    owner = f'stage {kind.name!r}'
    options = parse_options(kind.options_type, values, owner=owner)
    with mistakes_of(owner, failed='cannot be made'):
        return kind(manifest, options=options) if kind.applies(manifest, options) else None


def in_order(stages: Iterable[Stage], *, decoder: Decoder, model: str) -> tuple[Stage, ...]:
    """
    Return stages so that each comes when what it needs is filled; else by name.

    One that only reads comes after all that fill again what it reads, as ``pose`` does with
    detections.

    :param model: for messages.
    :raises ManifestError: what one needs is never filled; it would see nothing for ever.
    """
    waiting, ordered = sorted(stages, key=lambda stage: stage.name), list[Stage]()
    filled = decoder.tasks
    while waiting:
        ready = [each for each in waiting if each.needs <= filled]
        final = [each for each in ready if not _changed_by(each.needs - each.tasks, waiting)]
        stage = next(iter(final or ready), None)
        if stage is None:
            first = waiting[0]
            given, missing = (', '.join(sorted(names)) for names in (filled, first.needs - filled))
            raise ManifestError(
                model,
                [
                    f'decoder.name: {decoder.name!r} gives {given}, but the stage {first.name!r} '
                    f'needs {missing}; choose a decoder that gives them, or leave out what asks '
                    'for the stage (object_points for pose, depth_topic for depth, '
                    'enabled for tracking)'
                ],
            )
        waiting.remove(stage)
        ordered.append(stage)
        filled |= stage.tasks
    return tuple(ordered)


def _changed_by(needs: frozenset[str], stages: Iterable[Stage]) -> bool:
    return any(needs & stage.tasks for stage in stages)
