# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Read the metadata of TFLite files as strings: that of TensorFlow Lite, and of Ultralytics.

TensorFlow Lite keeps a FlatBuffer ``TFLITE_METADATA`` in the model and the files that it names in
a zip behind it. It is returned as one JSON string under ``tflite_metadata``, with the lines of
these files in it. Ultralytics writes a file with its own keys into that zip; they are handed on as
in its exports to ONNX.

Source of the numbers: metadata_schema.fbs of tensorflow/tflite-support, version 1.2.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from collections.abc import Mapping
import io
import json
from typing import Any
import zipfile

from edge_perception_litert.model_file import Table

TFLITE_ENTRY = 'TFLITE_METADATA'
TFLITE_KEY = 'tflite_metadata'
PROBLEM_KEY = 'metadata_problem'
ULTRALYTICS_FILES = ('metadata.json', 'temp_meta.txt')
MAX_FILE = 1 << 22  # bytes; class names of the largest data sets take a tenth of it
MAX_FILES, MAX_TOTAL = 100, 1 << 24  # of the zip; more is no list of names
MAX_LITERAL = 1 << 18  # characters; Python takes 500 times as much memory to read one

MODEL_NAME, MODEL_DESCRIPTION, MODEL_VERSION, MODEL_SUBGRAPHS, MODEL_AUTHOR, MODEL_LICENSE = range(
    6
)
SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS, SUBGRAPH_OUTPUT_GROUPS = 2, 3, 8
TENSOR_NAME, TENSOR_DESCRIPTION, _, TENSOR_CONTENT, TENSOR_UNITS, _, TENSOR_FILES = range(7)
CONTENT_TYPE, CONTENT_VALUE = range(2)
CONTENT_TYPES = ('', 'feature', 'image', 'boxes')
COLORS = ('', 'rgb', 'gray')
IMAGE_COLOR, IMAGE_SIZE = range(2)
BOX_ORDER, BOX_TYPE, BOX_UNITS = range(3)
BOX_TYPES = ('', 'corners', 'upper_left', 'center')
UNITS_OF_BOXES = ('normalized', 'pixels')
UNIT_TYPE, UNIT_VALUE = range(2)
NORMALIZATION, CALIBRATION, THRESHOLD = 1, 2, 3
TRANSFORMS = ('identity', 'log', 'inverse_logistic')
FILE_NAME, _, FILE_TYPE = range(3)
FILE_KINDS = {2: 'labels', 3: 'value_labels', 4: 'calibration'}
GROUP_NAME, GROUP_TENSORS = range(2)


def read_metadata(entries: Mapping[str, bytes], content: bytes) -> dict[str, str]:
    """
    Return the metadata of a file.

    Metadata that cannot be read does not keep a model from being used: the reason is a value
    under ``metadata_problem``.

    :param entries: what the model holds, by name.
    :param content: the whole file.
    """
    try:
        files = _appended_files(content)
        found = _ultralytics(files)
        if TFLITE_ENTRY in entries:
            parsed = _model(Table.root(entries[TFLITE_ENTRY]), files)
            found[TFLITE_KEY] = json.dumps(parsed, ensure_ascii=False)
    except Exception as error:  # offsets that lead nowhere, a zip or a literal that is none
        return {PROBLEM_KEY: ' '.join(f'{type(error).__name__}: {error}'.split())}
    return found


def _appended_files(content: bytes) -> dict[str, bytes]:
    stream = io.BytesIO(content)
    if not zipfile.is_zipfile(stream):
        return {}
    with zipfile.ZipFile(stream) as archive:
        wanted = [each for each in archive.infolist() if each.file_size <= MAX_FILE]
        total = sum(each.file_size for each in wanted)
        if len(wanted) > MAX_FILES or total > MAX_TOTAL:
            raise ValueError(
                f'its zip holds {len(wanted)} files of {total} bytes together, expected at most '
                f'{MAX_FILES} of {MAX_TOTAL}'
            )
        return {each.filename: archive.read(each) for each in wanted}


