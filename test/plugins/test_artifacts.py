# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Files that an engine refuses: every one is an error with the file's name, and the process goes on.

That missing, empty, cut off and foreign files are refused, and manifests that do not fit, the
conformance kit demands of each engine.
"""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import re
import subprocess
import sys

import numpy as np
import onnx
from onnx import helper
from onnx import TensorProto
import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import TensorMismatchError
from test.plugins import lite_networks as lite
from test.plugins.engine_cases import case_of
from test.plugins.engine_cases import CASES
from test.plugins.engine_cases import refused
from test.plugins.lite_networks import LiteOperator
from test.plugins.lite_networks import LiteTensor
from test.support.networks import FLOAT
from test.support.networks import save
from test.support.networks import save_conv
from test.support.networks import save_identity
from test.support.networks import SHAPE
from test.support.networks import tensor
from test.support.raising import raises

pytestmark = pytest.mark.usefixtures('nothing_was_tried')


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to('/dev/zero')


def endless_pointer(path: Path) -> None:
    path.write_bytes(b'')
    os.truncate(path, 3 << 30)


@pytest.mark.parametrize('make', [pipe, device, endless_pointer])
@pytest.mark.parametrize('case', CASES, indirect=True)
def test_what_is_no_regular_file_of_a_sensible_size_is_never_read(case, tmp_path, make):
    path = tmp_path / f'net{case.suffix}'
    make(path)
    assert refused(case, path).reason.startswith('cannot be read: ')


@pytest.mark.parametrize('case', CASES, indirect=True)
def test_a_second_input_is_refused(case, tmp_path):
    if case.save_onnx is None:
        path = lite.save(
            tmp_path / 'net.tflite',
            [LiteOperator('MUL', ('image', 'factor'), ('result',))],
            [LiteTensor('image'), LiteTensor('factor', (1,)), LiteTensor('result')],
            inputs=('image', 'factor'),
        )
    else:
        path = case.save_onnx(
            save(
                tmp_path / 'net.onnx',
                [helper.make_node('Mul', ['image', 'factor'], ['result'])],
                [tensor('image', SHAPE), tensor('factor', (1,))],
                [tensor('result', SHAPE)],
            )
        )
    with raises(TensorMismatchError, 'input.name'):
        case.create(path)
    with raises(ArtifactError, "'factor' (1 float32)", artifact=path):
        case.create(path, case.manifest(name='image'))


def sequence(path: Path) -> None:
    save(
        path,
        [helper.make_node('SequenceConstruct', ['image'], ['list'])],
        [tensor('image', SHAPE)],
        [helper.make_tensor_sequence_value_info('list', FLOAT, None)],
    )


def newer_opset(path: Path) -> None:
    model = onnx.load(save_identity(path))
    model.opset_import[0].version = 99
    onnx.save(model, path)


def newer_format(path: Path) -> None:
    model = onnx.load(save_identity(path))
    model.ir_version = 99
    onnx.save(model, path)


def unknown_operator(path: Path) -> None:
    save_identity(path, operator='Frobnicate')


def operator_of_a_vendor(path: Path) -> None:
    node = helper.make_node('Frobnicate', ['image'], ['result'], domain='com.acme')
    ends = [tensor('image', SHAPE)], [tensor('result', SHAPE)]
    save(path, [node], *ends, domains=['com.acme'])


def operator_of_an_undeclared_vendor(path: Path) -> None:
    save_identity(path, operator='Frobnicate', domain='com.acme')


def operator_without_its_weights(path: Path) -> None:
    save_identity(path, operator='Conv')


def dtype_without_implementation(path: Path) -> None:
    save_identity(path, TensorProto.BFLOAT16, operator='Sqrt')


def dtype_that_numpy_lacks(path: Path) -> None:
    save_identity(path, TensorProto.BFLOAT16)


def weights_left_behind(path: Path) -> None:
    model = onnx.load(save_conv(path))
    onnx.save(model, path, save_as_external_data=True, location='net.weights', size_threshold=0)
    (path.parent / 'net.weights').unlink()


def text_as_ort(path: Path) -> None:
    path.write_text('not a network\n' * 50)


def words(path: Path) -> None:
    operators = [LiteOperator('CAST', ('image',), ('words',))]
    tensors = [LiteTensor('image'), LiteTensor('words', dtype='string')]
    lite.save(path, operators, tensors, outputs=('words',))


def only_the_mark(path: Path) -> None:
    path.write_bytes(b'\x1c\0\0\0TFL3')


def cut_off_in_the_weights(path: Path) -> None:
    data = np.zeros(100_000, np.float32)
    tensors = [LiteTensor('image'), LiteTensor('result')]
    tensors += [LiteTensor('weights', data.shape, data=data)]
    operators = [LiteOperator('NEG', ('image',), ('result',))]
    path.write_bytes(lite.save(path, operators, tensors).read_bytes()[:-150_000])


def newer_lite_operator(path: Path) -> None:
    tensors = [LiteTensor('image'), LiteTensor('result')]
    lite.save(path, [LiteOperator('NEG', ('image',), ('result',), version=99)], tensors)


def lite_dtype_without_implementation(path: Path) -> None:
    stored = {name: LiteTensor(name, dtype='uint8') for name in ('bytes', 'result')}
    operators = [
        LiteOperator('CAST', ('image',), ('bytes',)),
        LiteOperator('NEG', ('bytes',), ('result',)),
    ]
    lite.save(path, operators, [LiteTensor('image'), *stored.values()])


def lite_operator(name: str) -> Callable[[Path], object]:
    return lambda path: lite.save_unary(path, name)


BROKEN = [
    ('onnxruntime', sequence, 'list'),
    ('onnxruntime', newer_opset, '99'),
    ('onnxruntime', newer_format, '99'),
    ('onnxruntime', unknown_operator, 'Frobnicate, which opset 13'),
    ('onnxruntime', operator_of_a_vendor, 'Frobnicate of com.acme'),
    ('onnxruntime', operator_of_an_undeclared_vendor, 'Frobnicate of com.acme'),
    ('onnxruntime', operator_without_its_weights, 'Conv'),
    ('onnxruntime', dtype_without_implementation, r'Sqrt \(opset 13\)'),
    ('onnxruntime', weights_left_behind, r'net\.weights'),
    ('openvino', unknown_operator, 'Frobnicate'),
    ('openvino', operator_of_a_vendor, r'com\.acme\.Frobnicate'),
    ('openvino', sequence, 'Sequence'),
    ('openvino', operator_without_its_weights, r'crash \(SIG\w+\)'),
    ('openvino', weights_left_behind, r'net\.weights'),
    ('openvino', dtype_that_numpy_lacks, "'result' is a tensor of bf16"),
    ('litert', words, "'words' is a tensor of type 5"),
    ('litert', only_the_mark, 'TFLite'),
    ('litert', cut_off_in_the_weights, 'TFLite'),
    ('litert', newer_lite_operator, 'version 99 of the operator NEG'),
    ('litert', lite_operator('acme-frobnicate'), 'acme-frobnicate'),
    ('litert', lite_operator('FlexErf'), r'\(Erf\)'),
    ('litert', lite_operator('CONV_2D'), 'CONV_2D'),
    ('litert', lite_dtype_without_implementation, 'NEG'),
    ('litert', lite.deadly, r'crash \(SIGSEGV\)'),
]


@pytest.mark.parametrize(('case', 'make', 'named'), BROKEN, indirect=['case'])
def test_a_file_that_cannot_be_loaded_is_explained(case, tmp_path, capfd, make, named):
    path = tmp_path / f'net{case.suffix}'
    make(path)
    error = refused(case, path)
    assert re.search(named, str(error)), error
    if case.engine_type.name != 'litert':  # XNNPACK tells that it is there
        assert capfd.readouterr() == ('', '')


def test_a_foreign_file_with_the_suffix_ort_is_refused(tmp_path):
    text_as_ort(tmp_path / 'net.ort')
    refused(case_of('onnxruntime'), tmp_path / 'net.ort')


def test_the_deadly_file_is_deadly(tmp_path):
    """Without this, the test above would prove nothing."""
    case_of('litert')
    lite.deadly(tmp_path / 'net.tflite')
    code = (
        'import sys; from ai_edge_litert.interpreter import Interpreter;'
        'Interpreter("net.tflite").allocate_tensors()'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode < 0


def test_flipped_bytes_never_end_this_process(tmp_path, shared_data):
    """Whatever a disk does to a file, the answer is an engine or an error."""
    case = case_of('litert')
    whole = (shared_data / 'invalid_models/model_invoking_error.tflite').read_bytes()
    small = lite.save_unary(tmp_path / 'net.tflite').read_bytes()
    random = np.random.default_rng(0)
    failed = 0
    for content in (whole, small) * 8:
        damaged = bytearray(content)
        for place in random.integers(8, len(damaged), 6):
            damaged[place] ^= 1 << random.integers(8)
        path = tmp_path / 'damaged.tflite'
        path.write_bytes(damaged)
        try:
            case.create(path)
        except (ArtifactError, TensorMismatchError):
            failed += 1
    assert failed > 8


POSENET = 'invalid_models/posenet_mobilenet_v1_075_353_481_16_quant_decoder.tflite'
REAL = [
    ('litert', 'invalid_models/model_invoking_error.tflite', 'fake-op-double'),
    ('litert', POSENET, 'PosenetDecoderOp'),
    (
        'openvino',
        'ssd_mobilenet_v1_coco/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite',
        'TFLite_Detection_PostProcess|CUSTOM',
    ),
    (
        'openvino',
        'classifiers/mobilenet_v1_0.25_128_quant_edgetpu.tflite',
        'edgetpu-custom-op|CUSTOM',
    ),
    ('openvino', POSENET, 'PosenetDecoderOp|CUSTOM'),
    (
        'openvino',
        'invalid_models/model_invoking_error.tflite',
        r'damaged, or a part|crash \(SIGSEGV\)',
    ),
    ('openvino', 'classifiers/mobilenet_v2_1.0_224_quant.tflite', 'Softmax.*litert'),
]


@pytest.mark.parametrize(('case', 'file', 'named'), REAL, indirect=['case'])
def test_real_files_with_what_an_engine_lacks(case, shared_data, capfd, file, named):
    with pytest.raises(ArtifactError) as caught:
        if case.engine_type.name == 'litert':
            case.engine_type.describe(shared_data / file)
        else:
            case.create(shared_data / file)
    if case.engine_type.probe().runtime.startswith('openvino 2022'):
        named = r'openvino 2023\.0'
    assert re.search(named, str(caught.value)), caught.value
    assert '\n' not in str(caught.value)


def test_weights_that_are_copied_afterwards_are_found(tmp_path):
    path = tmp_path / 'net.onnx'
    weights_left_behind(path)
    for name in ('openvino', 'onnxruntime'):
        refused(case_of(name), path, describe=False)
    model = onnx.load(save_conv(tmp_path / 'whole.onnx'))
    external = {'save_as_external_data': True, 'location': 'net.weights', 'size_threshold': 0}
    onnx.save(model, tmp_path / 'again.onnx', **external)
    for name in ('openvino', 'onnxruntime'):
        case_of(name).create(path)
