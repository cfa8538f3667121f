# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Drafts a manifest from what a model file says of itself, and says what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from edge_perception.contract import MANIFEST_VERSION
from edge_perception.contract import ModelDescription
from edge_perception.contract import TensorSpec
from edge_perception.contract.manifest import INPUT_DTYPES
from edge_perception.models.families import Guess
from edge_perception.models.families import guess_decoder
from edge_perception.models.keypoint_sets import COCO_PERSON
from edge_perception.models.keypoint_sets import COCO_PERSON_SKELETON
from edge_perception.models.keypoint_sets import FACE_LANDMARKS
from edge_perception.models.tflite_metadata import read_tflite_metadata
from edge_perception.models.tflite_metadata import TfliteMetadata
from edge_perception.models.ultralytics import read_ultralytics
from edge_perception.models.ultralytics import Ultralytics

# Stands where only a person knows the value. No key of a manifest accepts it, so that a draft with
# an open question is refused instead of being run with a default that gives wrong boxes.
UNANSWERED = '?'
MAX_LISTED = 6  # tensors in one sentence
TFLITE_SUFFIX = '.tflite'
# Where an engine says why it could not read the metadata of a file.
METADATA_PROBLEM = 'metadata_problem'

Exported = Ultralytics | TfliteMetadata


@dataclass(frozen=True, slots=True)
class Draft:
    """
    A manifest as far as a model file goes.

    :param values: the mapping that ``parse_manifest`` reads, ``UNANSWERED`` where a value is
        missing.
    :param unknown: what the file does not say, in words that complete "the file does not say ...";
        empty when the values are complete.
    :param optional: what it does not say either, and a model works without.
    """

    values: dict[str, Any]
    unknown: tuple[str, ...]
    optional: tuple[str, ...] = ()


def draft_manifest(description: ModelDescription, *, source: str) -> Draft:
    """
    Make the values of a manifest from tensors and metadata.

    Metadata of Ultralytics exports answers everything, that of TensorFlow Lite most often;
    without it the shapes answer what they can.

    :param source: file name of the model.
    """
    unknown: list[str] = []
    exported = _exported(description.metadata, unknown)
    recipe = _input(description, exported, unknown)
    values: dict[str, Any] = {
        'manifest_version': MANIFEST_VERSION,
        'name': PurePath(source).stem or source,
        'source': {'file': source},
        'input': recipe,
    }
    if exported is None:
        optional = _guess(values, description.outputs, unknown)
        return Draft(values, tuple(unknown), optional)
    values.update(exported.names())
    decoder = exported.decoder(recipe, description.outputs)
    optional = ()
    if decoder is not None:
        values['decoder'] = decoder
    elif isinstance(exported, Ultralytics):
        values['decoder'] = {'name': UNANSWERED}
        unknown.append(exported.open_question(description.outputs))
    else:
        optional = _guess(values, description.outputs, unknown)
    if values['decoder']['name'] == 'yolo' and PurePath(source).suffix == TFLITE_SUFFIX:
        # Whoever wrote this metadata divides boxes by the size of the input for this format only.
        values['decoder'].setdefault('options', {})['box_units'] = 'normalized'
    return Draft(values, tuple(unknown), optional)


def _exported(metadata: Mapping[str, str], unknown: list[str]) -> Exported | None:
    """Return metadata that was recognized."""
    if METADATA_PROBLEM in metadata:
        unknown.append(f'what its metadata says, which is damaged: {metadata[METADATA_PROBLEM]}')
    return read_ultralytics(metadata) or read_tflite_metadata(metadata)


def _input(
    description: ModelDescription, exported: Exported | None, unknown: list[str]
) -> dict[str, Any]:
    images = [spec for spec in description.inputs if len(spec.shape) == 4]
    if len(images) != 1:
        unknown.append(f'which input takes the image; inputs are {_listed(description.inputs)}')
        return {'width': UNANSWERED, 'height': UNANSWERED}
    spec = images[0]
    if len(description.inputs) > 1:
        unknown.append(
            f'what the inputs beside {spec.name} are for, and the package fills a single one; '
            f'inputs are {_listed(description.inputs)}'
        )
    if spec.shape[0] not in (1, -1):
        unknown.append(
            f'how to run one image alone, it takes {spec.shape[0]} at once; '
            'export it with a batch size of 1'
        )
    recipe: dict[str, Any] = {'name': spec.name} if spec.name else {}
    layout, channels, height, width = _axes(spec)
    if exported is not None:
        height, width, channels = exported.image_size(height, width, channels)
    for name, size in (('width', width), ('height', height)):
        recipe[name] = size if size > 0 else UNANSWERED
    if min(width, height) < 1:
        unknown.append('the width and height of the input, any are possible')
    recipe['layout'] = layout
    recipe['dtype'] = spec.dtype.name
    _color(recipe, channels, exported, unknown)
    _normalization(recipe, spec, exported, unknown)
    return recipe