def _ultralytics(files: Mapping[str, bytes]) -> dict[str, str]:
    for name in ULTRALYTICS_FILES:
        if name not in files:
            continue
        text = files[name].decode('utf-8')
        if len(text) > MAX_LITERAL:
            raise ValueError(f'{name} has {len(text)} characters, expected at most {MAX_LITERAL}')
        values = json.loads(text) if name.endswith('.json') else ast.literal_eval(text)
        if isinstance(values, dict):
            return {str(key): str(_numbered(value)) for key, value in values.items()}
    return {}


def _numbered(value: object) -> object:
    """Return a mapping with integer keys where JSON turned them into strings."""
    if isinstance(value, dict) and all(str(key).isdecimal() for key in value):
        return {int(key): item for key, item in value.items()}
    return value


def _model(table: Table, files: Mapping[str, bytes]) -> dict[str, Any]:
    graph = next(table.tables(MODEL_SUBGRAPHS), None)
    sides = (SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS)
    inputs, outputs = (
        [_tensor(each, files) for each in graph.tables(side)] if graph else [] for side in sides
    )
    return {
        'name': table.text(MODEL_NAME),
        'description': table.text(MODEL_DESCRIPTION),
        'version': table.text(MODEL_VERSION),
        'author': table.text(MODEL_AUTHOR),
        'license': table.text(MODEL_LICENSE),
        'inputs': inputs,
        'outputs': outputs,
        'output_groups': [
            {'name': group.text(GROUP_NAME), 'tensors': group.texts(GROUP_TENSORS)}
            for group in (graph.tables(SUBGRAPH_OUTPUT_GROUPS) if graph else ())
        ],
    }


def _tensor(table: Table, files: Mapping[str, bytes]) -> dict[str, Any]:
    values: dict[str, Any] = {
        'name': table.text(TENSOR_NAME),
        'description': table.text(TENSOR_DESCRIPTION),
    }
    content = table.table(TENSOR_CONTENT)
    if content is not None:
        values.update(_content(content))
    for kind, unit in _units(table):
        values.update(_unit(kind, unit))
    for file in table.tables(TENSOR_FILES):
        use, name = FILE_KINDS.get(file.number(FILE_TYPE, 'Int8')), file.text(FILE_NAME)
        # The first of a kind counts; others are translations.
        if use is not None and use not in values and name in files:
            values[use] = files[name].decode('utf-8-sig').splitlines()
    return values


def _content(table: Table) -> dict[str, Any]:
    kind = table.number(CONTENT_TYPE, 'Uint8')
    properties = table.table(CONTENT_VALUE)
    values: dict[str, Any] = {'content': CONTENT_TYPES[kind] if kind < len(CONTENT_TYPES) else ''}
    # Tools write the type of a union without its value.
    if properties is None:
        return values
    if values['content'] == 'image':
        values['color'] = COLORS[properties.number(IMAGE_COLOR, 'Int8')]
        size = properties.table(IMAGE_SIZE)
        if size is not None:
            values['size'] = [size.number(0, 'Uint32'), size.number(1, 'Uint32')]
    elif values['content'] == 'boxes':
        values['box_order'] = properties.numbers(BOX_ORDER, 'Uint32')
        values['box_type'] = BOX_TYPES[properties.number(BOX_TYPE, 'Int8')]
        values['box_units'] = UNITS_OF_BOXES[properties.number(BOX_UNITS, 'Int8')]
    return values


def _units(table: Table) -> Iterator[tuple[int, Table]]:
    for unit in table.tables(TENSOR_UNITS):
        options = unit.table(UNIT_VALUE)
        if options is not None:
            yield unit.number(UNIT_TYPE, 'Uint8'), options


def _unit(kind: int, options: Table) -> dict[str, Any]:
    if kind == NORMALIZATION:
        return {'mean': options.numbers(0, 'Float32'), 'std': options.numbers(1, 'Float32')}
    if kind == CALIBRATION:
        return {
            'transform': TRANSFORMS[options.number(0, 'Int8')],
            'default_score': options.number(1, 'Float32'),
        }
    if kind == THRESHOLD:
        return {'score_threshold': options.number(0, 'Float32')}
    return {}
