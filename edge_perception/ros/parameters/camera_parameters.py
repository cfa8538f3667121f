# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The parameters of each camera, where one node serves several: ``<name>.<parameter>``."""

from __future__ import annotations

from collections.abc import Container
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import replace
import re
from typing import Any

from edge_perception.ros.parameters.declaration import parameter_specs
from edge_perception.ros.parameters.declaration import ParameterSpec
from edge_perception.ros.parameters.node_parameters import NodeConfig

# A camera is a part of the names of parameters and of topics.
NAME = re.compile('[A-Za-z][A-Za-z0-9_]*')
PER_CAMERA = tuple(spec for spec in parameter_specs(NodeConfig) if spec.per_camera)


def camera_specs(names: Iterable[str]) -> dict[str, ParameterSpec]:
    """Return the parameters of cameras by their full names."""
    specs = (spec.of_camera(name) for name in names for spec in PER_CAMERA)
    return {spec.name: spec for spec in specs}


def config_of_camera(name: str, config: NodeConfig, given: Mapping[str, Any]) -> NodeConfig:
    """
    Return the configuration with what is said for a camera in place of what the node says.

    :param given: values of the parameters of the camera by their full names.
    """
    own: dict[str, Any] = {}
    for spec in PER_CAMERA:
        value = given[f'{name}.{spec.name}']
        if value != spec.of_camera(name).default:
            own[spec.name] = value
        elif spec.camera_default is not None:
            own[spec.name] = spec.camera_default.format(camera=name)
    return replace(config, **own)


def usable(names: Iterable[str], taken: Container[str]) -> list[str]:
    """Return the names that a camera can have, each once."""
    return [name for name in dict.fromkeys(names) if NAME.fullmatch(name) and name not in taken]


def not_among_cameras(name: str) -> str:
    """Return why a parameter that no camera has is not used; empty if it is of no camera."""
    camera, _, field = name.partition('.')
    ours = field in (spec.name for spec in PER_CAMERA) and NAME.fullmatch(camera)
    return f'{camera!r} is not in cameras' if ours else ''


def camera_problems(config: NodeConfig, taken: Container[str]) -> list[str]:
    """
    Return what is wrong with the names of several cameras, and what has no effect with them.

    :param taken: beginnings of the names of other parameters.
    """
    names = config.cameras
    good = usable(names, taken)
    problems = [
        f'cameras: got {name!r}, expected letters, digits and _, beginning with a letter, and '
        'not the name of a parameter'
        for name in dict.fromkeys(names)
        if name not in good
    ]
    if len(set(names)) < len(names):
        problems.append(f'cameras: got {", ".join(names)}, expected each name once')
    return problems + [
        f'{spec.name}: has no effect with cameras, set <name>.{spec.name} instead'
        for spec in PER_CAMERA
        if names and spec.camera_default is not None
        if getattr(config, spec.name) != spec.default
    ]
