# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The builder over a fake TensorRT; test_tensorrt_bindings.py has it over the real bindings."""

from __future__ import annotations

from pathlib import Path
import sys

from edge_perception_tensorrt.builder import TensorRtBuilder
from edge_perception_tensorrt.engine import TensorRtEngineType
from edge_perception_tensorrt.options import TensorRtBuilderOptions
from edge_perception_tensorrt.options import TensorRtOptions
import numpy as np
import onnx
from onnx import helper
import pytest

from edge_perception.contract import BuildError
from edge_perception.contract import BuildPlan
from edge_perception.contract import BuildReport
from test.support.networks import manifest_for
from test.support.networks import save
from test.support.networks import save_conv
from test.support.networks import save_identity
from test.support.networks import SHAPE
from test.support.networks import tensor
from test.support.raising import raises
from test.support.tensorrt_stubs import nvidia_machine


@pytest.fixture
def machine(monkeypatch):
    with nvidia_machine(monkeypatch) as behavior:
        yield behavior


def build(source: Path, precision: str = 'fp32', manifest=None, **options) -> BuildReport:
    workspace = source.parent / 'workspace'
    workspace.mkdir(exist_ok=True)
    return TensorRtBuilder().build(plan(source, precision, manifest, **options), workspace)


def plan(source: Path, precision: str = 'fp32', manifest=None, **options) -> BuildPlan:
    return BuildPlan(
        manifest=manifest or manifest_for(),
        source=source,
        precision=precision,
        options=TensorRtBuilderOptions(**options),
    )


def save_quantized(path: Path) -> Path:
    scale = onnx.numpy_helper.from_array(np.float32(0.5), 'scale')
    zero = onnx.numpy_helper.from_array(np.int8(0), 'zero')
    nodes = [
        helper.make_node('QuantizeLinear', ['image', 'scale', 'zero'], ['stored']),
        helper.make_node('DequantizeLinear', ['stored', 'scale', 'zero'], ['result']),
    ]
    inputs, outputs = [tensor('image', SHAPE)], [tensor('result', SHAPE)]
    return save(path, nodes, inputs, outputs, constants=[scale, zero])


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / 'workspace').iterdir())


def test_what_is_built_runs(tmp_path, machine):
    report = build(save_conv(tmp_path / 'net.onnx'))
    assert report.artifact == tmp_path / 'workspace' / 'net_fp32.engine'
    assert report.versions == {'tensorrt': '10.3.0'}
    assert left_in(tmp_path) == ['net_fp32.engine']
    engine = TensorRtEngineType().create(manifest_for(), report.artifact, TensorRtOptions())
    with engine:
        sums = engine.infer({'image': np.ones(SHAPE, np.float32)})['sums']
    assert sums[0, 0].tolist()[1] == [18, 27, 27, 27, 27, 18]


def test_an_open_input_is_closed_to_the_size_of_the_manifest(tmp_path, machine):
    source = save_identity(tmp_path / 'net.onnx', shape=('batch', 3, 'height', 'width'))
    report = build(source)
    assert machine.config.profiles == [(SHAPE, SHAPE, SHAPE)]
    assert report.notes == ('the plan takes 1x3x4x6 float32 only',)


@pytest.mark.parametrize(
    ('version', 'flags', 'forms'),
    [
        ('8.6.1', ['FP16', 'INT8'], ['float32', 'float32', 'qdq_symmetric']),
        ('10.3.0', ['FP16', 'INT8'], ['float32', 'float32', 'qdq_symmetric']),
        ('10.13.3.9', [], ['float32', 'float16', 'qdq_symmetric']),
        ('11.4.0.106', [], ['float32', 'float16', 'qdq_symmetric']),
    ],
)
def test_precision_is_a_flag_before_10_12_and_in_the_source_after(
    tmp_path, monkeypatch, version, flags, forms
):
    source, quantized = save_conv(tmp_path / 'net.onnx'), save_quantized(tmp_path / 'qdq.onnx')
    with nvidia_machine(monkeypatch, version=version) as machine:
        asked = []
        for precision in ('fp32', 'fp16', 'int8'):
            build(quantized if precision == 'int8' else source, precision)
            asked += sorted(machine.config.flags_set)
        assert asked == flags
        assert [TensorRtBuilder().source_form(each) for each in ('fp32', 'fp16', 'int8')] == forms


