# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Save the tiny networks as ONNX files, in float32, float16 and INT8."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.contract import Tensor
from edge_perception.testing.conformance.networks import COLORS
from edge_perception.testing.conformance.networks import TinyNetwork

# Old enough for every runtime that we know; 13 is the first with scales for each channel.
OPSET, IR_VERSION = 13, 8


def save_onnx(network: TinyNetwork, path: Path, *, precision: str = 'fp32') -> None:
    """
    Write a model. Needs the package ``onnx``.

    :param precision: fp32; fp16 with tensors in float16; int8 in QDQ form with unsigned bytes
        inside and tensors in float32; or one of the forms that builders ask for.
    """
    import onnx

    onnx.save(_model(network, PRECISIONS.get(precision) or FORMS[precision]), str(path))


def save_from_the_future(network: TinyNetwork, path: Path) -> None:
    """Write a model in a version of ONNX that no runtime has."""
    import onnx

    model = _model(network, PRECISIONS['fp32'])
    model.ir_version = 99
    model.opset_import[0].version = 999
    onnx.save(model, str(path))


@dataclass(frozen=True, slots=True)
class _Style:
    """
    How a model is written.

    :param inside: dtype of weights and layers.
    :param outside: dtype of input and outputs.
    :param stored: dtype of activations where they are quantized.
    """

    inside: str = 'float32'
    outside: str = 'float32'
    stored: str = ''


PRECISIONS = {
    'fp32': _Style(),
    'fp16': _Style(inside='float16', outside='float16'),
    'int8': _Style(stored='uint8'),
}
FORMS = {
    'float32': _Style(),
    'float16': _Style(inside='float16'),
    'qdq_unsigned': _Style(stored='uint8'),
    'qdq_symmetric': _Style(stored='int8'),
}


def _model(network: TinyNetwork, style: _Style) -> Any:
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(style.outside))
    rows = 'batch' if network.open_batch else 1
    size = ['height', 'width'] if network.open_sizes else [network.height, network.width]

    def tensor(name: str, *shape: int | str) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    maker = _Graph(network, style)
    graph = helper.make_graph(
        maker.nodes,
        network.name,
        [tensor('image', rows, COLORS, *size)],
        [
            tensor('mixed', rows, network.channels, *size),
            tensor('scores', rows, network.classes),
            *(tensor(name, *shape) for name, shape in network.shapes.items()),
        ],
        maker.constants,
    )
    opset = [helper.make_opsetid('', OPSET)]
    return helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)


class _Graph:
    """Nodes and constants of a model."""

    def __init__(self, network: TinyNetwork, style: _Style) -> None:
        self._style = style
        self._inside = np.dtype(style.inside)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        weights = network.weights
        # The greatest number that may appear there.
        most = float((np.abs(weights.mix).sum(axis=1) + np.abs(weights.mix_bias)).max())
        image = self._cast('image', 'image_inside', style.inside)
        image = self._quantized(image, most=1.0)
        mix = self._weight('mix', weights.mix[:, :, None, None])
        bias = self._constant('mix_bias', weights.mix_bias.astype(self._inside))
        # Optional in ONNX, and OpenCV 4.6 wants it.
        self._add('Conv', [image, mix, bias], 'sums', kernel_shape=[1, 1])
        mixed = self._add('Relu', ['sums'], self._inner('mixed'))
        self._cast(mixed, 'mixed', style.outside)
        self._add('GlobalAveragePool', [self._quantized(mixed, most=most)], 'means')
        self._add('Flatten', ['means'], 'row')
        dense = self._weight('dense', weights.dense)
        bias = self._constant('dense_bias', weights.dense_bias.astype(self._inside))
        row = self._quantized('row', most=most)
        scores = self._add('Gemm', [row, dense, bias], self._inner('scores'), transB=1)
        self._cast(scores, 'scores', style.outside)
        for name, shape in network.shapes.items():
            self._constant(f'{name}_shape', np.array(shape, np.int64))
            self._add('Reshape', ['scores', f'{name}_shape'], name)

    def _inner(self, output: str) -> str:
        """Return the name of an output before its cast."""
        return output if self._style.inside == self._style.outside else f'{output}_inside'

    def _cast(self, name: str, cast: str, dtype: str) -> str:
        if self._style.inside == self._style.outside:
            return name
        from onnx import helper

        return self._add('Cast', [name], cast, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def _add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def _constant(self, name: str, value: Tensor) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def _quantized(self, name: str, *, most: float) -> str:
        """Send a tensor through bytes where the model is quantized; return its new name."""
        if not self._style.stored:
            return name
        dtype = np.dtype(self._style.stored)
        parameters = [
            self._constant(f'{name}_scale', np.array(most / np.iinfo(dtype).max, np.float32)),
            self._constant(f'{name}_zero', np.array(0, dtype)),
        ]
        stored = self._add('QuantizeLinear', [name, *parameters], f'{name}_bytes')
        return self._add('DequantizeLinear', [stored, *parameters], f'{name}_real')

    def _weight(self, name: str, value: Tensor) -> str:
        if not self._style.stored:
            return self._constant(name, value.astype(self._inside))
        scale = np.array(np.abs(value).max() / 127, np.float32)
        stored = self._constant(f'{name}_bytes', np.rint(value / scale).astype(np.int8))
        parameters = [
            self._constant(f'{name}_scale', scale),
            self._constant(f'{name}_zero', np.array(0, np.int8)),
        ]
        return self._add('DequantizeLinear', [stored, *parameters], name)
