# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The tiny networks of the kit as TFLite files, in float32, with float16 weights, and in int8."""

from __future__ import annotations

from pathlib import Path

from ai_edge_litert import schema_py_generated as schema
import flatbuffers
import numpy as np

from edge_perception.testing.conformance import TinyNetwork

KINDS = {
    'float32': schema.TensorType.FLOAT32,
    'float16': schema.TensorType.FLOAT16,
    'int8': schema.TensorType.INT8,
    'int32': schema.TensorType.INT32,
}
VERSION = 3
SAMPLES = 8


def save_tflite(network: TinyNetwork, path: Path, *, precision: str) -> None:
    """
    Write a network, image first, channels last.

    :param precision: fp32; fp16 for weights in float16; int8 for bytes in and out.
    """
    builder = flatbuffers.Builder(1024)
    builder.Finish(_Model(network, precision).model.Pack(builder), b'TFL3')
    path.write_bytes(builder.Output())


class _Model:
    def __init__(self, network: TinyNetwork, precision: str) -> None:
        self._precision = precision
        self._steps = _steps_of(network) if precision == 'int8' else {}
        self.model, self._graph = schema.ModelT(), schema.SubGraphT()
        self.model.version = VERSION
        self.model.subgraphs = [self._graph]
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []
        self._graph.tensors, self._graph.operators = [], []
        size = (1, network.height, network.width)
        image = self._tensor('image', (*size, 3))
        mixed = self._tensor('mixed', (*size, network.channels))
        means = self._tensor('means', (1, network.channels))
        scores = self._tensor('scores', (1, network.classes))
        if network.open_sizes:
            for index, channels in ((image, 3), (mixed, network.channels)):
                self._graph.tensors[index].shapeSignature = [1, -1, -1, channels]
        weights = network.weights
        mix = self._weights('mix', weights.mix[:, None, None, :], source='image')
        dense = self._weights('dense', weights.dense, source='means')
        self._add('CONV_2D', [image, *mix(weights.mix_bias)], mixed, _convolution())
        axes = self._constant('axes', np.array([1, 2], np.int32))
        self._add('MEAN', [mixed, axes], means, schema.ReducerOptionsT())
        fully = schema.FullyConnectedOptionsT()
        self._add('FULLY_CONNECTED', [means, *dense(weights.dense_bias)], scores, fully)
        self._graph.inputs, self._graph.outputs = [image], [mixed, scores]

    def _tensor(self, name: str, shape: tuple[int, ...], dtype: str = '', buffer: int = 0) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, list(shape), buffer
        tensor.type = KINDS[dtype or ('int8' if self._steps else 'float32')]
        if name in self._steps:
            scale, zero = self._steps[name]
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero]
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _constant(self, name: str, value: np.ndarray) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(value.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return self._tensor(name, value.shape, value.dtype.name, len(self.model.buffers) - 1)

    def _weights(self, name: str, value: np.ndarray, *, source: str):
        """Return what makes weights and bias, once the bias is known."""

        def make(bias: np.ndarray) -> list[int]:
            if self._precision == 'int8':
                scale = float(np.abs(value).max()) / 127
                step = scale * self._steps[source][0]
                self._steps |= {name: (scale, 0), f'{name}_bias': (step, 0)}
                stored = np.rint(value / scale).astype(np.int8)
                offset = np.rint(bias / step).astype(np.int32)
                return [self._constant(name, stored), self._constant(f'{name}_bias', offset)]
            index = self._constant(name, value)
            if self._precision == 'fp16':
                half = self._constant(f'{name}_half', value.astype(np.float16))
                index = self._tensor(f'{name}_real', value.shape)
                self._add('DEQUANTIZE', [half], index, schema.DequantizeOptionsT())
            return [index, self._constant(f'{name}_bias', bias)]

        return make

    def _add(self, operator: str, inputs: list[int], output: int, options: object) -> None:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, operator)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        # Of int8; float32 runs on it as well.
        code.version = {'CONV_2D': 3, 'FULLY_CONNECTED': 4, 'DEQUANTIZE': 3}.get(operator, 2)
        self.model.operatorCodes.append(code)
        node = schema.OperatorT()
        node.opcodeIndex = len(self.model.operatorCodes) - 1
        node.inputs, node.outputs = inputs, [output]
        kind = type(options).__name__.removesuffix('T')
        node.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        node.builtinOptions = options
        self._graph.operators.append(node)


def _convolution() -> object:
    options = schema.Conv2DOptionsT()
    options.strideW = options.strideH = 1
    options.padding = schema.Padding.VALID
    options.fusedActivationFunction = schema.ActivationFunctionType.RELU
    return options


def _steps_of(network: TinyNetwork) -> dict[str, tuple[float, int]]:
    """Return scale and zero point of each tensor that has bytes, as calibration finds them."""
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
