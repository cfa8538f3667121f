# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a build does to the ONNX before a builder has it, and what it says of its progress."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import helper
from onnx import numpy_helper
import pytest

from edge_perception.contract import BuildError
from edge_perception.models.finding import Model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.tooling.building.artifact_build import build
from edge_perception.tooling.building.artifact_build import BuildRequest
from edge_perception.tooling.building.calibration_images import find_calibration
from edge_perception.tooling.quantization import quantize as quantization
from edge_perception.tooling.quantization.quantize import quantize
from edge_perception.tooling.quantization.quantize import sensitive_layers
from test.support.networks import manifest_for
from test.support.networks import save
from test.support.networks import save_conv
from test.support.networks import SHAPE
from test.support.networks import tensor
from test.support.raising import raises

PICTURES = 4


@pytest.fixture
def model(tmp_path: Path) -> Model:
    pytest.importorskip('onnxslim', reason='onnxslim is not installed')
    return Model(tmp_path, manifest_for(), save_conv(tmp_path / 'net.onnx'))


@pytest.fixture
def order(model: Model) -> Callable[..., BuildRequest]:
    """Make an order for 8 bits, with pictures for calibration."""
    pictures = model.folder / 'pictures'
    pictures.mkdir()
    chance = np.random.default_rng(1)
    for index in range(PICTURES):
        cv2.imwrite(str(pictures / f'{index}.png'), chance.integers(0, 256, (40, 60, 3), np.uint8))
    host = PluginHost()

    def make(target: str, *, full_int8: bool) -> BuildRequest:
        builder = host.builders[target]
        calibration = find_calibration((pictures,))
        options = builder.options_type()
        return BuildRequest(
            model, builder, 'int8', calibration, options=options, full_int8=full_int8
        )

    return make


@pytest.mark.parametrize('target', ['onnxruntime', 'openvino'])
@pytest.mark.parametrize('full_int8', [False, True])
def test_calibration_tells_how_far_it_is(order, tmp_path, target, full_int8):
    if target == 'openvino' and not find_spec('nncf'):
        pytest.skip('NNCF is not installed')
    said: list[tuple[str, float | None]] = []
    (tmp_path / 'work').mkdir()
    build(
        order(target, full_int8=full_int8),
        tmp_path / 'work',
        lambda what, share: said.append((what, share)),
    )
    shares = [share for what, share in said if what == 'calibrating']
    last = shares[-(PICTURES - 1) :]
    assert last == [index / PICTURES for index in range(1, PICTURES)]
    # What follows takes as long as it takes; the bar must not stand still at the end of its way.
    assert ('computing ranges', None) in said[said.index(('calibrating', last[-1])) :]


def three_layers(path: Path) -> Path:
    """Save three convolutions with a sum and a join between them, as small YOLOs have them."""
    chance = np.random.default_rng(2)
    shapes = {'w1': (4, 3, 3, 3), 'w2': (4, 3, 1, 1), 'w3': (2, 8, 1, 1), 'b1': (4,), 'b3': (2,)}
    constants = [
        numpy_helper.from_array(chance.normal(size=shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node('Conv', ['image', 'w1', 'b1'], ['a'], 'conv1', pads=[1, 1, 1, 1]),
        helper.make_node('LeakyRelu', ['a'], ['b'], 'slope', alpha=0.1),
        helper.make_node('Conv', ['image', 'w2'], ['c'], 'conv2'),
        helper.make_node('Add', ['b', 'c'], ['d'], 'sum'),
        helper.make_node('Concat', ['c', 'd'], ['e'], 'join', axis=1),
        helper.make_node('Conv', ['e', 'w3', 'b3'], ['sums'], 'conv3'),
    ]
    outputs = [tensor('sums', (1, 2, 4, 6))]
    return save(path, nodes, [tensor('image', SHAPE)], outputs, constants=constants)


@pytest.fixture
def in_8_bits(tmp_path: Path) -> Callable[..., tuple[str, ...]]:
    """Quantize three layers in a flavour; return what stayed in float, in words."""
    pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed')
    source = three_layers(tmp_path / 'net.onnx')
    chance = np.random.default_rng(3)
    pictures = [chance.normal(size=SHAPE).astype(np.float32) for _ in range(PICTURES)]

    def call(form: str) -> tuple[str, ...]:
        return quantize(
            source,
            tmp_path / 'quantized.onnx',
            form=form,
            samples=lambda: ({'image': each} for each in pictures),
            manifest=manifest_for(),
        )

    return call


@pytest.mark.parametrize('form', ['qdq_unsigned', 'qdq_symmetric'])
def test_a_network_of_which_8_bits_carry_nothing_is_not_called_int8(in_8_bits, monkeypatch, form):
    monkeypatch.setattr(quantization, 'WANTED_SNR_DB', 1000.0)
    with raises(BuildError, '3 layers', '1000 dB'):
        in_8_bits(form)


def test_quantizers_of_others_are_not_asked_to_leave_every_layer_in_float(tmp_path):
    source = three_layers(tmp_path / 'net.onnx')
    picture = np.random.default_rng(3).normal(size=SHAPE).astype(np.float32)

    def keep_float(wanted_db: float) -> tuple[str, ...]:
        return sensitive_layers(
            source,
            samples=lambda: iter([{'image': picture}]),
            manifest=manifest_for(),
            wanted_db=wanted_db,
        )

    assert keep_float(-100.0)  # at least the worst one, where the gate was not content with none
    with raises(BuildError, '3 layers', '1000 dB'):
        keep_float(1000.0)


@pytest.mark.parametrize(
    ('target', 'full_int8', 'may_keep_float'),
    [
        ('openvino', False, True), ('openvino', True, False), ('tflite', False, True),
        ('onnxruntime', False, False), ('edgetpu', False, False),
    ],
)  # fmt: skip
def test_only_targets_that_can_keep_layers_in_float_are_tried_again(
    order, target, full_int8, may_keep_float
):
    assert order(target, full_int8=full_int8).may_keep_float == may_keep_float


def test_sums_and_joins_are_left_in_float_before_every_layer_is(in_8_bits, monkeypatch):
    written: list[list[str]] = []
    job = quantization._Job
    monkeypatch.setattr(job, 'write', lambda self, target, excluded: written.append([*excluded]))
    monkeypatch.setattr(job, 'snr', lambda self, target: 20.0 if 'sum' in written[-1] else 1.0)
    monkeypatch.setattr(quantization, '_first_guess', lambda noise, wanted_db: 0)
    notes = in_8_bits('qdq_unsigned')
    assert {'sum', 'join'} <= set(written[-1])
    assert not {'conv1', 'conv2', 'conv3'} & set(written[-1])
    assert notes[-1].startswith('0 of 3 layers are kept in float')


def test_what_tensorrt_gets_is_symmetric_and_only_inputs_are_in_8_bits(in_8_bits, tmp_path):
    in_8_bits('qdq_symmetric')
    graph = onnx.load(tmp_path / 'quantized.onnx').graph
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    pairs = [node for node in graph.node if node.op_type == 'DequantizeLinear']
    assert len(pairs) == 6  # input and weights of each of the three convolutions
    for node in pairs:
        assert constants[node.input[2]].dtype == np.int8
        assert not constants[node.input[2]].any()
        (reader,) = [each for each in graph.node if node.output[0] in each.input]
        # Elsewhere they would cost exactness, and keep TensorRT from fusing.
        assert reader.op_type == 'Conv'
        assert node.output[0] in reader.input[:2]
