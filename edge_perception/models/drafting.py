# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Drafts a manifest from what a model file says of itself, and says what it does not."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from pathlib import PurePath
from typing import Any

from edge_perception.contract import Decoder
from edge_perception.contract import FileFacts
from edge_perception.contract import Guess
from edge_perception.contract import MANIFEST_VERSION
from edge_perception.contract import ManifestError
from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_manifest
from edge_perception.contract import TensorSpec
from edge_perception.contract import UNANSWERED
from edge_perception.contract.errors import in_words
from edge_perception.contract.loading.artifact_files import read_regular
from edge_perception.contract.manifest import INPUT_DTYPES
from edge_perception.contract.manifest import SIZE_INPUTS
from edge_perception.contract.manifest_file import MOST_MANIFEST_BYTES
from edge_perception.contract.manifest_file import read_yaml
from edge_perception.models.engine_choice import describe_artifact
from edge_perception.models.plugin_checks import mistakes_of
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.tflite_metadata import read_tflite_metadata
from edge_perception.models.ultralytics import read_ultralytics

MAX_LISTED = 6  # tensors in one sentence
# Where an engine says why it could not read the metadata of a file.
METADATA_PROBLEM = 'metadata_problem'
# Tensors that only models have which no decoder of ours reads, and what such a model is.
FOREIGN_TENSORS = {
    'angle_y_fc': 'angles of a head (OpenVINO head-pose-estimation)',
    'iou_predictions': 'masks of Segment Anything',
    'image_embeddings': 'masks of Segment Anything',
}
IR_SUFFIX, METADATA_NAME = '.xml', 'metadata.yaml'

Guesses = Sequence[tuple[type[Decoder], Guess]]


@dataclass(frozen=True, slots=True)
class Draft:
    """
    A manifest as far as a model file goes.

    :param values: the mapping that ``parse_manifest`` reads, ``UNANSWERED`` where a value is
        missing.
    :param unknown: what the file does not say, in words that complete "the file does not say ...";
        empty when the values are complete.
    :param optional: what it does not say either, and a model works without.
    :param unsupported: what no manifest can help with, a sentence each.
    :param habits: keys of ``input`` as the family of the decoder usually wants them.
    """

    values: dict[str, Any]
    unknown: tuple[str, ...]
    optional: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()
    habits: Mapping[str, Any] = field(default_factory=dict)

    @property
    def assumed(self) -> dict[str, Any]:
        """Keys of ``input`` that are open, as habits answer them."""
        recipe = self.values['input']
        usual = self.habits.items()
        return {key: value for key, value in usual if recipe.get(key) in (UNANSWERED, None)}

    def completed(self, *, folder: Path, subject: str) -> ModelManifest | None:
        """Return the manifest with habits, else defaults, for what is open; None if that fails."""
        values = deepcopy(self.values)
        values['input'].update(self.assumed)
        for part in (values['input'], values['decoder'].get('options', {})):
            for key in [key for key, value in part.items() if value == UNANSWERED]:
                del part[key]
        # A converter may have given the only input of an artifact another name.
        values['input'].pop('name', None)
        try:
            return parse_manifest(values, folder=folder, subject=subject)
        except ManifestError:
            return None  # e.g. the size of the input is open


@dataclass(slots=True)
class _Open:
    """What is found open while a draft is made, for ``Draft``."""

    unknown: list[str]
    unsupported: list[str] = field(default_factory=list)


def describe_file(host: PluginHost, path: Path) -> ModelDescription:
    """
    Read what a model file says of itself, of an IR also its ``metadata.yaml`` of the exporter.

    :raises EdgePerceptionError: no engine here can read it.
    """
    description = describe_artifact(host, path)
    beside = path.with_name(METADATA_NAME)
    if path.suffix != IR_SUFFIX or not beside.is_file():
        return description
    try:
        values = read_yaml(read_regular(beside, most_bytes=MOST_MANIFEST_BYTES).decode('utf-8'))
    except (OSError, ValueError) as error:
        said = {METADATA_PROBLEM: f'{beside.name}: {in_words(error)}'}
    else:
        mapping = values if isinstance(values, dict) else {}
        said = {str(key): str(value) for key, value in mapping.items()}
    return replace(description, metadata={**description.metadata, **said})


