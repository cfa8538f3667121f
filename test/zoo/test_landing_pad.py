# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_perception.contract import Frame
from edge_perception.contract import load_manifest
from edge_perception.contract import TensorSpec
from edge_perception.decoders.keypoint.heatmap import HeatmapDecoder
from edge_perception.decoders.keypoint.heatmap import HeatmapOptions
from edge_perception.pose import Intrinsics
from edge_perception.pose import PlanarPoseEstimator
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.simulation import views
from edge_perception.simulation.pad import landing_pad as pad
from edge_perception.simulation.pad import pad_art
from edge_perception.simulation.rendering import distractors
from edge_perception.simulation.rendering import scenes
from edge_perception.simulation.rendering import textures
from edge_perception.simulation.rendering.renderer import Patch
from edge_perception.simulation.rendering.renderer import Renderer
from edge_perception.simulation.rendering.renderer import Texture

onnxruntime = pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
FLOAT32 = np.dtype(np.float32)


@pytest.fixture(scope='module')
def folder(repository) -> Path:
    return repository / 'edge_perception' / 'zoo' / 'landing_pad'


@pytest.fixture(scope='module')
def manifest(folder):
    return load_manifest(folder / 'model.yaml')


@pytest.fixture(scope='module')
def find(folder, manifest):
    """Return a function: image and rendered camera to a pose estimate or None."""
    session = onnxruntime.InferenceSession(
        str(folder / manifest.source), providers=['CPUExecutionProvider']
    )
    source, target = session.get_inputs()[0], session.get_outputs()[0]
    preprocess = Preprocessor(
        manifest.input, spec=TensorSpec(source.name, tuple(source.shape), FLOAT32)
    )
    decoder = HeatmapDecoder(
        manifest,
        outputs=(TensorSpec(target.name, tuple(target.shape), FLOAT32),),
        options=HeatmapOptions(),
    )
    estimator = PlanarPoseEstimator(
        np.array(manifest.object_points),
        keypoint_sigma=manifest.pose.keypoint_sigma,
        refine=manifest.pose.refine,
        refined_sigma=manifest.pose.refined_sigma,
        pattern=manifest.pose.pattern,
    )
    tensor = np.empty(source.shape, np.float32)

    def run(image, camera):
        transform = preprocess(Frame(image), tensor)
        (maps,) = session.run(None, {source.name: tensor})
        keypoints = decoder.decode(
            {target.name: maps}, transform=transform, selection=manifest.selection
        ).keypoints
        if not len(keypoints):
            return None
        intrinsics = Intrinsics.from_camera_info(
            width=camera.width, height=camera.height, k=camera.matrix.ravel(), d=camera.distortion
        )
        return estimator.estimate(
            keypoints.xy[0],
            keypoints.score[0],
            intrinsics=intrinsics,
            scale=1 / transform.scale_x,
            gray=cv2.cvtColor(image, cv2.COLOR_BGR2GRAY),
        )

    return run


def test_the_source_is_the_one_that_the_manifest_names(folder, manifest):
    data = (folder / manifest.source).read_bytes()
    assert hashlib.sha256(data).hexdigest() == manifest.sha256
    assert len(data) < 1.5e6


def test_the_manifest_has_the_keypoints_of_the_pad(manifest):
    assert manifest.keypoint_names == tuple(point.name for point in pad.KEYPOINTS)
    assert np.array(manifest.object_points) == pytest.approx(pad.object_points(1.0), abs=1e-6)
    assert manifest.pose.pattern == pad.pattern()
    assert manifest.labels.names == (manifest.name,)


def test_the_drawing_beside_the_model_is_the_pad(folder):
    assert (folder / 'pad.svg').read_text(encoding='utf-8') == pad_art.svg(1.0)


def test_the_report_is_about_this_model(folder, manifest):
    report = json.loads((folder / 'report.json').read_text(encoding='utf-8'))
    assert report['model_sha256'] == manifest.sha256


def test_the_pad_is_found_on_grounds_that_no_training_saw(find):
    draws = np.random.default_rng(31_000)
    grounds = scenes.make_grounds(textures.HELD_OUT_FAMILIES, each=1, random=draws)
    found, errors = [], []
    for _ in range(40):
        view = views.sample_view(draws)
        scene = scenes.sample_scene(draws, view, grounds=grounds)
        rendered = scenes.render(scene, view, random=draws)
        # As the bar of the report counts.
        if rendered.visible < 0.6 or view.size < 48 or view.obliqueness > math.pi / 4:
            continue
        estimate = find(rendered.image, view.camera)
        found.append(estimate is not None)
        if estimate is not None:
            error = np.linalg.norm(estimate.pose.position - view.position)
            errors.append(error / view.distance)
    assert len(found) >= 15
    assert np.mean(found) >= 0.95
    assert np.median(errors) < 0.01


@pytest.mark.parametrize('kind', distractors.KINDS, ids=lambda kind: kind.__name__)
def test_what_looks_like_a_pad_is_not_one(find, kind):
    draws = np.random.default_rng(32_000)
    view = views.sample_view(draws)
    renderer = Renderer(view.camera)
    ground = scenes.make_grounds([textures.sand], each=1, random=draws)[0]
    wrong = 0
    for _ in range(3):
        view = views.sample_view(draws, camera=view.camera)
        image = renderer.ground(scenes.Ground(ground), view)
        renderer.patch(Patch(Texture(kind(draws))), view, image)
        wrong += find(image.clip(0, 255).astype(np.uint8), view.camera) is not None
    assert wrong == 0


def test_a_mirrored_pad_is_not_one(find):
    draws = np.random.default_rng(33_000)
    view = views.sample_view(draws)
    renderer = Renderer(view.camera)
    ground = scenes.make_grounds([textures.sand], each=1, random=draws)[0]
    mirrored = Texture(np.ascontiguousarray(pad.raster(768)[:, ::-1]))
    for _ in range(20):
        view = views.sample_view(draws, camera=view.camera)
        image = renderer.ground(scenes.Ground(ground), view)
        renderer.patch(Patch(mirrored), view, image)
        assert find(image.clip(0, 255).astype(np.uint8), view.camera) is None
