# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a user asked for, and which objects that selects of a model."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_perception.contract import ConfigurationError
from edge_perception.contract import LabelMap
from edge_perception.contract import OptionError
from edge_perception.contract import Selection
from edge_perception.contract.fields import did_you_mean
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.finding import Model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.signing.signature_policy import SignaturePolicy
from edge_perception.supervision.supervised_engine import SupervisedEngineType
from edge_perception.supervision.supervisor import SUPERVISED
from edge_perception.supervision.supervisor import Supervision


@dataclass(frozen=True, slots=True)
class Request:
    """
    What a user asked for, unchecked.

    :param model: path or name.
    :param engine: name of the engine, or ``auto`` for the best that can load the model.
    :param engine_options: by engine, then by name; checked against the engine's own list.
    :param stage_options: the same for stages.
    :param artifact: which file the engine shall load.
    :param rotation: how far the camera is turned: 0, 90, 180 or 270 degrees clockwise.
    :param score_threshold: this and the following: None stands for what the model recommends.
    :param signatures: what is asked of the model's folder.
    :param supervision: whether the engine runs in a process of its own.
    :param classes: names or indices of the only classes to report; empty stands for all.
    """

    model: str
    engine: str
    engine_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    stage_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    artifact: ArtifactRequest = field(default_factory=ArtifactRequest)
    rotation: int = 0
    score_threshold: float | None = None
    iou_threshold: float | None = None
    max_detections: int | None = None
    classes: tuple[str, ...] = ()
    signatures: SignaturePolicy = field(default_factory=SignaturePolicy)
    supervision: Supervision = field(default_factory=Supervision)


def option_parameter(kind: str, owner: str, option: str) -> str:
    """Return the name of the parameter of the node that sets an option, say of an engine."""
    return f'{kind}_options.{owner}.{option}'


def engines_in_processes(host: PluginHost, request: Request) -> PluginHost:
    """
    Return a host whose engines run where they are asked to: in this process, or in their own.

    :raises OptionError: an interpreter is named for no process.
    """
    wanted = request.supervision
    if wanted.process != SUPERVISED:
        if wanted.python:
            raise OptionError(
                f'engine_python: got {wanted.python}, which is of no use in this process; set '
                f'engine_process to {SUPERVISED}'
            )
        return host
    supervised = copy(host)
    supervised.engines = {
        name: SupervisedEngineType(each, wanted) for name, each in host.engines.items()
    }
    return supervised


def inside_copy(model: Model, request: Request) -> ArtifactRequest:
    """
    Return which artifact is asked for, as the file in the private copy of a signed folder.

    :raises SignatureError: it lies elsewhere, where nobody signed it, and that is required.
    """
    asked = request.artifact
    if not asked.path or model.admitted is None or model.admitted.signed is None:
        return asked
    path, folder = Path(asked.path).expanduser().absolute(), model.place.absolute()
    if path.is_relative_to(folder):
        return replace(asked, path=str(model.folder / path.relative_to(folder)))
    request.signatures.refuse(path, 'lies outside of the signed folder of the model')
    return asked


def make_selection(request: Request, model: Model) -> Selection:
    """
    Return what the manifest recommends, overridden by what the user asks for.

    :raises ConfigurationError: a value is out of its range, or a class is unknown.
    """
    labels, classes = model.manifest.labels, request.classes
    asked = {
        'score_threshold': request.score_threshold,
        'iou_threshold': request.iou_threshold,
        'max_detections': request.max_detections,
        'class_ids': _class_ids(labels, classes) if classes else None,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    for name in ('score_threshold', 'iou_threshold'):
        share = getattr(request, name)
        if share is not None and not 0 <= share <= 1:
            raise ConfigurationError(name, [f'got {share}, expected a number from 0 to 1'])
    return replace(model.manifest.selection, **given)  # type: ignore[arg-type]


def _class_ids(labels: LabelMap, classes: tuple[str, ...]) -> frozenset[int]:
    indices = {name: labels.index(name) for name in classes}
    beyond = len(labels) or float('inf')
    unknown = [name for name, index in indices.items() if index is None or index >= beyond]
    if unknown:
        raise ConfigurationError(
            'classes',
            [
                f'got {name!r}, which the model does not know{did_you_mean(name, labels.names)}'
                for name in unknown
            ],
        )
    return frozenset(index for index in indices.values() if index is not None)
