# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from pathlib import Path
import weakref

from edge_perception_onnxruntime import inference_session
from edge_perception_onnxruntime.engine import OnnxRuntimeEngineType
from edge_perception_onnxruntime.options import OnnxRuntimeOptions
from edge_perception_onnxruntime.weights import holds_float16
import numpy as np
import onnx
from onnx import helper
from onnx import TensorProto
import onnxruntime
import pytest

from edge_perception.contract import InferenceError
from test.plugins.engine_cases import CASES
from test.support.networks import manifest_for
from test.support.networks import save
from test.support.networks import save_conv
from test.support.networks import SHAPE
from test.support.networks import tensor
from test.support.raising import raises

create = CASES['onnxruntime'].create


def test_an_output_of_unknown_rank_has_the_shape_that_comes(tmp_path):
    nodes = [
        helper.make_node('Flatten', ['image'], ['flat'], axis=0),
        helper.make_node('Cast', ['flat'], ['marked'], to=TensorProto.BOOL),
        helper.make_node('Compress', ['flat', 'marked'], ['sides'], axis=1),
        helper.make_node('Cast', ['sides'], ['whole'], to=TensorProto.INT64),
        helper.make_node('Flatten', ['whole'], ['row'], axis=0),
        helper.make_node('Squeeze', ['row', 'first'], ['shape']),
        helper.make_node('Reshape', ['image', 'shape'], ['result']),
    ]
    path = save(
        tmp_path / 'net.onnx',
        nodes,
        [tensor('image', SHAPE)],
        [tensor('result', None)],
        constants=[onnx.numpy_helper.from_array(np.array([0]), 'first')],
    )
    with create(path) as engine:
        for sides in ((8, 9), (2, 6, 6), (72,)):
            frame = np.zeros(SHAPE, np.float32)
            frame.ravel()[: len(sides)] = sides
            result = engine.infer({'image': frame})['result']
            np.testing.assert_array_equal(result, frame.reshape(sides))


@pytest.mark.parametrize('level', ['disable', 'basic', 'extended', 'all'])
def test_graph_levels_give_the_same_result(tmp_path, level):
    with create(save_conv(tmp_path / 'net.onnx'), graph_level=level, spinning=True) as engine:
        sums = engine.infer({'image': np.ones(SHAPE, np.float32)})['sums']
    assert sums.sum() == 2 * 3 * (4 * 3 - 2) * (6 * 3 - 2)


def test_threads_are_as_many_as_asked_for(tmp_path):
    path = save_conv(tmp_path / 'net.onnx')
    counts = []
    for threads in (1, 4):
        before = len(os.listdir('/proc/self/task'))
        options = OnnxRuntimeOptions(threads=threads)
        with OnnxRuntimeEngineType().create(manifest_for(), path, options):
            counts.append(len(os.listdir('/proc/self/task')) - before)
    assert counts == [0, 3]  # the thread that calls computes as well


def test_a_failure_of_the_runtime_is_an_error_and_the_next_frame_works(tmp_path, capfd):
    nodes = [
        helper.make_node('Cast', ['image'], ['rows'], to=TensorProto.INT64),
        helper.make_node('Gather', ['table', 'rows'], ['result']),
    ]
    table = onnx.numpy_helper.from_array(np.arange(3, dtype=np.float32), 'table')
    path = save(
        tmp_path / 'net.onnx',
        nodes,
        [tensor('image', SHAPE)],
        [tensor('result', SHAPE)],
        constants=[table],
    )
    with create(path) as engine:
        with raises(InferenceError, 'net.onnx: onnxruntime ', 'Gather') as error:
            engine.infer({'image': np.full(SHAPE, 7, np.float32)})
        assert '\n' not in str(error.value)
        result = engine.infer({'image': np.full(SHAPE, 2, np.float32)})['result']
        assert (result == 2).all()
    assert capfd.readouterr() == ('', '')


def test_deactivate_gives_the_session_back(tmp_path):
    engine = create(save_conv(tmp_path / 'net.onnx'))
    engine.activate()
    session = weakref.ref(engine._session)
    engine.deactivate()
    assert session() is None