def draft_file(host: PluginHost, path: Path) -> Draft:
    """
    Make the values of a manifest from a model file.

    :raises EdgePerceptionError: no engine here can read it.
    """
    description = describe_file(host, path)
    return draft_manifest(description, source=path.name, decoders=host.decoders.values())


def draft_manifest(
    description: ModelDescription, *, source: str, decoders: Iterable[type[Decoder]]
) -> Draft:
    """
    Make the values of a manifest from tensors and metadata.

    Metadata of Ultralytics exports answers everything, that of TensorFlow Lite most often;
    without it the shapes answer what they can.

    :param source: file name of the model.
    :param decoders: each is asked whether it would read the model.
    :raises PluginError: a decoder fails at that.
    """
    facts = _facts(description, source)
    guesses = _ask(decoders, facts)
    chosen = guesses[0][1] if len(guesses) == 1 else None
    open_ = _Open(list(facts.unread))
    recipe = _input(facts, chosen, open_)
    values: dict[str, Any] = {
        'manifest_version': MANIFEST_VERSION,
        'name': PurePath(source).stem or source,
        'source': {'file': source},
        'input': recipe,
        **facts.values,
        'labels': list(facts.labels),
        **(chosen.values if chosen else {}),
        'decoder': _decoder(facts, guesses, open_),
    }
    values = {key: value for key, value in values.items() if value}
    return Draft(
        values,
        tuple(open_.unknown),
        optional=_optional(facts, values, guesses),
        unsupported=tuple(open_.unsupported),
        habits=chosen.input if chosen else {},
    )


def _facts(description: ModelDescription, source: str) -> FileFacts:
    """Read the metadata that is known; it answers what the tensors leave open."""
    facts = FileFacts(description, suffix=PurePath(source).suffix)
    if METADATA_PROBLEM in description.metadata:
        problem = description.metadata[METADATA_PROBLEM]
        facts = replace(facts, unread=(f'what its metadata says, which is damaged: {problem}',))
    facts = read_ultralytics(facts)
    if not facts.task:
        facts = read_tflite_metadata(facts)
    names = {spec.name for spec in (*description.inputs, *description.outputs)}
    if foreign := [what for name, what in FOREIGN_TENSORS.items() if name in names]:
        facts = replace(facts, unsupported=foreign[0])
    if facts.image is None:
        return facts
    _, channels, height, width = _axes(facts.image)
    return replace(
        facts,
        channels=channels if channels > 0 else facts.channels,
        height=height if height > 0 else facts.height,
        width=width if width > 0 else facts.width,
    )


def _ask(decoders: Iterable[type[Decoder]], facts: FileFacts) -> Guesses:
    """Return the decoders that would read the model; only those that metadata confirms, if any."""
    guesses = []
    for decoder in sorted(decoders, key=lambda each: each.name):
        with mistakes_of(f'decoder {decoder.name!r}'):
            guess = decoder.guess(facts)
        if guess is not None:
            guesses.append((decoder, guess))
    certain = [each for each in guesses if each[1].certain]
    # Where the metadata tells what the model is for, shapes that remind of something else lie.
    return certain if certain or facts.task else guesses


def _decoder(facts: FileFacts, guesses: Guesses, open_: _Open) -> dict[str, Any]:
    """Return the decoder with its options, or a question where it is not one alone."""
    outputs = f'outputs are {_listed(facts.description.outputs)}'
    if len(guesses) == 1:
        ((decoder, guess),) = guesses
        if not guess.certain:
            open_.unknown.append(
                f'how the outputs are decoded; {outputs}, which looks like {guess.family}: the '
                f'decoder {decoder.name!r} is a guess'
            )
        open_.unknown += guess.asks
        options = {'options': dict(guess.options)} if guess.options else {}
        return {'name': decoder.name, **options}
    if guesses:
        found = ' or '.join(f'{guess.family} ({each.name!r})' for each, guess in guesses)
        open_.unknown.append(f'how the outputs are decoded; {outputs}, which may be {found}')
    elif facts.unsupported:
        open_.unsupported.append(f'{facts.unsupported} are not supported, no decoder reads them')
    elif facts.task:
        if not facts.unread:
            open_.unknown.append(
                f'how the outputs are decoded; {outputs}, which is not what {len(facts.labels)} '
                f'classes and {facts.keypoints[0]} keypoints give'
            )
    else:
        open_.unknown.append(f'how the outputs are decoded; {outputs}')
    return {'name': UNANSWERED}


