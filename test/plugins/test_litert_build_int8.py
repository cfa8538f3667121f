# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""TFLite in 8 bits, from small files that stand for what the converter makes."""

from __future__ import annotations

from pathlib import Path

from edge_perception_litert import int8_quantizer
from edge_perception_litert.builder import quantize
from edge_perception_litert.tflite_graph import load_schema
from edge_perception_litert.tflite_graph import operator_names
from edge_perception_litert.tflite_graph import read_model
from edge_perception_litert.tflite_graph import write_model
import numpy as np
import pytest

from edge_perception.contract import BuildError
from edge_perception.contract import BuildPlan
from test.plugins.lite_networks import LiteOperator
from test.plugins.lite_networks import LiteTensor
from test.plugins.lite_networks import save
from test.support.networks import manifest_for
from test.support.raising import raises

interpreter = pytest.importorskip(
    'ai_edge_litert.interpreter', reason='LiteRT (ai-edge-litert) is not installed'
)
pytest.importorskip('ai_edge_quantizer', reason='ai-edge-quantizer is not installed')

SIDE = 8
IMAGE = (1, SIDE, SIDE, 3)
LOWEST = np.finfo(np.float32).min
CONV = ('Conv2DOptions', {'strideW': 1, 'strideH': 1, 'padding': 0})
POOL = (
    'Pool2DOptions',
    {'strideW': 2, 'strideH': 2, 'filterWidth': 3, 'filterHeight': 3, 'padding': 1},
)
LEAKY = ('LeakyReluOptions', {'alpha': 0.1})


def conv(name: str, source: str, result: str, weights: np.ndarray) -> tuple:
    """Return a convolution of 1x1 and its constants, named as the converter does."""
    filters = weights[:, None, None, :].astype(np.float32)
    bias = np.zeros(len(weights), np.float32)
    names = f'{name}_conv_filter', f'{name}_conv_bias'
    return LiteOperator('CONV_2D', (source, *names), (result,), CONV), [
        LiteTensor(names[0], filters.shape, data=filters),
        LiteTensor(names[1], bias.shape, data=bias),
    ]


def save_net(path: Path, operators, tensors, outputs=('result',)) -> Path:
    """Write a network with the signature that the converter gives."""
    save(path, operators, [LiteTensor('image', IMAGE), *tensors], outputs=outputs)
    model = read_model(path)
    schema = load_schema()
    signature = schema.SignatureDefT()
    signature.signatureKey = int8_quantizer.SIGNATURE.encode()
    graph = model.subgraphs[0]
    signature.inputs, signature.outputs = [], []
    for listed, indices in ((signature.inputs, graph.inputs), (signature.outputs, graph.outputs)):
        for index in indices:
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = graph.tensors[int(index)].name, int(index)
            listed.append(entry)
    model.signatureDefs = [signature]
    write_model(model, path)
    return path


def save_one_conv(path: Path) -> Path:
    operator, constants = conv('c', 'image', 'result', np.eye(3))
    return save_net(path, [operator], [*constants, LiteTensor('result', IMAGE)])


