# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""An artifact with its preprocessing inside sees what the plain one sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
from onnx import TensorProto
import pytest

from edge_perception.contract import BuildError
from edge_perception.contract import check_input
from edge_perception.contract import Frame
from edge_perception.contract import ModelManifest
from edge_perception.contract import Tensor
from edge_perception.contract import TensorMismatchError
from edge_perception.contract import TensorSpec
from edge_perception.models.finding import Model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.tooling.building.artifact_build import BuildRequest
from edge_perception.tooling.building.calibration_images import CalibrationSet
from edge_perception.tooling.building.folding import fold_preprocessing
from test.support.networks import manifest_for
from test.support.networks import save_conv
from test.support.networks import save_identity
from test.support.raising import raises

ENGINE = PluginHost().engines['onnxruntime']
KINDS = {'float32': TensorProto.FLOAT, 'float16': TensorProto.FLOAT16}


def seen(manifest: ModelManifest, path: Path, frames: Sequence[Frame]) -> Tensor:
    """Return the outputs of a network for some frames, NCHW."""
    with ENGINE.create(manifest, path, ENGINE.options_type()) as engine:
        spec = check_input(manifest, engine.inputs)
        preprocess, found = Preprocessor(manifest.input, spec=spec), []
        for frame in frames:
            buffers = engine.input_buffers()
            preprocess(frame, buffers[spec.name])
            (output,) = engine.infer(buffers).values()
            found.append(np.array(output[0], np.float64))
    return np.stack(
        [each if manifest.input.layout == 'nchw' else each.transpose(2, 0, 1) for each in found]
    )


@settings(deadline=None, max_examples=10)
@given(
    layout=st.sampled_from(['nchw', 'nhwc']),
    dtype=st.sampled_from(list(KINDS)),
    color=st.sampled_from(['bgr', 'rgb', 'gray']),
    resize=st.sampled_from(['letterbox_center', 'stretch', 'center_crop']),
    scale=st.sampled_from([1.0, 1 / 255]),
    mean=st.tuples(*[st.sampled_from([0.0, 0.485, 123.675])] * 3),
    std=st.tuples(*[st.sampled_from([1.0, 0.225, 58.395])] * 3),
    seed=st.integers(0, 99),
)
def test_folded_and_plain_agree_on_images_of_every_encoding(layout, dtype, color, seed, **values):
    manifest = manifest_for()
    recipe = replace(
        manifest.input, width=12, height=8, layout=layout, dtype=dtype, color=color, **values
    )
    manifest = replace(manifest, input=recipe)
    pixels = np.random.default_rng(seed).integers(0, 256, (17, 20, 3), np.uint8)
    frames = [Frame(pixels, each) for each in ('bgr8', 'rgb8')]
    frames.append(Frame(pixels[..., 0].copy(), 'mono8'))
    with TemporaryDirectory() as folder:
        path = save_identity(Path(folder) / 'net.onnx', KINDS[dtype], recipe.shape)
        plain = seen(manifest, path, frames)
        folded = seen(manifest, fold_preprocessing(path, recipe), frames)
    assert plain.shape == folded.shape
    # float16 rounds by a thousandth; a pixel that is one gray level off would be a whole step.
    step = np.resize(recipe.scale / np.array(recipe.std), recipe.channels).reshape(1, -1, 1, 1)
    assert (np.abs(plain - folded) <= 0.01 * step + np.abs(plain) * 1e-3).all()


def test_an_input_before_which_nothing_can_be_put(tmp_path):
    recipe = manifest_for().input
    path = save_identity(tmp_path / 'net.onnx', TensorProto.UINT8)
    with raises(BuildError, 'float32', 'float16'):
        fold_preprocessing(path, recipe)
    path = save_conv(tmp_path / 'net.onnx')
    with raises(BuildError, 'net.onnx', ', 9)'):
        fold_preprocessing(path, replace(recipe, width=9))
    assert path.is_file()


@pytest.mark.parametrize('target', ['tensorrt', 'tflite', 'edgetpu', 'myriad'])
def test_targets_that_cannot_be_folded_are_named(tmp_path, target):
    builder = PluginHost().builders[target]
    model = Model(tmp_path, manifest_for(), save_conv(tmp_path / 'net.onnx'))
    with raises(BuildError, f'target {target}: ', '--fold-preprocessing'):
        BuildRequest(
            model,
            builder,
            builder.precisions[0],
            CalibrationSet((), ''),
            fold_preprocessing=True,
        )


def test_bytes_are_not_folded(tmp_path):
    manifest = manifest_for(dtype='uint8')
    model = Model(tmp_path, manifest, save_conv(tmp_path / 'net.onnx'))
    with raises(BuildError, 'input.dtype uint8'):
        BuildRequest(model, PluginHost().builders['onnxruntime'], 'fp32', fold_preprocessing=True)


@pytest.mark.parametrize(
    ('name', 'kind', 'shape'),
    [
        ('edge_perception_mono8', np.uint8, (1, 4, 6, 1)),
        ('edge_perception_bgr8', np.float32, (1, 4, 6, 3)),
        ('edge_perception_bgr8', np.uint8, (1, 9, 6, 3)),
    ],
)
def test_a_folded_input_that_is_not_that_of_the_manifest_is_refused(name, kind, shape):
    manifest = manifest_for(name='image')
    fits = TensorSpec('edge_perception_bgr8', (1, 4, 6, 3), np.dtype(np.uint8))
    assert check_input(manifest, (fits,)) == fits
    with pytest.raises(TensorMismatchError):
        check_input(manifest, (TensorSpec(name, shape, np.dtype(kind)),))