def test_without_tensorrt_the_source_is_what_the_newest_wants(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tensorrt', None)
    assert TensorRtBuilder().source_form('fp16') == 'float16'
    assert not TensorRtBuilder().probe().available


def test_a_build_knows_what_it_depends_on(tmp_path, machine):
    fingerprint = TensorRtBuilder().fingerprint(plan(tmp_path / 'net.onnx'))
    assert fingerprint['tensorrt'] == '10.3.0'
    assert fingerprint['device'].startswith('Fake GPU 0, compute capability 8.7, driver ')


def test_a_plan_is_judged_on_the_device_that_it_is_for(tmp_path, machine):
    options = TensorRtBuilderOptions(device='dla0')
    values = TensorRtBuilder().engine_options(options)
    key = TensorRtEngineType().device_key(TensorRtOptions(**values))
    assert 'DLA 0' in key
    assert key == TensorRtBuilder().fingerprint(plan(tmp_path, device='dla0'))['device']


def test_a_timing_cache_is_begun_read_and_replaced(tmp_path, machine):
    source, cache = save_conv(tmp_path / 'net.onnx'), tmp_path / 'cache'
    build(source, timing_cache=str(cache))
    assert cache.read_bytes() == b'measured'
    build(source, timing_cache=str(cache))
    assert cache.read_bytes() == b'measured' * 2
    cache.write_bytes(b'foreign')
    (note,) = build(source, timing_cache=str(cache)).notes
    assert 'is of another GPU or TensorRT' in note
    assert cache.read_bytes() == b'measured'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['cache', 'net.onnx', 'workspace']


def test_a_timing_cache_that_cannot_be_written_is_a_note(tmp_path, machine):
    report = build(
        save_conv(tmp_path / 'net.onnx'), timing_cache=str(tmp_path / 'net.onnx' / 'cache')
    )
    assert 'cannot be written: ' in report.notes[0]
    assert report.artifact.exists()


@pytest.mark.parametrize(
    ('failures', 'names'),
    [
        (
            {'parse': '\n'.join(f'No importer for {name}' for name in 'ABCDE')},
            ['node 0: No importer for A', 'node 1: ', 'node 2: ', '2 more'],
        ),
        ({'build': 'Error Code 10: no tactic'}, ['fp32', 'Error Code 10: no tactic']),
        (
            {'runtime': 'CUDA initialization failure with error: 35.'},
            ['NVIDIA driver'],
        ),
    ],
)
def test_what_fails_is_one_sentence_and_leaves_nothing(tmp_path, machine, failures, names):
    machine.failures.update(failures)
    with raises(BuildError, *names):
        build(save_conv(tmp_path / 'net.onnx'))
    assert left_in(tmp_path) == []


def test_a_file_that_is_no_onnx_is_refused(tmp_path, machine):
    (tmp_path / 'net.onnx').write_bytes(b'no protobuf')
    with raises(BuildError, 'node -1: Failed to parse'):
        build(tmp_path / 'net.onnx')
    assert left_in(tmp_path) == []


def test_int8_wants_a_quantized_source(tmp_path, machine):
    with raises(BuildError, 'QuantizeLinear'):
        build(save_conv(tmp_path / 'net.onnx'), 'int8')


def test_a_manifest_that_does_not_fit_is_refused(tmp_path, machine):
    with raises(BuildError, "tensor 'image'", '1x3x8x8 float32'):
        build(save_conv(tmp_path / 'net.onnx'), manifest=manifest_for((1, 3, 8, 8)))


def test_a_dla_computes_no_fp32(tmp_path, monkeypatch):
    with (
        nvidia_machine(monkeypatch, dla_cores=2, integrated=True),
        raises(BuildError, 'fp32', 'fp16', 'int8'),
    ):
        build(save_conv(tmp_path / 'net.onnx'), device='dla0')
