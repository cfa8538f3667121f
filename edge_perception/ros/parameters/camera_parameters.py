# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The parameters of each camera, where one node serves several: ``<name>.<parameter>``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import replace
import re

from edge_perception.contract import option
from edge_perception.contract import option_specs
from edge_perception.contract import Options
from edge_perception.contract import OptionSpec
from edge_perception.ros.parameters.node_parameters import MOST_MS

# As the parameter of the node with the same name says.
AS_THE_NODE = -1
# A camera is a part of the names of parameters and of topics.
NAME = re.compile('[A-Za-z][A-Za-z0-9_]*')
# Parameters of the node begin with these.
TAKEN = ('engine', 'qos_overrides', 'debug')


@dataclass(frozen=True, slots=True)
class CameraOptions(Options):
    """Values of the parameters of one of several cameras, as they are given."""

    image_topic: str = option('', 'topic of this camera; empty: <name>/image_raw')
    camera_info_topic: str = option(
        '', 'topic of its CameraInfo, for poses; empty: camera_info beside its image topic'
    )
    latency_budget_ms: float = option(
        AS_THE_NODE * 1.0,
        'how old its results may be, ms; 0: any age; -1: latency_budget_ms of the node',
        minimum=-1.0,
        maximum=MOST_MS,
    )
    frame_id: str = option('', 'frame_id of its results; empty: frame_id of the node')
    rotate: int = option(
        AS_THE_NODE,
        'how far it is turned clockwise, degrees; -1: rotate of the node',
        choices=(-1, 0, 90, 180, 270),
    )
    max_rate: float = option(
        AS_THE_NODE * 1.0,
        'its frames processed in a second at most, Hz; 0: as many as possible; -1: max_rate of '
        'the node',
        minimum=-1.0,
    )


@dataclass(frozen=True, slots=True)
class CameraConfig:
    """
    What counts for one camera.

    :param name: part of the names of its topics; empty where it is the only one.
    """

    name: str
    image_topic: str
    camera_info_topic: str
    latency_budget_ms: float
    frame_id: str
    rotate: int
    max_rate: float


def camera_specs(names: Iterable[str]) -> dict[str, OptionSpec]:
    """Return the parameters of cameras by their full names."""
    return {
        f'{name}.{spec.name}': replace(spec, name=f'{name}.{spec.name}')
        for name in names
        for spec in option_specs(CameraOptions)
    }


def usable(names: Iterable[str]) -> list[str]:
    """Return the names that a camera can have, each once."""
    return [name for name in dict.fromkeys(names) if NAME.fullmatch(name) and name not in TAKEN]


def not_among_cameras(name: str) -> str:
    """Return why a parameter that no camera has is not used; empty if it is of no camera."""
    camera, _, field = name.partition('.')
    fields = [spec.name for spec in option_specs(CameraOptions)]
    return f'{camera!r} is not in cameras' if field in fields and usable([camera]) else ''


def name_problems(names: tuple[str, ...]) -> list[str]:
    """Return what is wrong with the names of the cameras."""
    good = usable(names)
    problems = [
        f'cameras: got {name!r}, expected letters, digits and _, beginning with a letter, and '
        f'none of {", ".join(TAKEN)}'
        for name in dict.fromkeys(names)
        if name not in good
    ]
    if len(set(names)) < len(names):
        problems.append(f'cameras: got {", ".join(names)}, expected each name once')
    return problems
