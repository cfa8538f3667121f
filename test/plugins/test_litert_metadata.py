# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the engine reads out of TFLite files, against what was read out of them before."""

from __future__ import annotations

import io
import json
from pathlib import Path
import struct
import zipfile

from edge_perception_litert.engine import LiteRtEngineType
from edge_perception_litert.metadata import read_metadata
from edge_perception_litert.model_file import parse_model
import numpy as np
import pytest

from test.plugins.lite_networks import save_unary

pytest.importorskip(
    'ai_edge_litert.interpreter', reason='LiteRT (ai-edge-litert) is not installed'
)
flatbuffers = pytest.importorskip('flatbuffers')

ULTRALYTICS = {
    'description': 'Ultralytics YOLO11n model trained on coco.yaml',
    'stride': 32,
    'task': 'detect',
    'imgsz': [640, 640],
    'names': {0: 'person', 1: 'bicycle'},
    'args': {'nms': False},
}


def described(path: Path) -> dict[str, str]:
    return dict(LiteRtEngineType().describe(path).metadata)


def golden_files(folder: Path) -> dict[Path, dict]:
    """Return the real files here whose metadata was written down, with it."""
    golden = json.loads((folder / 'tflite_metadata' / 'tflite_metadata.json').read_text())
    found = {}
    for name, value in golden.items():
        paths = list(folder.glob(f'*/{Path(name).name}'))
        if paths:
            found[paths[0]] = value
    return found


def test_metadata_of_real_files_is_the_golden_one(shared_data):
    files = golden_files(shared_data)
    assert len(files) >= 8
    with_metadata = 0
    for path, golden in files.items():
        if not golden.get('model'):
            assert 'tflite_metadata' not in described(path)
            continue
        with_metadata += 1
        model = golden['model']
        found = json.loads(described(path)['tflite_metadata'])
        for ours, theirs in (('name', 'name'), ('license', 'license'), ('author', 'author')):
            assert found[ours] == (model[theirs] or ''), path.name
        (graph,) = model['subgraphs']
        assert [each['name'] for each in found['inputs']] == [
            each['name'] for each in graph['inputs']
        ]
        for ours, theirs in zip(found['inputs'], graph['inputs']):
            (unit,) = theirs['process_units']
            assert ours['mean'] == unit['normalization']['mean']
            assert ours['std'] == unit['normalization']['std']
            assert ours['color'] == theirs['content']['image']['color_space'].lower()
        assert [each['name'] for each in found['outputs']] == [
            each['name'] for each in graph['outputs']
        ]
        for ours, theirs in zip(found['outputs'], graph['outputs']):
            for file in theirs.get('files', ()):
                lines = golden['zip'][file['name']]
                kind = {'TENSOR_AXIS_LABELS': 'labels', 'TENSOR_VALUE_LABELS': 'value_labels'}
                labels = ours[kind[file['type']]]
                assert labels[:3] == lines['first']
                assert len(labels) == lines['lines']
    assert with_metadata >= 6


def test_boxes_of_ssd_are_described(shared_data):
    path = shared_data / 'ssd_mobilenet_v1_coco/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite'
    boxes, classes, scores, count = json.loads(described(path)['tflite_metadata'])['outputs']
    assert (boxes['box_type'], boxes['box_order']) == ('corners', [1, 0, 3, 2])
    assert boxes['box_units'] == 'normalized'
    assert len(classes['value_labels']) == 90
    assert 'value_labels' not in scores
    assert count['name'] == 'number of detections'


@pytest.mark.parametrize(
    ('name', 'text'),
    [
        ('temp_meta.txt', repr(ULTRALYTICS)),  # as the older exports write it
        ('metadata.json', json.dumps(ULTRALYTICS)),
    ],
)
def test_metadata_of_ultralytics_exports(tmp_path, name, text):
    path = save_unary(tmp_path / 'net.tflite', files={name: text})
    found = described(path)
    assert found['names'] == "{0: 'person', 1: 'bicycle'}"
    assert (found['task'], found['imgsz']) == ('detect', '[640, 640]')


@pytest.mark.parametrize(
    'files',
    [
        {'temp_meta.txt': '__import__("os").abort()'},
        {'temp_meta.txt': '['},
        {'metadata.json': '{'},
        {'metadata.json': '[' * 100_000},
    ],
)
def test_appended_files_that_are_damaged_are_a_remark_and_no_crash(tmp_path, files):
    found = described(save_unary(tmp_path / 'net.tflite', files=files))
    assert set(found) == {'metadata_problem'}


def test_other_files_behind_a_model_are_left_alone(tmp_path):
    path = save_unary(tmp_path / 'net.tflite', files={'readme.txt': 'hello', 'metadata.json': '3'})
    assert described(path) == {}


