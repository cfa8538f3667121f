# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Manifests and tensors for decoders without a network."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_perception.contract import Decoder
from edge_perception.contract import ImageTransform
from edge_perception.contract import InputRecipe
from edge_perception.contract import LabelMap
from edge_perception.contract import ModelManifest
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.contract import TensorSpec
from test.decoders.network import make_decoder


def make_manifest(
    decoder: str,
    *,
    width: int = 64,
    height: int = 64,
    layout: str = 'nchw',
    labels: tuple[str, ...] = (),
    keypoints: tuple[str, ...] = (),
    **options: Any,
) -> ModelManifest:
    return ModelManifest(
        name='model',
        source='model.onnx',
        input=InputRecipe(width=width, height=height, layout=layout),
        decoder=decoder,
        decoder_options=options,
        labels=LabelMap(labels),
        keypoint_names=keypoints,
    )


def specs(**shapes: tuple[int, ...]) -> list[TensorSpec]:
    return [TensorSpec(name, shape, np.dtype(np.float32)) for name, shape in shapes.items()]


def bind(manifest: ModelManifest, tensors: dict[str, np.ndarray]) -> Decoder:
    """Make the decoder for a network that gives these tensors."""
    return make_decoder(
        manifest, *(TensorSpec(name, each.shape, each.dtype) for name, each in tensors.items())
    )


def decode(
    decoder: Decoder,
    tensors: dict[str, np.ndarray],
    selection: Selection | None = None,
    transform: ImageTransform | None = None,
) -> Perception:
    """Decode for a source image of the size of the input."""
    recipe = decoder.manifest.input
    upright = ImageTransform(recipe.width, recipe.height, recipe.width, recipe.height)
    return decoder.decode(
        tensors, transform=transform or upright, selection=selection or Selection()
    )
