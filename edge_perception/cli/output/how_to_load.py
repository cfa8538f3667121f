# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How node and commands are told to load an artifact, once it is proven."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain
import json
import os
from pathlib import Path
import shlex

from edge_perception.contract import ArtifactError
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import EngineType
from edge_perception.contract import MANIFEST_NAME
from edge_perception.contract import Options
from edge_perception.contract import parse_options
from edge_perception.models.artifact_directories import cached_entries
from edge_perception.models.artifacts import Artifact
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.artifacts import ARTIFACTS_FOLDER
from edge_perception.models.artifacts import choose_artifact
from edge_perception.models.artifacts import GOLDEN_FOLDER
from edge_perception.models.artifacts import PRECISIONS
from edge_perception.models.digests import artifact_sha256
from edge_perception.models.drafting import draft_file
from edge_perception.models.finding import draft_command
from edge_perception.models.finding import find_model
from edge_perception.models.finding import Model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import option_parameter
from edge_perception.tooling.assignments import assignment
from edge_perception.tooling.notes import note
from edge_perception.tooling.notes import tell
from edge_perception.tooling.variants import Variant


def say_how_to_load(
    host: PluginHost, variant: Variant, *, images: Sequence[str], manifest: Path | None
) -> None:
    """
    Print the command that runs a proven artifact, and the parameters that have the node load it.

    :param images: what the command shall look at; none stands for the golden ones.
    :param manifest: of a bare file, where it was named.
    """
    model = _as_the_node_finds_it(host, variant.model, manifest)
    if model is None:
        note(_lacking(variant.model, manifest))
        return
    variant = replace(variant, model=model)
    engine_type, options = host.engines[variant.engine], variant.options
    owner = f'engine {variant.engine!r}'
    parsed = parse_options(engine_type.options_type, options, owner=owner)
    plain = _chosen(model, engine_type, parsed, ArtifactRequest())
    named = _fewest_parameters(variant, engine_type, parsed)
    flags = [('--engine', variant.engine), *((f'--{name}', each) for name, each in named.items())]
    flags += [('--option', assignment(name, value)) for name, value in options.items()]
    words = ['edge-perception', 'run', os.path.abspath(model.place), *_images(model, images)]
    tell(f'look at it: {shlex.join([*words, *chain.from_iterable(flags)])}')
    without = f'; without it {plain.path.name} is loaded' if named and plain else ''
    tell(f'parameters of the node: {_parameters(variant, named)}{without}')
    folder = (model.folder / ARTIFACTS_FOLDER).absolute()
    if 'artifact' in named and variant.path.absolute().parent != folder:
        where = f'where precision: {variant.precision} finds it'
        tell(f'or copy it and its proof to {folder}, {where}')


def _as_the_node_finds_it(host: PluginHost, model: Model, manifest: Path | None) -> Model | None:
    """Return the model by the manifest of its proof; None where that manifest lies elsewhere."""
    with suppress(EdgePerceptionError):
        place = str(manifest or model.place)
        found = find_model(place, draft=partial(draft_file, host))
        return found if found.source.samefile(model.source) else None
    return None


def _lacking(model: Model, manifest: Path | None) -> str:
    name = model.source.name
    remedy = f'let one be drafted: {draft_command(model.source)}'
    if manifest is not None:
        copy = shlex.join(['cp', str(manifest), str(model.source.with_name(MANIFEST_NAME))])
        remedy = f'copy yours, with source.file {name}, and the labels that it names: {copy}'
    return f'before it can be loaded, {name} needs a {MANIFEST_NAME} in its folder; {remedy}'


def _parameters(variant: Variant, named: Mapping[str, str]) -> str:
    options = {
        option_parameter('engine', variant.engine, name): value
        if isinstance(value, str)
        else json.dumps(value)
        for name, value in variant.options.items()
    }
    parameters = {'engine': variant.engine, **options, **named}
    return ', '.join(f'{name}: {value}' for name, value in parameters.items())


def _fewest_parameters(
    variant: Variant, engine_type: EngineType, options: Options
) -> Mapping[str, str]:
    """Return the fewest parameters by which an artifact, or a copy of it, is loaded."""
    digest, precision = artifact_sha256(variant.path), variant.precision
    for each in dict.fromkeys(('', precision if precision in PRECISIONS else '')):
        request = ArtifactRequest(precision=each)
        chosen = _chosen(variant.model, engine_type, options, request)
        if chosen is not None and artifact_sha256(chosen.path) == digest:
            return {'precision': each} if each else {}
    return {'artifact': os.path.abspath(variant.path)}


def _chosen(
    model: Model, engine_type: EngineType, options: Options, request: ArtifactRequest
) -> Artifact | None:
    with suppress(ArtifactError):
        cached = cached_entries(model)
        return choose_artifact(model, engine_type, options, request=request, cached=cached)
    return None


def _images(model: Model, named: Sequence[str]) -> list[str]:
    golden = model.folder / GOLDEN_FOLDER
    return list(named) or [str(golden.absolute()) if golden.is_dir() else 'SOURCE']