class Schema:
    """Writes TFLITE_METADATA; a table is a mapping from the number of a field to its value."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder()

    def finish(self, root: dict) -> bytes:
        self.builder.Finish(self._table(root), b'M001')
        return bytes(self.builder.Output())

    def _table(self, fields: dict) -> int:
        values = {number: self._value(value) for number, value in fields.items()}
        self.builder.StartObject(max(fields, default=-1) + 1)
        for number, value in values.items():
            if isinstance(fields[number], np.generic):
                slot = {
                    np.float32: self.builder.PrependFloat32Slot,
                    np.uint8: self.builder.PrependUint8Slot,
                    np.uint32: self.builder.PrependUint32Slot,
                }[type(fields[number])]
                slot(number, value.item(), 0)
            else:
                self.builder.PrependUOffsetTRelativeSlot(number, value, 0)
        return self.builder.EndObject()

    def _value(self, value):
        if isinstance(value, np.generic):
            return value
        if isinstance(value, str):
            return self.builder.CreateString(value)
        if isinstance(value, dict):
            return self._table(value)
        if isinstance(value, np.ndarray):
            return self.builder.CreateNumpyVector(value)
        offsets = [self._value(each) for each in value]
        self.builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return self.builder.EndVector()


def model_metadata(*, inputs=(), outputs=(), groups=()) -> bytes:
    graph = {2: list(inputs), 3: list(outputs), 8: list(groups)}
    return Schema().finish({0: 'net', 3: [graph]})


def test_score_calibration_thresholds_and_groups(tmp_path):
    scores = {
        0: 'score',
        4: [
            {0: np.uint8(2), 1: {0: np.uint8(2), 1: np.float32(0.25)}},
            {0: np.uint8(3), 1: {0: np.float32(0.5)}},
        ],
        6: [{0: 'scores.csv', 2: np.uint8(4)}, {0: 'lost.txt', 2: np.uint8(2)}],
    }
    group = {0: 'detection_result', 1: ['location', 'score']}
    path = save_unary(
        tmp_path / 'net.tflite',
        metadata=model_metadata(outputs=[{0: 'location'}, scores], groups=[group]),
        files={'scores.csv': '1,2,3\n\n4,5,6,0.5\n'},
    )
    found = json.loads(described(path)['tflite_metadata'])
    assert found['output_groups'] == [
        {'name': 'detection_result', 'tensors': ['location', 'score']}
    ]
    score = found['outputs'][1]
    assert score['calibration'] == ['1,2,3', '', '4,5,6,0.5']
    assert (score['transform'], score['default_score']) == ('inverse_logistic', 0.25)
    assert score['score_threshold'] == 0.5
    assert 'labels' not in score


def test_a_union_type_without_a_value_does_not_crash(tmp_path):
    tensor = {0: 'image', 3: {0: np.uint8(2)}, 4: [{0: np.uint8(1)}]}
    strange = {0: 'later', 3: {0: np.uint8(99), 1: {}}, 4: [{0: np.uint8(99), 1: {}}]}
    path = save_unary(tmp_path / 'net.tflite', metadata=model_metadata(inputs=[tensor, strange]))
    inputs = json.loads(described(path)['tflite_metadata'])['inputs']
    assert [each['name'] for each in inputs] == ['image', 'later']
    assert [each['content'] for each in inputs] == ['image', '']
    assert 'mean' not in inputs[0]


def test_image_size_and_gray(tmp_path):
    size = {0: np.uint32(320), 1: np.uint32(240)}
    tensor = {0: 'image', 3: {0: np.uint8(2), 1: {0: np.uint8(2), 1: size}}}
    path = save_unary(tmp_path / 'net.tflite', metadata=model_metadata(inputs=[tensor]))
    (found,) = json.loads(described(path)['tflite_metadata'])['inputs']
    assert (found['color'], found['size']) == ('gray', [320, 240])


@pytest.mark.parametrize(
    'metadata',
    [b'junk', b'\xff' * 64, struct.pack('<I4sI', 8, b'M001', 0xFFFFFFF0)],
)
def test_damaged_metadata_is_a_remark_and_no_crash(tmp_path, metadata):
    found = described(save_unary(tmp_path / 'net.tflite', metadata=metadata))
    assert set(found) == {'metadata_problem'}


def test_flipped_bits_in_metadata_never_raise(tmp_path, shared_data):
    """Offsets lead anywhere; a description is made of what is left."""
    whole = (shared_data / 'tflite_metadata/mobilenet_v1_0.25_224_quant.tflite').read_bytes()
    entry = dict(parse_model(whole, artifact=Path('net')).metadata)['TFLITE_METADATA']
    random = np.random.default_rng(0)
    read = 0
    for _ in range(300):
        damaged = bytearray(entry)
        for place in random.integers(0, len(damaged), 3):
            damaged[place] ^= 1 << random.integers(8)
        found = read_metadata({'TFLITE_METADATA': bytes(damaged)}, b'')
        assert set(found) in ({'tflite_metadata'}, {'metadata_problem'})
        read += 'tflite_metadata' in found
    assert 0 < read < 300


def zipped(*files: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize(
    'files',
    [
        [(f'{index}.txt', bytes(4 << 20)) for index in range(5)],
        [(f'{index}.txt', b'a') for index in range(200)],
        [('temp_meta.txt', b'{' + b'0:0,' * 100_000 + b'}')],
    ],
)
def test_a_zip_that_grows_when_it_is_read_is_a_problem_of_the_metadata(files):
    found = read_metadata({}, bytes(64) + zipped(*files))
    assert list(found) == ['metadata_problem']
    assert 'expected at most' in found['metadata_problem']
