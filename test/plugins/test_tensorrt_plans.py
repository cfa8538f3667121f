# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from pathlib import Path

from edge_perception_tensorrt.engine import TensorRtEngineType
from edge_perception_tensorrt.errors import NEEDS_PLUGIN
from edge_perception_tensorrt.errors import OTHER_OPERATORS
from edge_perception_tensorrt.plan import BUILD_AGAIN
from edge_perception_tensorrt.plan import COPY_AGAIN
import numpy as np
import onnx
from onnx import helper
from onnx import TensorProto
import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import TensorSpec
from test.plugins.engine_cases import CASES
from test.support.networks import save
from test.support.networks import save_identity
from test.support.networks import SHAPE
from test.support.networks import tensor
from test.support.raising import raises
from test.support.tensorrt_stubs import nvidia_machine
from test.support.tensorrt_stubs.behavior import plan_of

# What Ultralytics 8 writes before a plan, shortened.
METADATA = {'description': 'Ultralytics YOLO11n model', 'stride': 32, 'names': {'0': 'person'}}


@pytest.fixture
def machine(monkeypatch):
    with nvidia_machine(monkeypatch) as behavior:
        yield behavior


def plan(folder: Path, version: str = '10.3.0.26', *, prefix: bytes = b'') -> Path:
    network = onnx.load(save_identity(folder / 'net.onnx'))
    path = folder / 'net.engine'
    path.write_bytes(prefix + plan_of(network, version))
    return path


create = CASES['tensorrt'].create


def metadata_prefix(metadata: dict) -> bytes:
    text = json.dumps(metadata).encode()
    return len(text).to_bytes(4, 'little') + text


def test_metadata_before_a_plan_is_read_and_does_not_disturb(tmp_path, machine):
    path = plan(tmp_path, prefix=metadata_prefix(METADATA))
    description = TensorRtEngineType().describe(path)
    assert description.inputs == (TensorSpec('image', SHAPE, np.dtype(np.float32)),)
    assert description.outputs == (TensorSpec('result', SHAPE, np.dtype(np.float32)),)
    assert description.metadata['description'] == 'Ultralytics YOLO11n model'
    assert description.metadata['stride'] == '32'
    assert description.metadata['names'] == "{0: 'person'}"
    with create(path) as engine:
        assert engine.infer({'image': np.ones(SHAPE, np.float32)})['result'].all()


def test_a_plan_without_metadata_has_none(tmp_path, machine):
    assert TensorRtEngineType().describe(plan(tmp_path)).metadata == {}


@pytest.mark.parametrize(
    ('made_by', 'installed', 'fits'),
    [
        ('10.3.0.26', '10.3.0', True),
        ('10.3.1.4', '10.3.0', True),
        ('8.6.1.6', '10.3.0', False),
        ('10.4.0.26', '10.3.0', False),
        ('10.3.0.26', '8.6.1', False),
    ],
)
def test_a_plan_of_another_version_is_refused_before_tensorrt_reads_it(
    tmp_path, monkeypatch, made_by, installed, fits
):
    with nvidia_machine(monkeypatch, version=installed) as machine:
        machine.failures['deserialize'] = 'reached'
        refused = [f'TensorRT {made_by}', f'TensorRT {installed}', BUILD_AGAIN]
        with raises(ArtifactError, *(['reached'] if fits else refused)):
            create(plan(tmp_path, made_by))


@pytest.mark.parametrize(
    ('content', 'remedy'),
    [
        (b'\x08\x08\x12\x07pytorch and an ONNX file', BUILD_AGAIN),
        (b'ftrt\0\0\0\0', COPY_AGAIN),
        (metadata_prefix(METADATA), BUILD_AGAIN),
        (metadata_prefix(METADATA)[:40], BUILD_AGAIN),
        (b'\xff\xff\xff\xff{}', BUILD_AGAIN),
    ],
)
def test_a_file_that_is_no_plan_never_reaches_tensorrt(tmp_path, machine, content, remedy):
    path = tmp_path / 'net.engine'
    path.write_bytes(content)
    machine.failures['deserialize'] = 'reached'
    with raises(ArtifactError, artifact=path, remedy=remedy) as raised:
        create(path)
    assert 'reached' not in raised.value.reason


# As TensorRT 8.5 to 10 log them; the sources are in errors.py.
@pytest.mark.parametrize(
    ('said', 'names', 'remedy'),
    [
        (
            '1: [stdArchiveReader.cpp::StdArchiveReader::40] Error Code 1: Serialization '
            '(Serialization assertion stdVersionRead == serializationVersion failed.Version tag '
            'does not match. Note: Current Version: 213, Serialized Engine Version: 232)',
            ['TensorRT than 10.3.0'],
            BUILD_AGAIN,
        ),
        (
            'IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization '
            'assertion magicTagRead == kMAGIC_TAG failed.Magic tag does not match)',
            ['TensorRT plan'],
            BUILD_AGAIN,
        ),
        (
            'Serialization assertion sizeRead == static_cast<uint64_t>(mEnd - mCurrent) '
            'failed.Size specified in header does not match archive size',
            [],
            COPY_AGAIN,
        ),
        (
            'The engine plan file is generated on an incompatible device, expecting compute 8.9 '
            'got compute 8.6, please rebuild.',
            ['for a GPU of compute capability 8.6', '8.9'],
            BUILD_AGAIN,
        ),
        (
            'IPluginRegistry::getPluginCreator: Error Code 4: API Usage Error (Cannot find '
            'plugin: EfficientIdxNMS_TRT, version: 1, namespace:.)',
            [NEEDS_PLUGIN],
            OTHER_OPERATORS,
        ),
        (
            'Error Code 2: Internal Error (Assertion failed)',
            ['TensorRT 10.3.0', 'Error Code 2: Internal Error'],
            BUILD_AGAIN,
        ),
    ],
)
def test_a_plan_that_tensorrt_refuses_is_explained(tmp_path, machine, said, names, remedy):
    machine.failures['deserialize'] = said
    with raises(ArtifactError, *names, remedy=remedy):
        create(plan(tmp_path))


def test_a_plan_that_does_not_fit_is_no_fault_of_the_file(tmp_path, machine):
    machine.failures['deserialize'] = 'Error Code 2: OutOfMemory (no further information)'
    with raises(EngineUnavailableError, 'GPU', engine='tensorrt'):
        create(plan(tmp_path))


@pytest.mark.parametrize(
    ('kind', 'name'), [(TensorProto.BFLOAT16, 'BF16'), (TensorProto.FLOAT8E4M3FN, 'FP8')]
)
def test_types_that_numpy_does_not_have_are_refused(tmp_path, machine, kind, name):
    node = helper.make_node('Cast', ['image'], ['result'], to=kind)
    outputs = [tensor('result', SHAPE, kind)]
    network = save(tmp_path / 'net.onnx', [node], [tensor('image', SHAPE)], outputs, opset=19)
    path = tmp_path / 'net.engine'
    path.write_bytes(plan_of(onnx.load(network)))
    with raises(ArtifactError, f"'result' is of type {name}", artifact=path):
        create(path)


@pytest.mark.parametrize(
    ('what', 'value', 'names'),
    [
        ('format', 'CHW32', ['CHW32', 'LINEAR']),
        ('location', 'HOST', ['host']),
    ],
)
def test_tensors_that_are_no_plain_arrays_are_refused(tmp_path, machine, what, value, names):
    setattr(machine, what, value)
    with raises(ArtifactError, *names):
        create(plan(tmp_path))