def _optional(facts: FileFacts, values: Mapping[str, Any], guesses: Guesses) -> tuple[str, ...]:
    """Return what may stay open: the names of classes, where there are classes."""
    named = facts.task or values.get('labels')
    if named or any(decoder.tasks == {'keypoints'} for decoder, _ in guesses[:1]):
        return ()
    classes = guesses[0][1].classes if len(guesses) == 1 else None
    count = f' (there are {classes})' if classes else ''
    return (f'the class names{count}; without them results carry numbers',)


def _input(facts: FileFacts, guess: Guess | None, open_: _Open) -> dict[str, Any]:
    spec, inputs = facts.image, facts.description.inputs
    if spec is None:
        open_.unknown.append(f'which input takes the image; inputs are {_listed(inputs)}')
        return {'width': UNANSWERED, 'height': UNANSWERED}
    if any(each.name not in SIZE_INPUTS for each in inputs if each is not spec):
        open_.unsupported.append(
            f'inputs beside {spec.name} are not supported, the package fills a single one; '
            f'inputs are {_listed(inputs)}'
        )
    if spec.shape[0] not in (1, -1):
        open_.unsupported.append(
            f'a batch of {spec.shape[0]} images is not supported, they come one at a time; '
            'export the model with a batch size of 1'
        )
    # A name that is not needed would keep artifacts of other converters from loading.
    recipe: dict[str, Any] = {'name': spec.name} if spec.name and len(inputs) > 1 else {}
    for name, size in (('width', facts.width), ('height', facts.height)):
        recipe[name] = size if size > 0 else UNANSWERED
    if min(facts.width, facts.height) < 1:
        open_.unknown.append('the width and height of the input, any are possible')
    recipe['layout'] = _axes(spec)[0]
    recipe['dtype'] = spec.dtype.name
    known = dict(facts.input)
    if spec.real().dtype.kind == 'f':
        usual = guess.input if guess and guess.certain else {}
        known = {'dtype': spec.real().dtype.name, **known, **usual}
    _color(recipe, facts.channels, known.pop('color', ''), open_)
    _normalization(recipe, spec, known, open_)
    return recipe


def _axes(spec: TensorSpec) -> tuple[str, int, int, int]:
    """Return layout, channels, height, width; -1 where a size is only known at run time."""
    _, first, second, third = spec.shape
    if third in (1, 3) and first not in (1, 3):
        return 'nhwc', third, first, second
    return 'nchw', first, second, third


def _color(recipe: dict[str, Any], channels: int, known: str, open_: _Open) -> None:
    if channels == 1:
        recipe['color'] = 'gray'
        return
    if channels == 3 and known in ('rgb', 'bgr'):
        recipe['color'] = known
        return
    recipe['color'] = UNANSWERED
    if channels == 3:
        open_.unknown.append('the color order of the input (rgb or bgr)')
    elif channels < 1:
        open_.unknown.append('how many color channels the input has (3: rgb or bgr, 1: gray)')
    else:
        open_.unsupported.append(
            f'an input of {channels} channels is not supported, an image has 1 or 3 of them'
        )


def _normalization(
    recipe: dict[str, Any],
    spec: TensorSpec,
    known: dict[str, Any],
    open_: _Open,
) -> None:
    if spec.dtype.name not in INPUT_DTYPES:
        open_.unsupported.append(f'an input of {spec.dtype.name} is not supported')
    if 'resize' in known and known.get('dtype') in INPUT_DTYPES:
        if known['resize'] in ('stretch', 'center_crop'):
            known.pop('fill', None)
        recipe.update(known)
        return
    for key in ('scale', 'mean', 'std', 'resize', 'fill'):
        recipe[key] = UNANSWERED
    open_.unknown.append('scale, mean and std of the input')
    open_.unknown.append(
        'how an image is resized to the input (letterbox_top_left or letterbox_center, with which '
        'fill; or stretch or center_crop, then delete the line fill)'
    )


def _listed(specs: tuple[TensorSpec, ...]) -> str:
    shown = [f'{spec.name} {spec.describe()}' for spec in specs[:MAX_LISTED]]
    if len(specs) > MAX_LISTED:
        shown.append(f'and {len(specs) - MAX_LISTED} more')
    return ', '.join(shown) or 'none'