def save_stem(path: Path, *, also_read: bool = False) -> Path:
    """
    Write the beginning of NanoDet: convolution, leaky activation, padding, largest of 3x3.

    :param also_read: the activation is an output as well.
    """
    first, constants = conv('a', 'image', 'a', np.eye(3) - 0.5)
    last, others = conv('b', 'pooled', 'result', np.eye(3))
    ends = np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32)
    padded = (1, SIDE + 2, SIDE + 2, 3)
    small = (1, SIDE // 2, SIDE // 2, 3)
    operators = [
        first,
        LiteOperator('LEAKY_RELU', ('a',), ('leaky',), LEAKY),
        LiteOperator('PADV2', ('leaky', 'ends', 'lowest'), ('padded',), ('PadV2Options', {})),
        LiteOperator('MAX_POOL_2D', ('padded',), ('pooled',), POOL),
        last,
    ]
    tensors = [
        *constants,
        *others,
        LiteTensor('a', IMAGE),
        LiteTensor('leaky', IMAGE),
        LiteTensor('ends', ends.shape, 'int32', data=ends),
        LiteTensor('lowest', (1,), data=np.array([LOWEST], np.float32)),
        LiteTensor('padded', padded),
        LiteTensor('pooled', small),
        LiteTensor('result', small),
    ]
    return save_net(path, operators, tensors, ('result', 'leaky') if also_read else ('result',))


def save_head(path: Path) -> Path:
    """Write a detector in small: one tensor for boxes up to 640 and a score below 1."""
    operator, constants = conv('c', 'image', 'c', np.eye(3))
    operators = [
        operator,
        LiteOperator('MUL', ('c', 'size'), ('boxes',), ('MulOptions', {})),
        LiteOperator('LOGISTIC', ('c',), ('scores',)),
        LiteOperator(
            'CONCATENATION',
            ('boxes', 'scores'),
            ('result',),
            ('ConcatenationOptions', {'axis': 3}),
        ),
    ]
    tensors = [
        *constants,
        LiteTensor('size', (1,), data=np.array([640], np.float32)),
        *(LiteTensor(name, IMAGE) for name in ('c', 'boxes', 'scores')),
        LiteTensor('result', (1, SIDE, SIDE, 6)),
    ]
    return save_net(path, operators, tensors)


def pictures(count: int = 8) -> list[np.ndarray]:
    chance = np.random.default_rng(0)
    return [chance.uniform(-1, 1, IMAGE).astype(np.float32) for _ in range(count)]


def run(path: Path, picture: np.ndarray) -> dict[str, np.ndarray]:
    """Return the outputs of a file in real numbers."""
    engine = interpreter.Interpreter(str(path), num_threads=1)
    engine.allocate_tensors()
    (source,) = engine.get_input_details()
    if source['dtype'] == np.int8:
        scale, zero = source['quantization']
        picture = np.clip(np.rint(picture / scale + zero), -128, 127).astype(np.int8)
    engine.set_tensor(source['index'], picture)
    engine.invoke()
    outputs = {}
    for each in engine.get_output_details():
        values = engine.get_tensor(each['index'])
        if values.dtype == np.int8:
            scale, zero = each['quantization']
            values = (values.astype(np.float32) - zero) * scale
        outputs[each['name']] = values
    return outputs


def in_8_bits(path: Path, samples, **extra) -> tuple[Path, tuple[str, ...]]:
    """Quantize a copy, and return it with what was said."""
    artifact = path.with_name('int8.tflite')
    artifact.write_bytes(path.read_bytes())
    plan = BuildPlan(
        manifest_for(IMAGE, layout='nhwc'),
        path,
        'int8',
        samples=lambda: iter([{'image': each} for each in samples]),
        **extra,
    )
    return artifact, quantize(plan, artifact)


def kinds(path: Path) -> list[str]:
    model = read_model(path)
    return [operator_names(model)[each.opcodeIndex] for each in model.subgraphs[0].operators]


def test_what_a_single_picture_shows_is_not_cut_off(tmp_path):
    path = save_one_conv(tmp_path / 'net.tflite')
    bright = np.full(IMAGE, 10, np.float32)
    artifact, _ = in_8_bits(path, [*pictures(31), bright])
    np.testing.assert_allclose(run(artifact, bright)['result'], 10, atol=0.1)


def test_operators_that_the_quantizer_cannot_are_in_8_bits_nevertheless(tmp_path):
    path = save_stem(tmp_path / 'net.tflite')
    artifact, notes = in_8_bits(path, pictures())
    assert not any('only convolutions' in note for note in notes)
    assert kinds(artifact) == kinds(path)
    graph = read_model(artifact).subgraphs[0]
    used = {int(index) for each in graph.operators for index in (*each.inputs, *each.outputs)}
    types = {graph.tensors[index].type for index in used}
    assert load_schema().TensorType.FLOAT32 not in types
    for picture in pictures():
        np.testing.assert_allclose(
            run(artifact, picture)['result'], run(path, picture)['result'], atol=0.05
        )


def test_an_operator_that_is_read_in_float_as_well_stays_in_float(tmp_path):
    """And the other output keeps its name, which the quantizer would change."""
    path = save_stem(tmp_path / 'net.tflite', also_read=True)
    artifact, _ = in_8_bits(path, pictures())
    for picture in pictures():
        expected, got = run(path, picture), run(artifact, picture)
        assert got.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_allclose(got[name], values, atol=0.05)


def test_where_the_quantizer_fails_convolutions_alone_are_in_8_bits(tmp_path, monkeypatch):
    """Where it is not kept in float, the padding makes it fail."""
    monkeypatch.setattr(int8_quantizer, 'FOLDED', {})
    path = save_stem(tmp_path / 'net.tflite')
    artifact, notes = in_8_bits(path, pictures())
    assert 'Ranks of' in notes[-1]
    picture = pictures()[0]
    np.testing.assert_allclose(
        run(artifact, picture)['result'], run(path, picture)['result'], atol=0.05
    )


def test_scores_beside_boxes_live_because_the_head_stays_in_float(tmp_path):
    path = save_head(tmp_path / 'net.tflite')
    picture = pictures()[0]
    expected = run(path, picture)['result'][..., 3:]
    artifact, notes = in_8_bits(path, pictures(), head=('any',))
    assert notes == ('3 operators behind the last convolutions stay in float',)
    np.testing.assert_allclose(run(artifact, picture)['result'][..., 3:], expected, atol=0.01)
    whole, _ = in_8_bits(path, pictures())
    assert np.abs(run(whole, picture)['result'][..., 3:] - expected).max() > 0.2


def test_layers_that_8_bits_did_not_carry_stay_in_float(tmp_path):
    path = save_stem(tmp_path / 'net.tflite')
    artifact, notes = in_8_bits(path, pictures(), keep_float=('b',))
    assert notes[0].endswith('and 1 that lost too much in INT8')
    model = read_model(artifact)
    types = {each.name.decode(): each.type for each in model.subgraphs[0].tensors}
    assert types['b_conv_filter'] == load_schema().TensorType.FLOAT32
    assert types['a_conv_filter'] == load_schema().TensorType.INT8


def test_a_failure_is_one_sentence_that_says_what_to_do(tmp_path):
    path = save_one_conv(tmp_path / 'net.tflite')
    with raises(BuildError, 'net: ', 'calibrate', '--precision fp16') as error:
        in_8_bits(path, [np.zeros((1, 2, 2, 3, 1), np.float32)])
    assert '\n' not in str(error.value)


def test_float16_weights_give_the_same_results(tmp_path):
    path = save_one_conv(tmp_path / 'net.tflite')
    artifact = tmp_path / 'half.tflite'
    artifact.write_bytes(path.read_bytes())
    quantize(BuildPlan(manifest_for(IMAGE, layout='nhwc'), path, 'fp16'), artifact)
    picture = pictures()[0]
    np.testing.assert_allclose(
        run(artifact, picture)['result'], run(path, picture)['result'], rtol=1e-3
    )
