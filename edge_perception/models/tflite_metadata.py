# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Reads the metadata that tools of TensorFlow Lite leave in a file.

It comes as JSON, as the engine ``litert`` hands it on: what the file says of each input and
output, and the lines of the label and calibration files that belong to them. Nothing of it is
believed without looking: what has another form is an open question, never a crash.

Images are stretched to the input, and bytes are never normalized, as the task library of
tensorflow/tflite-support does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
import json
from typing import Any

from edge_perception.contract import TensorSpec
from edge_perception.models.families import guess_decoder

KEY = 'tflite_metadata'
# What the decoder ssd reads: ymin, xmin, ymax, xmax, 0 to 1.
SSD_BOXES = {'box_type': 'corners', 'box_order': [1, 0, 3, 2], 'box_units': 'normalized'}
MAX_SIDE = 1 << 16


@dataclass(frozen=True, slots=True)
class TfliteMetadata:
    """
    Metadata of one file.

    :param inputs: what is said of each input, by keys of ours.
    :param outputs: the same for the outputs.
    """

    description: str
    license: str
    inputs: tuple[Mapping[str, Any], ...]
    outputs: tuple[Mapping[str, Any], ...]

    def image_size(self, height: int, width: int, channels: int) -> tuple[int, int, int]:
        """Return height, width and channels; metadata answers what the tensor leaves open."""
        size = _numbers(self._image.get('size'))
        if len(size) == 2 and all(0 < side < MAX_SIDE for side in size):
            width = width if width > 0 else int(size[0])
            height = height if height > 0 else int(size[1])
        usual = {'rgb': 3, 'gray': 1}.get(self.color, -1)
        return height, width, channels if channels > 0 else usual

    @property
    def color(self) -> str:
        """Color order of the input; empty when nothing is said of it."""
        color = self._image.get('color')
        return color if color in ('rgb', 'gray') else ''

    def normalization(self, spec: TensorSpec) -> dict[str, Any] | None:
        """Return dtype and normalization of the input recipe; None when they are not known."""
        if spec.dtype.name == 'uint8':
            return {'dtype': 'uint8', 'resize': 'stretch'}
        real = spec.real().dtype
        lengths = {1, 1 if self.color == 'gray' else 3}
        mean, std = _numbers(self._image.get('mean')), _numbers(self._image.get('std'))
        if real.kind != 'f' or not {len(mean), len(std)} <= lengths or 0 in std:
            return None
        return {'dtype': real.name, 'mean': _short(mean), 'std': _short(std), 'resize': 'stretch'}

    def names(self) -> dict[str, Any]:
        """Return the parts of a manifest that are names and words, where there are any."""
        values: dict[str, Any] = {'license': self.license, 'description': self.description}
        values['labels'] = next(filter(None, map(_labels, self.outputs)), [])
        thresholds = [_numbers([each.get('score_threshold')]) for each in self.outputs]
        shares = [each[0] for each in thresholds if each and 0 <= each[0] <= 1]
        values['selection'] = {'score_threshold': shares[0]} if shares else {}
        return {key: value for key, value in values.items() if value}

    def decoder(
        self, recipe: Mapping[str, Any], outputs: Sequence[TensorSpec]
    ) -> dict[str, Any] | None:
        """Return the decoder that these outputs need; None when metadata does not confirm it."""
        sizes = [recipe[name] for name in ('width', 'height')]
        if len(outputs) != len(self.outputs) or not all(isinstance(each, int) for each in sizes):
            return None
        guess = guess_decoder(outputs, width=sizes[0], height=sizes[1])
        name = guess.decoder if guess else ''
        options: dict[str, Any] = {}
        if name == 'ssd':
            order = self._ssd_order(outputs)
            if order is None:
                return None
            options['order'] = order
        elif name not in ('classifier', 'segmentation') or not _labels(self.outputs[0]):
            return None
        options.update(self._calibration())
        return {'name': name, 'options': options} if options else {'name': name}

    @property
    def _image(self) -> Mapping[str, Any]:
        return self.inputs[0] if len(self.inputs) == 1 else {}

    def _ssd_order(self, outputs: Sequence[TensorSpec]) -> str | None:
        """Return which of the two lists are the classes; None when these are no boxes of SSD."""
        boxes = next(said for said, spec in zip(self.outputs, outputs) if len(spec.shape) == 3)
        if any(boxes.get(key) != value for key, value in SSD_BOXES.items()):
            return None
        lists = [said for said, spec in zip(self.outputs, outputs) if len(spec.shape) == 2]
        named = [bool(_lines(each, 'value_labels')) for each in lists]
        return {
            (True, False): 'boxes_classes_scores',
            (False, True): 'scores_boxes_classes',
        }.get((named[0], named[1]))

    def _calibration(self) -> dict[str, Any]:
        for said in self.outputs:
            if _lines(said, 'calibration'):
                return {
                    'calibration': _lines(said, 'calibration'),
                    'calibration_transform': said.get('transform', 'identity'),
                    'calibration_default': said.get('default_score', 0.0),
                }
        return {}


def read_tflite_metadata(metadata: Mapping[str, str]) -> TfliteMetadata | None:
    """Return what the metadata says; None when there is none, or none that can be read."""
    try:
        values = json.loads(metadata.get(KEY, ''))
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    return TfliteMetadata(
        description=_text(values.get('description')),
        license=_text(values.get('license')),
        inputs=_mappings(values.get('inputs')),
        outputs=_mappings(values.get('outputs')),
    )


def _mappings(values: object) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(values, list):
        return ()
    return tuple(each if isinstance(each, dict) else {} for each in values)


def _labels(said: Mapping[str, Any]) -> list[str]:
    """Return the class names of an output without the empty lines behind them."""
    lines = _lines(said, 'labels') or _lines(said, 'value_labels')
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _lines(said: Mapping[str, Any], key: str) -> list[str]:
    lines = said.get(key)
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        return []
    return [line.strip() for line in lines]


def _numbers(values: object) -> list[float]:
    """Return a list of finite numbers; an empty one when it is none."""
    if not isinstance(values, list):
        return []
    fits = all(type(each) in (int, float) and abs(each) < float('inf') for each in values)
    return values if fits else []


def _short(values: list[float]) -> float | list[float]:
    return values[0] if len(values) == 1 else values


def _text(value: object) -> str:
    return ' '.join(value.split()) if isinstance(value, str) else ''
