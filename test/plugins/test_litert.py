# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import gc
import os
from pathlib import Path
import weakref

from edge_perception_litert.engine import LiteRtEngineType
import numpy as np
import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import InferenceError
from edge_perception.contract import ModelManifest
from edge_perception.contract import Quantization
from edge_perception.contract import TensorSpec
from test.plugins.engine_cases import CASES
from test.plugins.lite_networks import LiteOperator
from test.plugins.lite_networks import LiteTensor
from test.plugins.lite_networks import save
from test.plugins.lite_networks import save_identity
from test.plugins.lite_networks import save_unary
from test.plugins.lite_networks import save_where
from test.plugins.lite_networks import SHAPE
from test.support.networks import manifest_for as any_manifest_for
from test.support.raising import raises

interpreters = pytest.importorskip(
    'ai_edge_litert.interpreter', reason='LiteRT (ai-edge-litert) is not installed'
)


def manifest_for(shape=SHAPE, layout='nhwc', **recipe) -> ModelManifest:
    return any_manifest_for(shape, layout=layout, **recipe)


create = CASES['litert'].create


def image(dtype='float32', shape=SHAPE) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 100, shape).astype(dtype)


def test_a_file_in_another_layout_than_the_manifest_is_taken_as_it_is(tmp_path):
    path = save_identity(tmp_path / 'net.tflite', SHAPE)
    with create(path, manifest_for((1, 3, 4, 6), layout='nchw')) as engine:
        assert engine.inputs[0].shape == SHAPE
        engine.warm_up()


def test_buffers_are_the_memory_of_the_interpreter(tmp_path):
    """No frame is copied twice, and arrays that somebody still holds do not stop the next one."""
    with create(save_unary(tmp_path / 'net.tflite')) as engine:
        kept = []
        for value in (1, 2, 3):
            buffers = engine.input_buffers()
            assert not buffers['image'].flags.owndata
            assert buffers['image'].flags.c_contiguous
            buffers['image'].fill(value)
            results = engine.infer(buffers)
            assert (results['result'] == -value).all()
            kept += [buffers, results]
        tensor = engine._interpreter.tensor(engine._input_indices['image'])
        address = tensor().ctypes.data
        assert engine.input_buffers()['image'].ctypes.data == address


def test_what_was_kept_too_long_can_still_be_read(tmp_path):
    engine = create(save_unary(tmp_path / 'net.tflite'))
    engine.activate()
    results = engine.infer({'image': np.ones(SHAPE, np.float32)})
    buffers = engine.input_buffers()
    engine.deactivate()
    gc.collect()
    assert (results['result'] == -1).all()
    buffers['image'].fill(0)


def test_buffers_of_an_earlier_frame_are_taken_as_they_are_now(tmp_path):
    with create(save_unary(tmp_path / 'net.tflite')) as engine:
        buffers = engine.input_buffers()
        for value in (1, 2):
            buffers['image'].fill(value)
            assert (engine.infer(buffers)['result'] == -value).all()


@pytest.mark.parametrize(
    ('scales', 'zero_points', 'expected'),
    [
        ((0.5,), (3,), Quantization(0.5, 3)),
        ((), (), None),
        ((0.0,), (0,), None),
        ((0.5, 0.25, 0.125), (0, 0, 0), None),  # for each channel another
    ],
)
def test_scale_and_zero_point_are_handed_on_and_not_applied(
    tmp_path, scales, zero_points, expected
):
    path = tmp_path / 'net.tflite'
    save_identity(path, dtype='uint8', scales=scales, zero_points=zero_points)
    described = LiteRtEngineType().describe(path)
    assert described.inputs[0].quantization == described.outputs[0].quantization == expected
    with create(path, manifest_for(dtype='uint8')) as engine:
        assert engine.outputs[0].quantization == expected
        result = engine.infer({'image': image('uint8')})['result']
        np.testing.assert_array_equal(result, image('uint8'))


