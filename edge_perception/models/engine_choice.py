# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Which engine is meant, and which of them can read a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_perception.contract import ArtifactError
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import EngineType
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import ModelDescription
from edge_perception.contract.fields import did_you_mean
from edge_perception.models.plugin_checks import mistakes_of
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.plugin_host import probe

AUTO = 'auto'


def engines_for(host: PluginHost, name: str) -> Sequence[EngineType]:
    """
    Return the engine types to try, in this order: one, or all for ``auto``.

    :raises EngineUnavailableError: nobody offers it, or it cannot work on this machine.
    """
    if name != AUTO:
        return [choose_engine(host, name)]
    return sorted(host.engines.values(), key=_preference)


def choose_engine(host: PluginHost, name: str) -> EngineType:
    """
    Return the engine type that a user named; never silently another one.

    :raises EngineUnavailableError: nobody offers it, or it cannot work on this machine.
    """
    engine_type = host.engines.get(name)
    if engine_type is None:
        broken = [entry for entry in host.plugins if entry.name == name and not entry.usable]
        if broken:
            raise EngineUnavailableError(name, reason=broken[0].reason, remedy=broken[0].remedy)
        hint = did_you_mean(name, host.engines).lstrip(', ')
        known = ', '.join(sorted(host.engines)) or 'none'
        raise EngineUnavailableError(
            name, reason=f'no plugin offers it, installed engines: {known}', remedy=hint
        )
    availability = probe(engine_type)
    if not availability.available:
        raise EngineUnavailableError(name, reason=availability.reason, remedy=availability.remedy)
    return engine_type


def describe_artifact(host: PluginHost, path: Path) -> ModelDescription:
    """
    Read what a model file says of itself, by the first engine that can.

    :raises EdgePerceptionError: what the first engine said that could not.
    :raises ArtifactError: no engine here reads such files.
    """
    readers = [each for each in host.engines.values() if path.suffix in each.artifact_suffixes]
    # Those first that read the metadata of the training tool.
    readers.sort(key=lambda each: (not each.capabilities.metadata, *_preference(each)))
    problems: list[EdgePerceptionError] = []
    for engine_type in readers:
        if probe(engine_type).available:
            try:
                with mistakes_of(f'engine {engine_type.name!r}'):
                    return engine_type.describe(path)
            except EdgePerceptionError as error:
                problems.append(error)
    if problems:
        raise problems[0]
    names = ', '.join(each.name for each in readers)
    raise ArtifactError(
        path,
        reason=f'no engine that works here reads {path.suffix or "such"} files',
        remedy=f'install what {names} needs' if names else 'give an ONNX file or a model folder',
    )


def _preference(engine_type: EngineType) -> tuple[int, str]:
    return engine_type.auto_rank, engine_type.name