def _axes(spec: TensorSpec) -> tuple[str, int, int, int]:
    """Return layout, channels, height, width; -1 where a size is only known at run time."""
    _, first, second, third = spec.shape
    if third in (1, 3) and first not in (1, 3):
        return 'nhwc', third, first, second
    return 'nchw', first, second, third


def _color(
    recipe: dict[str, Any], channels: int, exported: Exported | None, unknown: list[str]
) -> None:
    if channels == 1:
        recipe['color'] = 'gray'
        return
    if channels == 3 and exported is not None and exported.color == 'rgb':
        recipe['color'] = exported.color
        return
    recipe['color'] = UNANSWERED
    if channels == 3:
        unknown.append('the color order of the input (rgb or bgr)')
    elif channels < 1:
        unknown.append('how many color channels the input has (3: rgb or bgr, 1: gray)')
    else:
        unknown.append(f'what the {channels} channels of the input are, an image has 1 or 3')


def _normalization(
    recipe: dict[str, Any], spec: TensorSpec, exported: Exported | None, unknown: list[str]
) -> None:
    if spec.dtype.name not in INPUT_DTYPES:
        unknown.append(f'how pixels become {spec.dtype.name}, which the package cannot make')
    known = exported.normalization(spec) if exported is not None else None
    if known is not None:
        recipe.update(known)
        return
    for key in ('scale', 'mean', 'std', 'resize', 'fill'):
        recipe[key] = UNANSWERED
    unknown.append('scale, mean and std of the input')
    unknown.append(
        'how an image is resized to the input (letterbox_top_left or letterbox_center, with which '
        'fill; or stretch, then delete the line fill)'
    )


def _guess(
    values: dict[str, Any], outputs: tuple[TensorSpec, ...], unknown: list[str]
) -> tuple[str, ...]:
    """
    Put the decoder that the shapes suggest into the values, and say that it is a guess.

    :return: what may stay open.
    """
    recipe = values['input']
    sizes = [recipe[name] if recipe[name] != UNANSWERED else -1 for name in ('width', 'height')]
    guess = guess_decoder(outputs, width=sizes[0], height=sizes[1])
    if guess is None or not guess.decoder:
        values['decoder'] = {'name': UNANSWERED}
        looks = f' (they look like {guess.family})' if guess else ''
        unknown.append(f'how the outputs are decoded; outputs are {_listed(outputs)}{looks}')
    else:
        values['decoder'] = {'name': guess.decoder}
        unknown.append(
            f'how the outputs are decoded; outputs are {_listed(outputs)}, which looks like '
            f'{guess.family}: the decoder {guess.decoder!r} is a guess'
        )
    return _names(values, guess, unknown)


def _names(values: dict[str, Any], guess: Guess | None, unknown: list[str]) -> tuple[str, ...]:
    """Put the names that belong to a family into the values, and return what may stay open."""
    decoder = guess.decoder if guess else ''
    if decoder == 'movenet':
        values['keypoints'] = list(COCO_PERSON)
        values['skeleton'] = [list(pair) for pair in COCO_PERSON_SKELETON]
    elif decoder == 'yunet':
        values['labels'] = ['face']
        values['keypoints'] = list(FACE_LANDMARKS)
    elif decoder == 'heatmap':
        unknown.append('the keypoint names')
    elif not values.get('labels'):
        count = f' (there are {guess.classes})' if guess and guess.classes else ''
        return (f'the class names{count}; without them results carry numbers',)
    return ()


def _listed(specs: tuple[TensorSpec, ...]) -> str:
    shown = [f'{spec.name} {spec.describe()}' for spec in specs[:MAX_LISTED]]
    if len(specs) > MAX_LISTED:
        shown.append(f'and {len(specs) - MAX_LISTED} more')
    return ', '.join(shown) or 'none'
