# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
import sys

from edge_perception_openvino import trial
from edge_perception_openvino.engine import OpenVinoEngineType
from edge_perception_openvino.library import load_library
from edge_perception_openvino.options import OpenVinoOptions
import onnx
from onnx import helper
from onnx import TensorProto
import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import ModelManifest
from edge_perception.contract import TensorMismatchError
from test.support.networks import FLOAT
from test.support.networks import manifest_for
from test.support.networks import save
from test.support.networks import save_conv
from test.support.networks import save_identity
from test.support.networks import SHAPE
from test.support.networks import tensor

pytest.importorskip('openvino', reason='OpenVINO (openvino) is not installed')


def create(path: Path, manifest: ModelManifest | None = None, **options):
    return OpenVinoEngineType().create(
        manifest or manifest_for(), path, OpenVinoOptions(threads=1, **options)
    )


def test_a_manifest_that_does_not_fit_is_refused(tmp_path):
    path = save_identity(tmp_path / 'net.onnx')
    with pytest.raises(
        TensorMismatchError, match=r'got 1x3x8x8 float32 .* expected 1x3x4x6 float32'
    ):
        create(path, manifest_for((1, 3, 8, 8)))
    with pytest.raises(TensorMismatchError, match='got 1x3x4x6 uint8 from the manifest'):
        create(path, manifest_for(dtype='uint8'))


def test_a_size_that_an_open_network_cannot_take_is_refused(tmp_path):
    nodes = [
        helper.make_node('MaxPool', ['image'], ['half'], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node('Resize', ['half', '', 'scales'], ['whole']),
        helper.make_node('Add', ['image', 'whole'], ['result']),
    ]
    shape = (1, 3, 'height', 'width')
    scales = helper.make_tensor('scales', FLOAT, [4], [1, 1, 2, 2])
    path = save(
        tmp_path / 'net.onnx',
        nodes,
        [tensor('image', shape)],
        [tensor('result', shape)],
        constants=[scales],
    )
    create(path, manifest_for((1, 3, 8, 6)))
    with pytest.raises(TensorMismatchError, match=r'1x3x9x7 from the manifest.*input\.width'):
        create(path, manifest_for((1, 3, 9, 7)))


def test_a_second_input_is_refused(tmp_path):
    path = save(
        tmp_path / 'net.onnx',
        [helper.make_node('Mul', ['image', 'factor'], ['result'])],
        [tensor('image', SHAPE), tensor('factor', (1,))],
        [tensor('result', SHAPE)],
    )
    with pytest.raises(TensorMismatchError, match='name the image input under input.name'):
        create(path)
    with pytest.raises(ArtifactError, match=r"has the input 'factor' \(1 float32\) beside"):
        create(path, manifest_for(name='image'))


def test_a_tensor_that_numpy_does_not_have_is_refused(tmp_path):
    path = save_identity(tmp_path / 'net.onnx', TensorProto.BFLOAT16)
    with pytest.raises(ArtifactError, match=r"'result' is a tensor of bf16, expected one of num"):
        create(path)


def missing(path: Path) -> None:
    pass


def folder(path: Path) -> None:
    path.mkdir()


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text('not a network\n' * 50)


def cut_off(path: Path) -> None:
    whole = save_conv(path, channels=50).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def lfs_pointer(path: Path) -> None:
    path.write_text('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n')


def unknown_operator(path: Path) -> None:
    save_identity(path, operator='Frobnicate')


def operator_of_a_vendor(path: Path) -> None:
    node = helper.make_node('Frobnicate', ['image'], ['result'], domain='com.acme')
    ends = [tensor('image', SHAPE)], [tensor('result', SHAPE)]
    save(path, [node], *ends, domains=['com.acme'])


def operator_without_its_weights(path: Path) -> None:
    save_identity(path, operator='Conv')


def weights_left_behind(path: Path) -> None:
    model = onnx.load(save_conv(path))
    onnx.save(model, path, save_as_external_data=True, location='net.weights', size_threshold=0)
    (path.parent / 'net.weights').unlink()


def sequence(path: Path) -> None:
    save(
        path,
        [helper.make_node('SequenceConstruct', ['image'], ['list'])],
        [tensor('image', SHAPE)],
        [helper.make_tensor_sequence_value_info('list', FLOAT, None)],
    )


NO_ONNX = 'is not a file in the format that its name says'


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (missing, 'does not exist; correct the path'),
        (folder, 'cannot be read: Is a directory'),
        (empty, 'is empty'),
        (text, NO_ONNX),
        (cut_off, NO_ONNX),
        (lfs_pointer, 'is a pointer of Git LFS.*git lfs pull'),
        (unknown_operator, 'uses the operator Frobnicate, which is not in this runtime'),
        (operator_of_a_vendor, 'uses the operator com.acme.Frobnicate, which'),
        (sequence, 'uses the operator .*Sequence.*, which is not in this runtime'),
        # It ends the process that reads it.
        (operator_without_its_weights, r'openvino [\d.]+ crashed \(SIG\w+\) when it read'),
        (weights_left_behind, 'keeps its weights in .*net.weights, which does not exist'),
    ],
)
def test_a_file_that_cannot_be_loaded_is_explained_in_one_sentence(tmp_path, capfd, make, message):
    path = tmp_path / 'net.onnx'
    make(path)
    for attempt in (lambda: create(path), lambda: OpenVinoEngineType().describe(path)):
        with pytest.raises(ArtifactError, match=message) as error:
            attempt()
        assert str(path) in str(error.value)
        assert '\n' not in str(error.value)
    assert capfd.readouterr() == ('', '')