def test_a_manifest_in_real_numbers_fits_a_quantized_file(tmp_path):
    path = save_identity(tmp_path / 'net.tflite', dtype='int8', scales=(0.1,), zero_points=(-5,))
    with create(path, manifest_for(dtype='float32')) as engine:
        assert engine.inputs == (
            TensorSpec('image', SHAPE, np.dtype('int8'), Quantization(np.float32(0.1), -5)),
        )
        engine.warm_up()


def test_outputs_may_change_their_size_and_stand_beside_fixed_ones(tmp_path):
    path = save_where(tmp_path / 'net.tflite')
    assert [spec.shape for spec in LiteRtEngineType().describe(path).outputs] == [(-1, 4), SHAPE]
    with create(path) as engine:
        assert [spec.shape for spec in engine.outputs] == [(-1, 4), SHAPE]
        engine.warm_up()
        kept = []
        for count in (0, 5, 72, 2):
            frame = engine.input_buffers()['image']
            frame.fill(0)
            frame.ravel()[:count] = 1
            results = engine.infer({'image': frame})
            assert results['where'].shape == (count, 4)
            np.testing.assert_array_equal(results['negative'], -frame)
            kept.append(results)
        assert [len(each['where']) for each in kept] == [0, 5, 72, 2]


def test_outputs_that_share_a_name_are_told_apart_by_their_place(tmp_path):
    tensors = [LiteTensor('image'), LiteTensor('twin'), LiteTensor('twin')]
    operators = [LiteOperator('NEG', ('image',), ('twin',))]
    path = save(tmp_path / 'net.tflite', operators, tensors, outputs=('twin', 'twin'))
    with create(path) as engine:
        assert [spec.name for spec in engine.outputs] == ['0', '1']
        assert set(engine.infer({'image': image()})) == {'0', '1'}


@pytest.mark.parametrize('xnnpack', [True, False])
@pytest.mark.parametrize('threads', [0, 1, 2])
def test_every_option_gives_the_same_result(tmp_path, threads, xnnpack):
    path = save_unary(tmp_path / 'net.tflite')
    with create(path, threads=threads, xnnpack=xnnpack) as engine:
        assert engine.device == 'cpu'
        np.testing.assert_array_equal(engine.infer({'image': image()})['result'], -image())


def test_threads_and_xnnpack_reach_the_runtime(tmp_path, monkeypatch):
    seen = []

    class Interpreter(interpreters.Interpreter):
        def __init__(self, **settings):
            seen.append(settings)
            super().__init__(**settings)

    monkeypatch.setattr(interpreters, 'Interpreter', Interpreter)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {0, 1, 2})
    path = save_unary(tmp_path / 'net.tflite')
    create(path, threads=0)
    create(path, threads=7, xnnpack=False)
    assert [each['num_threads'] for each in seen] == [3, 7]
    resolvers = [each['experimental_op_resolver_type'].name for each in seen]
    assert resolvers == ['AUTO', 'BUILTIN_WITHOUT_DEFAULT_DELEGATES']


def test_a_failure_of_the_runtime_is_an_error_and_the_next_frame_works(tmp_path):
    path = save(
        tmp_path / 'net.tflite',
        [
            LiteOperator('CAST', ('image',), ('rows',)),
            LiteOperator('GATHER', ('table', 'rows'), ('result',), ('GatherOptions', {'axis': 0})),
        ],
        [
            LiteTensor('image'),
            LiteTensor('rows', dtype='int32'),
            LiteTensor('table', (3,), data=np.arange(3, dtype=np.float32)),
            LiteTensor('result'),
        ],
    )
    with create(path) as engine:
        with raises(InferenceError, 'net.tflite: ', 'ai-edge-litert', 'gather index') as error:
            engine.infer({'image': np.full(SHAPE, 7, np.float32)})
        assert '\n' not in str(error.value)
        result = engine.infer({'image': np.full(SHAPE, 2, np.float32)})['result']
        assert (result == 2).all()


