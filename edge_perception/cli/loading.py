# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How node and commands are told to load an artifact, once it is proven."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
import os
from pathlib import Path
import shlex
from typing import Any

import click

from edge_perception.cli.assignments import assign
from edge_perception.cli.failures import note
from edge_perception.contract import ArtifactError
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import EngineType
from edge_perception.contract import MANIFEST_NAME
from edge_perception.contract import Options
from edge_perception.contract import parse_options
from edge_perception.core.artifacts import Artifact
from edge_perception.core.artifacts import ARTIFACTS_FOLDER
from edge_perception.core.artifacts import ArtifactWish
from edge_perception.core.artifacts import choose_artifact
from edge_perception.core.artifacts import GOLDEN_FOLDER
from edge_perception.core.artifacts import PRECISIONS
from edge_perception.core.engine_choice import describe_artifact
from edge_perception.core.models import draft_command
from edge_perception.core.models import find_model
from edge_perception.core.models import Model
from edge_perception.core.plugin_host import PluginHost
from edge_perception.core.proofs import file_sha256
from edge_perception.core.shelves import current_entries
from edge_perception.core.shelves import model_shelf


def say_how_to_load(
    host: PluginHost,
    model: Model,
    engine_type: EngineType,
    artifact: Path,
    precision: str,
    *,
    pictures: Sequence[str],
    assignments: Sequence[str] = (),
) -> None:
    """
    Print the command that runs a proven artifact, and the parameters that have the node load it.

    :param precision: in which the artifact was proven.
    :param pictures: what the command shall look at; none stands for the golden ones.
    :param assignments: options of the engine, with which it was proven.
    """
    try:
        model = find_model(str(model.place), describe=partial(describe_artifact, host))
    except EdgePerceptionError:
        note(
            f'before it can be loaded, {model.source.name} needs a {MANIFEST_NAME} in its folder; '
            f'let one be drafted: {draft_command(model.source)}'
        )
        return
    values = assign(assignments, engine_type.options_type)
    options = parse_options(engine_type.options_type, values, owner=f'engine {engine_type.name!r}')
    plain = _chosen(model, engine_type, options, ArtifactWish())
    wish = _wish(model, engine_type, options, artifact, precision)
    place, engine = os.path.abspath(model.place), engine_type.name
    words = ['edge-perception', 'run', place, *_pictures(model, pictures), '--engine', engine]
    for name, value in wish.items():
        words += [f'--{name}', value]
    for assignment in assignments:
        words += ['--option', assignment]
    click.echo(f'look at it: {shlex.join(words)}')
    parameters = ', '.join(f'{name}: {value}' for name, value in wish.items())
    without = f'; without it {plain.path.name} is loaded' if wish and plain else ''
    click.echo(f'parameters of the node: engine: {engine}, {parameters}'.rstrip(', ') + without)
    shelf = (model.folder / ARTIFACTS_FOLDER).absolute()
    if 'artifact' in wish and artifact.absolute().parent != shelf:
        click.echo(f'or copy it and its proof to {shelf}, where precision: {precision} finds it')


def _wish(
    model: Model, engine_type: EngineType, options: Options, artifact: Path, precision: str
) -> Mapping[str, str]:
    """Return the fewest parameters by which an artifact, or a copy of it, is loaded."""
    digest = file_sha256(artifact)
    wishes: list[dict[str, Any]] = [{}]
    if precision in PRECISIONS:
        wishes.append({'precision': precision})
    for wish in wishes:
        chosen = _chosen(model, engine_type, options, ArtifactWish(**wish))
        if chosen is not None and file_sha256(chosen.path) == digest:
            return wish
    return {'artifact': os.path.abspath(artifact)}


def _chosen(
    model: Model, engine_type: EngineType, options: Options, wish: ArtifactWish
) -> Artifact | None:
    with suppress(ArtifactError):
        shelves = current_entries(model_shelf(model))
        return choose_artifact(model, engine_type, options, wish=wish, shelves=shelves)
    return None


def _pictures(model: Model, named: Sequence[str]) -> list[str]:
    golden = model.folder / GOLDEN_FOLDER
    return list(named) or [str(golden.absolute()) if golden.is_dir() else 'SOURCE']
