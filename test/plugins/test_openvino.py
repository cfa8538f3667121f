# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import weakref

import cv2
from edge_perception_openvino.library import load_library
import numpy as np
from onnx import helper
from onnx import numpy_helper
from onnx import TensorProto
import pytest

from edge_perception.contract import InferenceError
from test.plugins.engine_cases import CASES
from test.support.networks import manifest_for
from test.support.networks import save
from test.support.networks import save_conv
from test.support.networks import SHAPE
from test.support.networks import tensor
from test.support.raising import raises

pytest.importorskip('openvino', reason='OpenVINO (openvino) is not installed')


create = CASES['openvino'].create


def image(dtype='float32', shape=SHAPE) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 100, shape).astype(dtype)


def test_the_frame_is_written_into_memory_of_the_runtime(tmp_path):
    with create(save_conv(tmp_path / 'net.onnx')) as engine:
        buffer = engine.input_buffers()['image']
        assert np.shares_memory(buffer, engine._requests[1][0].get_input_tensor(0).data)
        assert buffer.flags.c_contiguous and buffer.flags.writeable


def test_outputs_that_are_one_tensor_keep_their_own_names(tmp_path):
    # 2022.3 puts all three names on each of them.
    nodes = [
        helper.make_node('Relu', ['image'], ['first']),
        helper.make_node('Identity', ['first'], ['second']),
        helper.make_node('Identity', ['first'], ['third']),
    ]
    names = ['second', 'first', 'third']
    path = save(
        tmp_path / 'net.onnx',
        nodes,
        [tensor('image', SHAPE)],
        [tensor(name, SHAPE) for name in names],
    )
    with create(path) as engine:
        assert [spec.name for spec in engine.outputs] == names
        results = engine.infer({'image': image()})
        for name in names:
            np.testing.assert_array_equal(results[name], image())


def test_an_output_without_a_name_gets_one(tmp_path):
    core = load_library().Core()
    model = core.read_model(str(save_conv(tmp_path / 'net.onnx')))
    model.outputs[0].get_tensor().set_names(set())
    load_library().serialize(model, str(tmp_path / 'net.xml'))
    with create(tmp_path / 'net.xml') as engine:
        assert [spec.name for spec in engine.outputs] == ['output_0']
        assert engine.infer({'image': image()})['output_0'].shape == (1, 2, 4, 6)


def test_ir_gives_the_same_as_onnx(tmp_path):
    path = save_conv(tmp_path / 'net.onnx')
    library = load_library()
    library.serialize(library.Core().read_model(str(path)), str(tmp_path / 'net.xml'))
    results = []
    for suffix in ('.onnx', '.xml'):
        with create(path.with_suffix(suffix)) as engine:
            results.append(dict(engine.infer({'image': image()})))
    np.testing.assert_array_equal(results[0]['sums'], results[1]['sums'])


def test_threads_are_as_many_as_asked_for(tmp_path):
    with create(save_conv(tmp_path / 'net.onnx')) as engine:
        assert engine._loaded.compiled.get_property('INFERENCE_NUM_THREADS') == 1


def test_a_failure_of_the_runtime_is_an_error_and_the_next_frame_works(tmp_path):
    nodes = [
        helper.make_node('NonZero', ['image'], ['where']),
        helper.make_node('Reshape', ['where', 'shape'], ['result']),
    ]
    path = save(
        tmp_path / 'net.onnx',
        nodes,
        [tensor('image', SHAPE)],
        [tensor('result', (2, 10), TensorProto.INT64)],
        constants=[numpy_helper.from_array(np.array([2, 10]), 'shape')],
    )
    frame = np.zeros(SHAPE, np.float32)
    with create(path) as engine:
        frame.ravel()[:4] = 1
        with raises(InferenceError, 'net.onnx: openvino ', 'eshape') as error:
            engine.infer({'image': frame})
        assert '\n' not in str(error.value)
        frame.ravel()[:5] = 1
        assert engine.infer({'image': frame})['result'].shape == (2, 10)


def test_deactivate_gives_the_network_back(tmp_path):
    engine = create(save_conv(tmp_path / 'net.onnx'))
    engine.activate()
    network, request = weakref.ref(engine._loaded.compiled), weakref.ref(engine._requests[1][0])
    engine.deactivate()
    assert network() is None
    assert request() is None


def test_an_output_that_is_kept_too_long_is_no_crash(tmp_path):
    engine = create(save_conv(tmp_path / 'net.onnx'))
    with engine:
        kept = engine.infer({'image': image()})['sums']
        expected = kept.copy()
    del engine
    np.testing.assert_array_equal(kept, expected)


def test_equals_a_request_of_the_vendor_on_yolox(shared_data):
    path = shared_data / 'yolox_nano/yolox_nano.onnx'
    shape = (1, 3, 416, 416)
    core = load_library().Core()
    settings = {'INFERENCE_PRECISION_HINT': 'f32'}
    compiled = core.compile_model(core.read_model(str(path)), 'CPU', settings)
    request = compiled.create_infer_request()
    with create(path, manifest_for(shape, color='bgr')) as engine:
        engine.warm_up()
        for seed in (0, 1, 0):
            frame = np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)
            engine.input_buffers()['images'][:] = frame
            got = engine.infer(engine.input_buffers())['output'].copy()
            (expected,) = request.infer({0: frame}).values()
            np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3)
            again = engine.infer(engine.input_buffers())['output']
            np.testing.assert_array_equal(again, got)


def test_tflite_files_give_what_litert_gives(shared_data):
    interpreter = pytest.importorskip(
        'ai_edge_litert.interpreter', reason='LiteRT (ai-edge-litert) is not installed'
    )
    if int(load_library().get_version().partition('.')[0]) < 2023:
        pytest.skip('OpenVINO reads TFLite files since 2023.0')
    path = shared_data / 'yolox_nano/yolox_nano_float16_quantize.tflite'
    lite = interpreter.Interpreter(str(path))
    lite.allocate_tensors()
    shape = (1, 3, 416, 416)
    frame = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    lite.set_tensor(lite.get_input_details()[0]['index'], frame)
    lite.invoke()
    expected = lite.get_tensor(lite.get_output_details()[0]['index'])
    with create(path, manifest_for(shape)) as engine:
        (result,) = engine.infer({engine.inputs[0].name: frame}).values()
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-3)


def test_a_quantized_network_gives_what_onnxruntime_gives(shared_data):
    # In 8 bits, 2022.3.2 and 2023 put the keypoints anywhere.
    onnxruntime = pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed')
    path = shared_data / 'movenet_lightning/movenet_lightning_ptq_qdq.onnx'
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, settings, providers=['CPUExecutionProvider'])
    picture = cv2.imread(str(shared_data / 'movenet_lightning' / 'squat.bmp'))
    frame = cv2.resize(picture, (192, 192))[None, ..., ::-1].copy()
    (expected,) = session.run(None, {session.get_inputs()[0].name: frame})
    manifest = manifest_for((1, 192, 192, 3), layout='nhwc', dtype='uint8')
    with create(path, manifest) as engine:
        (result,) = engine.infer({engine.inputs[0].name: frame}).values()
    np.testing.assert_allclose(result[..., :2], expected[..., :2], atol=0.04)
