# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Tensors of the engines that come with the package, in every dtype, layout and size."""

from __future__ import annotations

import numpy as np
from onnx import helper
from onnx import TensorProto
import pytest

from edge_perception.contract import TensorSpec
from test.plugins.engine_cases import case_of
from test.plugins.engine_cases import TRIED
from test.support.networks import manifest_for
from test.support.networks import save
from test.support.networks import SHAPE
from test.support.networks import tensor


@pytest.mark.parametrize('shape', [SHAPE, (1, 4, 6, 3)], ids=['nchw', 'nhwc'])
@pytest.mark.parametrize('dtype', ['float32', 'float16', 'uint8', 'int8'])
@pytest.mark.parametrize('name', TRIED)
def test_tensors_pass_through_in_every_dtype_and_layout(tmp_path, name, dtype, shape):
    case, layout = case_of(name), 'nchw' if shape == SHAPE else 'nhwc'
    frame = np.random.default_rng(1).integers(0, 100, shape).astype(dtype)
    path = case.save_identity(tmp_path, dtype=dtype, shape=shape)
    with case.create(path, manifest_for(shape, dtype=dtype, layout=layout)) as engine:
        assert engine.inputs == (TensorSpec('image', shape, np.dtype(dtype)),)
        engine.warm_up()
        engine.input_buffers()['image'][:] = frame
        result = engine.infer(engine.input_buffers())['result']
        np.testing.assert_array_equal(result, frame)
        assert engine.outputs[0].admits(result)


@pytest.mark.parametrize('name', ['onnxruntime', 'openvino'])
def test_outputs_may_change_their_size_and_stand_beside_fixed_ones(tmp_path, name):
    nodes = [
        helper.make_node('NonZero', ['image'], ['where']),
        helper.make_node('Neg', ['image'], ['negative']),
        helper.make_node('ReduceSum', ['image'], ['sum'], keepdims=0),
    ]
    outputs = [
        tensor('where', (4, 'found'), TensorProto.INT64),
        tensor('negative', SHAPE),
        tensor('sum', ()),
    ]
    path = save(tmp_path / 'net.onnx', nodes, [tensor('image', SHAPE)], outputs)
    with case_of(name).create(path) as engine:
        assert [spec.shape for spec in engine.outputs] == [(4, -1), SHAPE, ()]
        for count in (0, 5, 2, 72):
            frame = np.zeros(SHAPE, np.float32)
            frame.ravel()[:count] = 1
            results = engine.infer({'image': frame})
            assert results['where'].shape == (4, count)
            assert results['sum'] == count
            np.testing.assert_array_equal(results['negative'], -frame)
