# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Save the tiny networks of the kit as TFLite files, in float32, with float16 weights, in INT8."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_perception.testing.conformance import TinyNetwork
from test.plugins.lite_networks import LiteOperator
from test.plugins.lite_networks import LiteTensor
from test.plugins.lite_networks import save

CONVOLUTION = {'strideW': 1, 'strideH': 1, 'padding': 1, 'fusedActivationFunction': 1}
# Of INT8; float32 runs on them as well.
VERSIONS = {'CONV_2D': 3, 'FULLY_CONNECTED': 4, 'DEQUANTIZE': 3, 'MEAN': 2, 'RESHAPE': 1}
SAMPLES = 8


def save_tflite(network: TinyNetwork, path: Path, *, precision: str) -> None:
    """
    Write a network, image first, channels last.

    :param precision: fp32; fp16 for weights in float16; int8 for quantized inputs and outputs.
    """
    parts = _Parts(precision, _steps_of(network) if precision == 'int8' else {})
    weights = network.weights
    for name, channels in (('image', 3), ('mixed', network.channels)):
        opened = (1, -1, -1, channels) if network.open_sizes else None
        parts.add_tensor(name, (1, network.height, network.width, channels), signature=opened)
    parts.add_tensor('means', (1, network.channels))
    parts.add_tensor('scores', (1, network.classes))
    mix = parts.add_weights('mix', weights.mix[:, None, None, :], weights.mix_bias, 'image')
    parts.add_operator('CONV_2D', ['image', *mix], 'mixed', 'Conv2DOptions', CONVOLUTION)
    parts.add_tensor('axes', (2,), 'int32', data=np.array([1, 2], np.int32))
    parts.add_operator('MEAN', ['mixed', 'axes'], 'means', 'ReducerOptions', {})
    dense = parts.add_weights('dense', weights.dense, weights.dense_bias, 'means')
    parts.add_operator('FULLY_CONNECTED', ['means', *dense], 'scores', 'FullyConnectedOptions', {})
    for name, shape in network.shapes.items():
        parts.add_tensor(name, shape)
        parts.add_tensor(f'{name}_shape', (len(shape),), 'int32', data=np.array(shape, np.int32))
        inputs, values = ['scores', f'{name}_shape'], {'newShape': list(shape)}
        parts.add_operator('RESHAPE', inputs, name, 'ReshapeOptions', values)
    save(path, parts.operators, parts.tensors, outputs=('mixed', 'scores', *network.shapes))


class _Parts:
    def __init__(self, precision: str, steps: dict[str, tuple[float, int]]) -> None:
        self._precision, self._steps = precision, steps
        self.tensors: list[LiteTensor] = []
        self.operators: list[LiteOperator] = []

    def add_tensor(self, name: str, shape: tuple[int, ...], dtype: str = '', **extra) -> None:
        if name in self._steps:
            scale, zero = self._steps[name]
            extra |= {'scales': (scale,), 'zero_points': (zero,)}
        dtype = dtype or ('int8' if self._steps else 'float32')
        self.tensors.append(LiteTensor(name, shape, dtype, **extra))

    def add_operator(
        self, code: str, inputs: list[str], output: str, options: str, values: dict[str, int]
    ) -> None:
        version = VERSIONS[code]
        operator = LiteOperator(code, tuple(inputs), (output,), (options, values), version)
        self.operators.append(operator)

    def add_weights(
        self, name: str, value: np.ndarray, bias: np.ndarray, source: str
    ) -> tuple[str, str]:
        """Add weights and bias of an operator that reads ``source``; return their names."""
        half = f'{name}_half'
        if self._precision == 'int8':
            scale = float(np.abs(value).max()) / 127
            step = scale * self._steps[source][0]
            self._steps |= {name: (scale, 0), f'{name}_bias': (step, 0)}
            value = np.rint(value / scale).astype(np.int8)
            bias = np.rint(bias / step).astype(np.int32)
        if self._precision == 'fp16':
            self.add_tensor(half, value.shape, 'float16', data=value.astype(np.float16))
            self.add_tensor(name, value.shape)
            self.add_operator('DEQUANTIZE', [half], name, 'DequantizeOptions', {})
        else:
            self.add_tensor(name, value.shape, value.dtype.name, data=value)
        self.add_tensor(f'{name}_bias', bias.shape, bias.dtype.name, data=bias)
        return name, f'{name}_bias'


def _steps_of(network: TinyNetwork) -> dict[str, tuple[float, int]]:
    """Return scale and zero point of each quantized tensor, as calibration finds them."""
    found = {'image': [0.0, 1.0], 'mixed': [0.0], 'means': [0.0], 'scores': []}
    for seed in range(SAMPLES):
        outputs = network.compute(network.image(seed))
        for name, values in {**outputs, 'means': outputs['mixed'].mean(axis=(2, 3))}.items():
            found[name] += [float(values.min()), float(values.max())]
    steps = {}
    for name, values in found.items():
        scale = (max(values) - min(values)) / 255
        steps[name] = scale, int(np.rint(-128 - min(values) / scale))
    return steps
