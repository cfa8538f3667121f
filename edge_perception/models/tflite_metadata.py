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
from dataclasses import replace
import json
from typing import Any

from edge_perception.contract import FileFacts

KEY = 'tflite_metadata'
MAX_SIDE = 1 << 16
CHANNELS = {'rgb': 3, 'gray': 1}
LISTS = ('labels', 'value_labels', 'calibration')  # lines of files that belong to an output


def read_tflite_metadata(facts: FileFacts) -> FileFacts:
    """Return the facts with what the metadata says; unchanged where none can be read."""
    try:
        document = json.loads(facts.description.metadata.get(KEY, ''))
    except (ValueError, RecursionError):
        return facts
    if not isinstance(document, dict):
        return facts
    inputs, said = _mappings(document.get('inputs')), _mappings(document.get('outputs'))
    image = inputs[0] if len(inputs) == 1 else {}
    size = _numbers(image.get('size'))
    if len(size) != 2 or not all(0 < side < MAX_SIDE for side in size):
        size = [-1, -1]
    color = next((each for each in CHANNELS if each == image.get('color')), '')
    outputs = [{**each, **{key: _lines(each, key) for key in LISTS}} for each in said]
    named = [each['labels'] or each['value_labels'] for each in outputs]
    return replace(
        facts,
        width=int(size[0]),
        height=int(size[1]),
        channels=CHANNELS.get(color, -1),
        labels=tuple(next(filter(None, named), ())),
        outputs=tuple(outputs) if len(outputs) == len(facts.description.outputs) else (),
        input={'color': color, **_input(image, facts)},
        values={**_words(document), **_selection(outputs)},
    )


def _input(image: Mapping[str, Any], facts: FileFacts) -> dict[str, Any]:
    """Return dtype, normalization and resize; nothing when they are not known."""
    if facts.image is None or facts.image.dtype.name == 'uint8':
        return {'dtype': 'uint8', 'resize': 'stretch'}
    lengths = {1, 1 if image.get('color') == 'gray' else 3}
    mean, std = _numbers(image.get('mean')), _numbers(image.get('std'))
    if not {len(mean), len(std)} <= lengths or 0 in std:
        return {}
    return {'mean': _short(mean), 'std': _short(std), 'resize': 'stretch'}


def _words(document: Mapping[str, Any]) -> dict[str, Any]:
    texts = {key: document.get(key) for key in ('license', 'description')}
    return {key: ' '.join(text.split()) for key, text in texts.items() if isinstance(text, str)}


def _selection(outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    thresholds = [_numbers([each.get('score_threshold')]) for each in outputs]
    shares = [each[0] for each in thresholds if each and 0 <= each[0] <= 1]
    return {'selection': {'score_threshold': shares[0]}} if shares else {}


def _mappings(values: object) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(values, list):
        return ()
    return tuple(each if isinstance(each, dict) else {} for each in values)


def _lines(said: Mapping[str, Any], key: str) -> list[str]:
    """Return the lines of a file, of names without the empty ones behind them."""
    lines = said.get(key)
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        return []
    lines = [line.strip() for line in lines]
    while lines and not lines[-1] and key != 'calibration':
        lines.pop()
    return lines


def _numbers(values: object) -> list[float]:
    """Return a list of finite numbers; an empty one when it is none."""
    if not isinstance(values, list):
        return []
    fits = all(type(each) in (int, float) and abs(each) < float('inf') for each in values)
    return values if fits else []


def _short(values: list[float]) -> float | list[float]:
    return values[0] if len(values) == 1 else values