def test_equals_a_session_of_the_vendor_on_yolox(shared_data):
    path = shared_data / 'yolox_nano/yolox_nano.onnx'
    shape = (1, 3, 416, 416)
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    with create(path, manifest_for(shape, color='bgr')) as engine:
        engine.warm_up()
        for seed in (0, 1, 0):
            frame = np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)
            engine.input_buffers()['images'][:] = frame
            got = engine.infer(engine.input_buffers())['output'].copy()
            np.testing.assert_allclose(
                got, session.run(None, {'images': frame})[0], rtol=1e-4, atol=1e-4
            )
            again = engine.infer(engine.input_buffers())['output']
            np.testing.assert_array_equal(again, got)


def test_yunet_with_open_sizes_equals_the_one_with_fixed_sizes(shared_data):
    shape = (1, 3, 320, 320)
    frame = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    results = []
    for name in ('yunet_n_dynamic.onnx', 'yunet_n_320_320.onnx'):
        with create(shared_data / 'yunet' / name, manifest_for(shape)) as engine:
            assert engine.outputs[0].shape[0] == 1
            results.append(dict(engine.infer({'input': frame})))
    assert results[0].keys() == results[1].keys()
    for name, value in results[0].items():
        np.testing.assert_allclose(value, results[1][name], rtol=1e-3, atol=1e-4)


def test_a_quantized_network_takes_bytes(shared_data):
    path = shared_data / 'movenet_lightning/movenet_lightning_ptq_qdq.onnx'
    manifest = manifest_for((1, 192, 192, 3), layout='nhwc', dtype='uint8')
    with create(path, manifest) as engine:
        engine.warm_up()
        (result,) = engine.infer(engine.input_buffers()).values()
    assert result.shape == (1, 1, 17, 3)


def save_half(path: Path) -> Path:
    weight = np.ones((2, 3, 1, 1), np.float16)
    return save(
        path,
        [
            helper.make_node('Cast', ['image'], ['half'], to=TensorProto.FLOAT16),
            helper.make_node('Conv', ['half', 'weight'], ['sums']),
            helper.make_node('Cast', ['sums'], ['result'], to=TensorProto.FLOAT),
        ],
        [tensor('image', SHAPE)],
        [tensor('result', (1, 2, 4, 6))],
        constants=[onnx.numpy_helper.from_array(weight, 'weight')],
    )


@pytest.mark.parametrize(
    ('make', 'native', 'option', 'level'),
    [
        (save_half, True, {}, 'ORT_ENABLE_EXTENDED'),
        (save_half, False, {}, 'ORT_ENABLE_ALL'),
        (save_half, True, {'graph_level': 'all'}, 'ORT_ENABLE_ALL'),
        (save_conv, True, {}, 'ORT_ENABLE_ALL'),
    ],
)
def test_float16_is_optimized_less_where_the_processor_computes_it(
    tmp_path, monkeypatch, make, native, option, level
):
    taken = []
    session = onnxruntime.InferenceSession

    def spy(path, settings, **rest):
        taken.append(settings.graph_optimization_level)
        return session(path, settings, **rest)

    monkeypatch.setattr(inference_session, 'computes_float16', lambda: native)
    monkeypatch.setattr(onnxruntime, 'InferenceSession', spy)
    with create(make(tmp_path / 'net.onnx'), **option) as engine:
        engine.warm_up()
    assert taken == [getattr(onnxruntime.GraphOptimizationLevel, level)]


@pytest.mark.parametrize('content', [b'', b'\xff' * 40, b'\x3a\x7f', bytes(range(64))])
def test_what_is_no_onnx_holds_no_float16(content):
    assert not holds_float16(content)


def test_a_number_that_never_ends_is_no_weight_in_float16():
    """Read to its end, a number of megabytes would take hours."""

    def file(number: bytes) -> bytes:
        weight = b'\x10' + number  # data_type
        graph = b'\x2a' + bytes([len(weight)]) + weight
        return b'\x3a' + bytes([len(graph)]) + graph

    assert holds_float16(file(b'\x0a'))
    assert not holds_float16(file(b'\x8a' + b'\x80' * 10 + b'\x00'))


def test_fields_without_end_are_not_all_looked_at(monkeypatch):
    monkeypatch.setattr('edge_perception_onnxruntime.weights.MOST_FIELDS', 100)
    model = b'\x3a\x04\x2a\x02\x10\x0a'  # a graph with a weight in float16
    assert holds_float16(b'\x08\x00' * 90 + model)
    assert not holds_float16(b'\x08\x00' * 110 + model)