@pytest.fixture
def ir(tmp_path) -> Path:
    """Write an IR, two files."""
    library = load_library()
    path = tmp_path / 'net.xml'
    library.serialize(library.Core().read_model(str(save_conv(tmp_path / 'c.onnx'))), str(path))
    return path


def change(path: Path, old: str, new: str) -> None:
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))


def without_weights(path: Path) -> None:
    path.with_suffix('.bin').unlink()


def half_of_the_weights(path: Path) -> None:
    weights = path.with_suffix('.bin')
    weights.write_bytes(weights.read_bytes()[:8])


def pointer_to_the_weights(path: Path) -> None:
    lfs_pointer(path.with_suffix('.bin'))


def half(path: Path) -> None:
    path.write_text(path.read_text()[:700])


def foreign_xml(path: Path) -> None:
    path.write_text('<html><body/></html>')


def newer_operator(path: Path) -> None:
    change(path, 'type="Convolution" version="opset1"', 'type="Convolution" version="opset99"')


def unknown_layer(path: Path) -> None:
    change(path, 'type="Convolution"', 'type="Frobnicate"')


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (without_weights, r'keeps its weights in a \.bin of the same name, which is missing'),
        (half_of_the_weights, 'of which a part is missing'),
        (pointer_to_the_weights, r'net\.bin: is a pointer of Git LFS.*git lfs pull'),
        (half, 'is damaged, or a part of it is missing'),
        (foreign_xml, NO_ONNX),
        (newer_operator, 'the operator Convolution of opset99, which this.*give the ONNX file'),
        (unknown_layer, 'the operator Frobnicate of opset1, which this runtime does not know'),
    ],
)
def test_an_ir_that_cannot_be_loaded_is_explained_in_one_sentence(ir, capfd, spoil, message):
    create(ir)
    spoil(ir)
    with pytest.raises(ArtifactError, match=message) as error:
        create(ir)
    assert '\n' not in str(error.value)
    assert capfd.readouterr() == ('', '')


def test_what_lies_in_the_working_folder_is_not_run(tmp_path, monkeypatch):
    path = save_identity(tmp_path / 'net.onnx')
    for name in ('openvino', 'json', 'numpy'):
        (tmp_path / f'{name}.py').write_text(f"open('{name}.ran', 'w'); raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    create(path)
    assert not list(tmp_path.glob('*.ran'))


def test_a_child_that_cannot_do_its_work_is_no_verdict_on_the_file(tmp_path, monkeypatch):
    path = save_identity(tmp_path / 'net.onnx')
    child = tmp_path / 'python'
    for script, message in {
        'kill -9 $$': 'child process.*it ended with SIGKILL: it said nothing; see that memory',
        'echo first >&2; echo "no space" >&2; exit 1': r'it ended with status -?1: no space; see',
    }.items():
        child.write_text(f'#!/bin/sh\n{script}\n')
        child.chmod(0o755)
        monkeypatch.setattr(sys, 'executable', str(child))
        with pytest.raises(EngineUnavailableError, match=message):
            create(path)
    child.unlink()
    with pytest.raises(EngineUnavailableError, match='child process.*No such file'):
        create(path)
    monkeypatch.undo()
    create(path)


def test_a_network_that_is_never_read_is_given_up(tmp_path, monkeypatch):
    path = save_identity(tmp_path / 'net.onnx')
    monkeypatch.setattr(trial, 'PATIENCE_S', 0.01)
    with pytest.raises(ArtifactError, match='was not read after 0 seconds.*less to do'):
        create(path)
    # The machine may only have been busy.
    monkeypatch.undo()
    create(path)


def test_weights_that_are_copied_afterwards_are_found(tmp_path):
    path = tmp_path / 'net.onnx'
    weights_left_behind(path)
    with pytest.raises(ArtifactError, match=r'net\.weights, which does not exist'):
        create(path)
    model = onnx.load(save_conv(tmp_path / 'whole.onnx'))
    onnx.save(
        model,
        tmp_path / 'again.onnx',
        save_as_external_data=True,
        location='net.weights',
        size_threshold=0,
    )
    create(path)


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        (
            'ssd_mobilenet_v1_coco/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite',
            'uses the operator (TFLite_Detection_PostProcess|CUSTOM)',
        ),
        (
            'classifiers/mobilenet_v1_0.25_128_quant_edgetpu.tflite',
            'uses the operator (edgetpu-custom-op|CUSTOM)',
        ),
        (
            'invalid_models/posenet_mobilenet_v1_075_353_481_16_quant_decoder.tflite',
            'uses the operator (PosenetDecoderOp|CUSTOM)',
        ),
        (
            'invalid_models/model_invoking_error.tflite',
            r'is damaged, or a part|crashed \(SIGSEGV\)',
        ),
        (
            'classifiers/mobilenet_v2_1.0_224_quant.tflite',
            "gives .*Softmax' in 8 bits, and OpenVINO does not tell what.*use the engine litert",
        ),
    ],
)
def test_a_tflite_file_that_is_not_for_openvino_is_explained(shared_data, capfd, name, message):
    if int(load_library().get_version().partition('.')[0]) < 2023:
        message = r'this runtime cannot read those \(it needs openvino 2023\.0\)'
    with pytest.raises(ArtifactError, match=message) as error:
        create(shared_data / name)
    assert '\n' not in str(error.value)
    assert capfd.readouterr() == ('', '')
