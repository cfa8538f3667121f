# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""OpenVINO's own files, which are two, and networks whose size is open."""

from __future__ import annotations

from pathlib import Path
import re

from edge_perception_openvino.library import load_library
from onnx import helper
import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import TensorMismatchError
from test.plugins.engine_cases import case_of
from test.support.networks import FLOAT
from test.support.networks import manifest_for
from test.support.networks import save
from test.support.networks import save_conv
from test.support.networks import tensor
from test.support.raising import raises


def test_a_size_that_an_open_network_cannot_take_is_refused(tmp_path):
    nodes = [
        helper.make_node('MaxPool', ['image'], ['half'], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node('Resize', ['half', '', 'scales'], ['whole']),
        helper.make_node('Add', ['image', 'whole'], ['result']),
    ]
    shape = (1, 3, 'height', 'width')
    scales = helper.make_tensor('scales', FLOAT, [4], [1, 1, 2, 2])
    ends = [tensor('image', shape)], [tensor('result', shape)]
    path = save(tmp_path / 'net.onnx', nodes, *ends, constants=[scales])
    case_of('openvino').create(path, manifest_for((1, 3, 8, 6)))
    with raises(TensorMismatchError, '1x3x9x7', 'input.width', tensor='image'):
        case_of('openvino').create(path, manifest_for((1, 3, 9, 7)))


@pytest.fixture
def ir(tmp_path) -> Path:
    """Write an IR, two files."""
    case_of('openvino')
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
    path.with_suffix('.bin').write_text('version https://git-lfs.github.com/spec/v1\n')


def half(path: Path) -> None:
    path.write_text(path.read_text()[:700])


def foreign_xml(path: Path) -> None:
    path.write_text('<html><body/></html>')


def newer_operator(path: Path) -> None:
    change(path, 'type="Convolution" version="opset1"', 'type="Convolution" version="opset99"')


def unknown_layer(path: Path) -> None:
    change(path, 'type="Convolution"', 'type="Frobnicate"')


@pytest.mark.parametrize(
    ('spoil', 'named'),
    [
        (without_weights, r'\.bin'),
        (half_of_the_weights, r'\.bin'),
        (pointer_to_the_weights, r'net\.bin: .*git lfs pull'),
        (half, 'damaged'),
        (foreign_xml, 'format'),
        (newer_operator, 'Convolution of opset99'),
        (unknown_layer, 'Frobnicate of opset1'),
    ],
)
def test_an_ir_that_cannot_be_loaded_is_explained(ir, capfd, spoil, named):
    case_of('openvino').create(ir)
    spoil(ir)
    with pytest.raises(ArtifactError) as caught:
        case_of('openvino').create(ir)
    assert re.search(named, str(caught.value)), caught.value
    assert '\n' not in str(caught.value)
    assert capfd.readouterr() == ('', '')
