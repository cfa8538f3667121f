# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Tiny networks whose results NumPy knows.

All have one structure, so that a format other than ONNX needs one converter: a 1x1 convolution
and ReLU give ``mixed``, the mean over all pixels and a dense layer give ``scores``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from edge_perception.contract import Engine
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract import Tensor
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception.contract.types import Float32Array
from edge_perception.runtime.dequantization import real_outputs

COLORS = 3


@dataclass(frozen=True, slots=True)
class Weights:
    """
    Parameters of a tiny network, float32.

    :param mix: (channels, 3), of the 1x1 convolution.
    :param mix_bias: (channels,).
    :param dense: (classes, channels).
    :param dense_bias: (classes,).
    """

    mix: Float32Array
    mix_bias: Float32Array
    dense: Float32Array
    dense_bias: Float32Array


@dataclass(frozen=True, slots=True)
class TinyNetwork:
    """
    A model with the input ``image`` (1, 3, height, width) and two outputs.

    ``mixed`` is (1, channels, height, width), ``scores`` is (1, classes); both float32. Images
    are 0 to 1. A converted file may have the other layout and other names.

    :param open_sizes: the file leaves height and width open.
    :param reshaped: further outputs ``scores_1d`` (classes,), ``scores_3d`` (1, classes, 1) and
        ``scores_5d`` (1, 1, classes, 1, 1), the numbers of ``scores``.
    :param open_batch: the file leaves the first size of input and outputs open, where its format
        can; the engine declares ``batches`` then.
    """

    name: str
    height: int
    width: int
    channels: int
    classes: int
    open_sizes: bool = False
    reshaped: bool = False
    open_batch: bool = False

    @property
    def weights(self) -> Weights:
        """The same numbers every time."""
        return _weights(self)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the further outputs, by name."""
        count = self.classes
        shapes = {'1d': (count,), '3d': (1, count, 1), '5d': (1, 1, count, 1, 1)}
        return {f'scores_{rank}': shape for rank, shape in shapes.items() if self.reshaped}

    @property
    def manifest(self) -> ModelManifest:
        """The manifest of a model folder with this network."""
        return ModelManifest(
            name=self.name,
            source=f'{self.name}.onnx',
            input=InputRecipe(width=self.width, height=self.height, scale=1 / 255),
            decoder='none',
        )

    def image(self, seed: int = 0) -> Float32Array:
        """Return an image (1, 3, height, width), 0 to 1; another one for each seed."""
        shape = (1, COLORS, self.height, self.width)
        return np.random.default_rng(seed).random(shape, np.float32)

    def compute(self, image: Float32Array) -> dict[str, Float32Array]:
        """Return what the model gives, computed in float64."""
        weights = self.weights
        mixed = np.einsum('oc,nchw->nohw', weights.mix.astype(np.float64), image)
        mixed = np.maximum(mixed + weights.mix_bias[:, None, None], 0)
        scores = mixed.mean(axis=(2, 3)) @ weights.dense.T.astype(np.float64) + weights.dense_bias
        scores = scores.astype(np.float32)
        further = {name: scores.reshape(shape) for name, shape in self.shapes.items()}
        return {'mixed': mixed.astype(np.float32), 'scores': scores, **further}


@lru_cache
def _weights(network: TinyNetwork) -> Weights:
    rng = np.random.default_rng(network.channels)

    def numbers(*shape: int) -> Float32Array:
        return rng.uniform(-1, 1, shape).astype(np.float32)

    return Weights(
        mix=numbers(network.channels, COLORS),
        mix_bias=numbers(network.channels),
        # So that sums of more channels are not greater.
        dense=numbers(network.classes, network.channels) / np.float32(network.channels**0.5),
        dense_bias=numbers(network.classes),
    )


# Every size differs from every other, so that outputs are told apart by their shape.
BASIC = TinyNetwork('basic', height=16, width=24, channels=4, classes=5)
# 10 MB of weights, so that a leak shows.
HEAVY = TinyNetwork('heavy', height=4, width=6, channels=1600, classes=1601)
# 98 kB of output for each frame.
LARGE = TinyNetwork('large', height=96, width=64, channels=4, classes=5)
BATCH = TinyNetwork('batch', height=16, width=24, channels=4, classes=5, open_batch=True)
OPEN = TinyNetwork('open', height=16, width=24, channels=4, classes=5, open_sizes=True)
RESHAPED = TinyNetwork('reshaped', height=16, width=24, channels=4, classes=5, reshaped=True)
# 25 MB of output, which take any device milliseconds.
SLOW = TinyNetwork('slow', height=768, width=512, channels=16, classes=5)


def as_input(network: TinyNetwork, spec: TensorSpec, image: Float32Array) -> Tensor:
    """
    Return an image in layout and dtype of the input of an artifact.

    :param image: (1, 3, height, width), 0 to 1.
    """
    recipe = network.manifest.input.fitted(spec)
    assert recipe is not None, f'{spec.describe()} is not an input for {network}'
    values: Tensor = image if recipe.layout == 'nchw' else image.transpose(0, 2, 3, 1)
    if spec.quantization is not None:
        values = np.rint(values / spec.quantization.scale) + spec.quantization.zero_point
        limits = np.iinfo(spec.dtype)
        values = np.clip(values, limits.min, limits.max)
    return np.ascontiguousarray(values, dtype=spec.dtype)


def run(engine: Engine, network: TinyNetwork, image: Float32Array) -> dict[str, Tensor]:
    """Let an engine compute an image through its own input memory; return copies, real numbers."""
    (spec,) = engine.inputs
    buffers = engine.input_buffers()
    buffers[spec.name][...] = as_input(network, spec, image)
    return dict(real_outputs(engine.infer(buffers), engine.outputs))


def check_parity(
    network: TinyNetwork, image: Float32Array, outputs: Tensors, *, tolerance: float
) -> None:
    """
    Assert that outputs are those of the model.

    :param outputs: real numbers; told apart by their shape.
    :param tolerance: the greatest difference, as a share of the greatest expected number.
    """
    for name, expected in network.compute(image).items():
        got = _same_output(outputs, name, expected)
        greatest = float(np.abs(expected).max())
        error = float(np.abs(got.astype(np.float64) - expected).max()) / greatest
        assert error <= tolerance, f'{name}: differs by {error:.3g}, expected {tolerance:g}'


def _same_output(outputs: Tensors, name: str, expected: Float32Array) -> Tensor:
    layouts: list[Any] = [lambda tensor: tensor]
    if expected.ndim == 4:
        layouts.append(lambda tensor: tensor.transpose(0, 3, 1, 2))
    for layout in layouts:
        for tensor in outputs.values():
            if tensor.ndim == expected.ndim and layout(tensor).shape == expected.shape:
                return np.asarray(layout(tensor))
    shapes = {key: tensor.shape for key, tensor in outputs.items()}
    raise AssertionError(f'no output {name} of shape {expected.shape}, in any layout: {shapes}')
