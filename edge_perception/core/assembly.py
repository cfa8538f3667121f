# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Puts model, engine, decoder and preprocessing together: the one way for node and commands."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from functools import partial
from pathlib import Path
import time
from typing import Any

from edge_perception.contract import ArtifactError
from edge_perception.contract import check_input
from edge_perception.contract import CombinedError
from edge_perception.contract import ConfigurationError
from edge_perception.contract import Decoder
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import EngineType
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import LabelMap
from edge_perception.contract import ManifestError
from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelManifest
from edge_perception.contract import OptionError
from edge_perception.contract import Options
from edge_perception.contract import parse_options
from edge_perception.contract import PluginError
from edge_perception.contract import Selection
from edge_perception.contract.fields import did_you_mean
from edge_perception.core.budget import Clock
from edge_perception.core.models import find_model
from edge_perception.core.models import Model
from edge_perception.core.pipeline import Pipeline
from edge_perception.core.pipeline import Stage
from edge_perception.core.plugin_checks import named
from edge_perception.core.plugin_host import PluginHost
from edge_perception.core.plugin_host import probe
from edge_perception.core.preprocessing import Preprocessor
from edge_perception.core.preprocessing import ROTATIONS

MakeStages = Callable[[ModelManifest], Sequence[Stage]]


def no_stages(manifest: ModelManifest) -> Sequence[Stage]:
    """Return nothing: what the decoder says is all."""
    return ()


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

    :raises ArtifactError: no engine here reads such files, or the file is damaged.
    """
    readers = [host.engines[name] for name in sorted(host.engines)]
    readers = [each for each in readers if path.suffix in each.artifact_suffixes]
    for engine_type in readers:
        if probe(engine_type).available:
            with _mistakes_of(f'engine {engine_type.name!r}'):
                return engine_type.describe(path)
    names = ', '.join(each.name for each in readers)
    raise ArtifactError(
        path,
        reason=f'no engine that works here reads {path.suffix or "such"} files',
        remedy=f'install what {names} needs' if names else 'give an ONNX file or a model folder',
    )


@dataclass(frozen=True, slots=True)
class Request:
    """
    What a user asked for, unchecked.

    :param model: path or name.
    :param engine: name of the engine.
    :param engine_options: values by name; checked against the engine's own list.
    :param rotation: how far the camera is turned: 0, 90, 180 or 270 degrees clockwise.
    :param score_threshold: this and the following: None stands for what the model recommends.
    :param classes: names or indices of the only classes to report; empty stands for all.
    """

    model: str
    engine: str
    engine_options: Mapping[str, Any] = field(default_factory=dict)
    rotation: int = 0
    score_threshold: float | None = None
    iou_threshold: float | None = None
    max_detections: int | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assembled:
    """
    A model that is ready to run; whoever gets it deactivates ``pipeline.engine`` in the end.

    :param selection: the wishes of the user over what the model recommends.
    """

    model: Model
    pipeline: Pipeline
    selection: Selection

    def label_warning(self) -> str:
        """Return what is wrong with the number of labels, in words; empty when nothing is."""
        classes, names = self.pipeline.decoder.class_count, len(self.model.manifest.labels)
        if classes is None or classes == names:
            return ''
        return (
            f'the model names {names} classes, its network has {classes}; complete labels in the '
            'manifest, a class without a name is reported as its index'
        )


@dataclass(frozen=True, slots=True)
class _Parts:
    engine_type: EngineType
    engine_options: Options
    decoder_type: type[Decoder]
    decoder_options: Options


def assemble(
    host: PluginHost,
    request: Request,
    *,
    found: Sequence[EdgePerceptionError] = (),
    make_stages: MakeStages = no_stages,
    clock: Clock = time.monotonic_ns,
) -> Assembled:
    """
    Load a model into an engine and warm it up. May take seconds.

    Everything that can be checked without loading is checked first, so that all mistakes are said
    at once.

    :param found: errors that the caller found before; they are raised together with ours.
    :param make_stages: makes what comes after the decoder of a model.
    :raises CombinedError: several things are wrong.
    :raises EdgePerceptionError: one thing is wrong.
    """
    errors = list(found)
    model = parts = selection = stages = None
    with collect(errors):
        model = find_model(request.model, describe=partial(describe_artifact, host))
    with collect(errors):
        _check_rotation(request.rotation)
    with collect(errors):
        parts = _choose_parts(host, request, model)
    with collect(errors):
        selection = _make_selection(request, model) if model else None
    with collect(errors):
        stages = make_stages(model.manifest) if model else None
    if errors:
        raise errors[0] if len(errors) == 1 else CombinedError(errors)
    assert model is not None and parts is not None and selection is not None
    assert stages is not None
    pipeline = _load(parts, model, rotation=request.rotation, stages=stages, clock=clock)
    return Assembled(model=model, pipeline=pipeline, selection=selection)


@contextmanager
def collect(errors: list[EdgePerceptionError]) -> Iterator[None]:
    """Catch what a user can mend, put it into the list and go on."""
    try:
        yield
    except EdgePerceptionError as error:
        errors.append(error)


def _check_rotation(rotation: int) -> None:
    if rotation not in ROTATIONS:
        raise OptionError(f'rotation: got {rotation!r}, expected 0, 90, 180 or 270')


def _choose_parts(host: PluginHost, request: Request, model: Model | None) -> _Parts | None:
    errors: list[EdgePerceptionError] = []
    parts: list[Any] = []
    with collect(errors):
        parts.append(choose_engine(host, request.engine))
    with collect(errors):
        if request.engine in host.engines:
            options_type = host.engines[request.engine].options_type
            owner = f'engine {request.engine!r}'
            parts.append(parse_options(options_type, request.engine_options, owner=owner))
    with collect(errors):
        if model is not None:
            decoder_type = _choose_decoder(host, model)
            owner = f'decoder {decoder_type.name!r} of {model.manifest.name}'
            wishes = model.manifest.decoder_options
            parts += [decoder_type, parse_options(decoder_type.options_type, wishes, owner=owner)]
    if errors:
        raise errors[0] if len(errors) == 1 else CombinedError(errors)
    return _Parts(*parts) if model is not None else None


def _choose_decoder(host: PluginHost, model: Model) -> type[Decoder]:
    name = model.manifest.decoder
    if name not in host.decoders:
        known = ', '.join(sorted(host.decoders)) or 'none'
        hint = did_you_mean(name, host.decoders)
        problem = f'decoder.name: got {name!r}, expected one of {known}{hint}'
        unusable = [f'{each.name} {each.reason}' for each in host.plugins if not each.usable]
        if unusable:
            problem += f'; plugins that are not usable: {", ".join(unusable)}'
        raise ManifestError(str(model.folder), [problem])
    return host.decoders[name]


def _load(
    parts: _Parts, model: Model, *, rotation: int, stages: Sequence[Stage], clock: Clock
) -> Pipeline:
    with _mistakes_of(f'engine {parts.engine_type.name!r}'):
        engine = parts.engine_type.create(model.manifest, model.source, parts.engine_options)
    spec = check_input(model.manifest, engine.inputs)
    outputs = tuple(spec.real() for spec in engine.outputs)
    with _mistakes_of(f'decoder {parts.decoder_type.name!r}'):
        decoder = parts.decoder_type(
            model.manifest, outputs=outputs, options=parts.decoder_options
        )
    preprocessor = Preprocessor(model.manifest.input, spec=spec, rotation=rotation)
    engine.activate()
    try:
        engine.warm_up()
    except BaseException:
        engine.deactivate()
        raise
    return Pipeline(
        engine,
        decoder=decoder,
        preprocessor=preprocessor,
        input_name=spec.name,
        stages=stages,
        clock=clock,
    )


@contextmanager
def _mistakes_of(subject: str) -> Iterator[None]:
    """Turn what the author of a plugin did not foresee into a sentence."""
    try:
        yield
    except EdgePerceptionError:
        raise
    except Exception as error:
        raise PluginError(
            f'{subject} cannot read the model: {named(error)}; report it to its author'
        ) from error


def _make_selection(request: Request, model: Model) -> Selection:
    """Return what the manifest recommends, with the wishes of the user over it."""
    labels, classes = model.manifest.labels, request.classes
    wishes = {
        'score_threshold': request.score_threshold,
        'iou_threshold': request.iou_threshold,
        'max_detections': request.max_detections,
        'class_ids': _class_ids(labels, classes) if classes else None,
    }
    given = {name: wish for name, wish in wishes.items() if wish is not None}
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