def test_deactivate_gives_the_interpreter_back(tmp_path):
    engine = create(save_unary(tmp_path / 'net.tflite'))
    engine.activate()
    engine.warm_up(1)
    interpreter = weakref.ref(engine._interpreter)
    engine.deactivate()
    assert interpreter() is None


def test_a_file_that_changes_under_a_running_engine_changes_nothing(tmp_path):
    path = save_unary(tmp_path / 'net.tflite')
    engine = create(path)
    path.write_bytes(b'')
    for _ in range(2):
        with engine:
            assert (engine.infer({'image': image()})['result'] == -image()).all()


def test_equals_an_interpreter_of_the_vendor_on_yolox(shared_data):
    path = shared_data / 'yolox_nano/yolox_nano_float16_quantize.tflite'
    shape = (1, 3, 416, 416)
    vendor = interpreters.Interpreter(str(path))
    vendor.allocate_tensors()
    (entry,), (leaving,) = vendor.get_input_details(), vendor.get_output_details()
    with create(path, manifest_for(shape, layout='nchw', color='bgr')) as engine:
        (given,), (result,) = engine.inputs, engine.outputs
        engine.warm_up()
        for seed in (0, 1, 0):
            frame = np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)
            vendor.set_tensor(entry['index'], frame)
            vendor.invoke()
            engine.input_buffers()[given.name][:] = frame
            got = engine.infer(engine.input_buffers())[result.name]
            np.testing.assert_array_equal(got, vendor.get_tensor(leaving['index']))


def test_a_network_whose_outputs_are_unknown_before_memory_is_taken(shared_data):
    path = shared_data / 'ssd_mobilenet_v1_coco/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite'
    shapes = [(1, 10, 4), (1, 10), (1, 10), (1,)]
    assert [spec.shape for spec in LiteRtEngineType().describe(path).outputs] == shapes
    with create(path, manifest_for((1, 300, 300, 3), dtype='uint8')) as engine:
        assert [spec.shape for spec in engine.outputs] == shapes
        engine.warm_up()


def save_depthwise(path: Path, scales: tuple[float, ...], axis: int) -> Path:
    weights = np.full((1, 3, 3, 3), 64, np.int8)
    return save(
        path,
        [
            LiteOperator(
                'DEPTHWISE_CONV_2D',
                ('image', 'weights', 'bias'),
                ('result',),
                (
                    'DepthwiseConv2DOptions',
                    {'strideW': 1, 'strideH': 1, 'depthMultiplier': 1}
                    | {'dilationWFactor': 1, 'dilationHFactor': 1},
                ),
            )
        ],
        [
            LiteTensor('image'),
            LiteTensor('weights', weights.shape, 'int8', None, scales, (0,) * len(scales), weights)
            if axis
            else LiteTensor('weights', weights.shape, 'int8', None, scales, (0,), weights, axis=0),
            LiteTensor('bias', (3,), data=np.zeros(3, np.float32)),
            LiteTensor('result'),
        ],
    )


@pytest.mark.parametrize('xnnpack', [True, False])
def test_a_filter_with_one_scale_for_many_channels_is_refused(tmp_path, xnnpack):
    """The runtime reads one for each channel, and what lies behind the first is anything."""
    path = save_depthwise(tmp_path / 'net.tflite', (0.01,), axis=0)
    with raises(ArtifactError, '3 channels', 'INT8', '1 scales', artifact=path):
        create(path, xnnpack=xnnpack)
    # What it says of itself can be read, for other engines.
    assert LiteRtEngineType().describe(path).inputs[0].shape == SHAPE


def test_a_filter_with_a_scale_for_each_channel_is_computed(tmp_path):
    path = save_depthwise(tmp_path / 'net.tflite', (0.01, 0.02, 0.03), axis=3)
    with create(path) as engine:
        engine.warm_up()
        result = engine.infer({'image': np.ones(SHAPE, np.float32)})['result']
    assert result[0, 1, 1] == pytest.approx(np.array([0.01, 0.02, 0.03]) * 64 * 9, rel=0.02)
