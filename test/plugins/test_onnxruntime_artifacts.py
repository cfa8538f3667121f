# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

from edge_perception_onnxruntime.engine import OnnxRuntimeEngineType
from edge_perception_onnxruntime.options import OnnxRuntimeOptions
import onnx
from onnx import helper
from onnx import TensorProto
import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import ModelManifest
from edge_perception.contract import TensorMismatchError
from test.support.networks import FLOAT
from test.support.networks import manifest_for
from test.support.networks import save
from test.support.networks import save_conv
from test.support.networks import save_identity
from test.support.networks import SHAPE
from test.support.networks import tensor


def create(path: Path, manifest: ModelManifest | None = None, **options):
    return OnnxRuntimeEngineType().create(
        manifest or manifest_for(), path, OnnxRuntimeOptions(threads=1, **options)
    )


def test_a_manifest_that_does_not_fit_is_refused(tmp_path):
    path = save_identity(tmp_path / 'net.onnx')
    with pytest.raises(
        TensorMismatchError, match=r'got 1x3x8x8 float32 .* expected 1x3x4x6 float32'
    ):
        create(path, manifest_for((1, 3, 8, 8)))
    with pytest.raises(TensorMismatchError, match='got 1x3x4x6 uint8 from the manifest'):
        create(path, manifest_for(dtype='uint8'))


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


def test_an_output_that_is_no_tensor_is_refused(tmp_path):
    path = save(
        tmp_path / 'net.onnx',
        [helper.make_node('SequenceConstruct', ['image'], ['list'])],
        [tensor('image', SHAPE)],
        [helper.make_tensor_sequence_value_info('list', FLOAT, None)],
    )
    with pytest.raises(ArtifactError, match=r"'list' is a seq\(.*expected a tensor of numbers"):
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


def weights_left_behind(path: Path) -> None:
    model = onnx.load(save_conv(path))
    onnx.save(model, path, save_as_external_data=True, location='net.weights', size_threshold=0)
    (path.parent / 'net.weights').unlink()


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (missing, 'does not exist; correct the path'),
        (folder, 'cannot be read: Is a directory'),
        (empty, 'is empty'),
        (text, 'is not an ONNX file, or a part of it is missing'),
        (cut_off, 'is not an ONNX file, or a part of it is missing'),
        (lfs_pointer, 'is a pointer of Git LFS.*git lfs pull'),
        (newer_opset, r'has opset 99, and this runtime ends at \d+'),
        (newer_format, r'has ONNX IR version 99, and this runtime ends at \d+'),
        (unknown_operator, 'uses the operator Frobnicate, which opset 13 does not have'),
        (operator_of_a_vendor, 'uses the operator Frobnicate of com.acme'),
        (operator_of_an_undeclared_vendor, 'uses the operator Frobnicate of com.acme'),
        (operator_without_its_weights, 'has an operator Conv .* that is not valid'),
        (dtype_without_implementation, r'uses the operator Sqrt \(opset 13\) with data types'),
        (weights_left_behind, 'keeps its weights in .*net.weights, which does not exist'),
    ],
)
def test_a_file_that_cannot_be_loaded_is_explained_in_one_sentence(tmp_path, capfd, make, message):
    path = tmp_path / 'net.onnx'
    make(path)
    for attempt in (lambda: create(path), lambda: OnnxRuntimeEngineType().describe(path)):
        with pytest.raises(ArtifactError, match=message) as error:
            attempt()
        assert str(path) in str(error.value)
        assert '\n' not in str(error.value)
    assert capfd.readouterr() == ('', '')


def test_a_foreign_file_with_the_suffix_ort_is_refused(tmp_path):
    path = tmp_path / 'net.ort'
    text(path)
    with pytest.raises(ArtifactError, match='is not a file in ORT format'):
        create(path)
