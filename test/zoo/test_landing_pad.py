# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
from itertools import islice
import json
import math
from pathlib import Path

import numpy as np
import pytest

from edge_perception.contract import load_manifest
from edge_perception.simulation import landing_pad as pad
from edge_perception.simulation import views
from edge_perception.simulation.rendering import distractors
from edge_perception.simulation.rendering import scenes
from edge_perception.simulation.rendering import textures
from edge_perception.simulation.rendering.renderer import Patch
from edge_perception.simulation.rendering.renderer import Renderer
from edge_perception.simulation.rendering.renderer import Texture
from edge_perception.tooling import pad_drawing
from tools.landing_pad.finder import Finder
from tools.rendered_pads import rendered_pads

pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')


@pytest.fixture(scope='module')
def folder(repository) -> Path:
    return repository / 'edge_perception' / 'zoo' / 'landing_pad'


@pytest.fixture(scope='module')
def manifest(folder):
    return load_manifest(folder / 'model.yaml')


@pytest.fixture(scope='module')
def find(folder):
    """Return a function: image and rendered camera to a pose estimate or None."""
    finder = Finder(folder)
    return lambda image, camera: finder.find(image, camera).estimate


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
    assert (folder / 'pad.svg').read_text(encoding='utf-8') == pad_drawing.svg(1.0)


def test_the_report_is_about_this_model(folder, manifest):
    report = json.loads((folder / 'report.json').read_text(encoding='utf-8'))
    assert report['model_sha256'] == manifest.sha256


def test_the_pad_is_found_on_grounds_that_no_training_saw(find):
    found, errors = [], []
    for view, rendered in islice(rendered_pads(seed=31_000), 40):
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


def mirrored(random):
    """Return the pad mirrored, which is not the pad."""
    return np.ascontiguousarray(pad.raster(768)[:, ::-1])


@pytest.mark.parametrize(
    ('kind', 'count', 'seed'),
    [*((kind, 3, 32_000) for kind in distractors.KINDS), (mirrored, 20, 33_000)],
    ids=lambda value: getattr(value, '__name__', ''),
)
def test_what_looks_like_a_pad_is_not_one(find, kind, count, seed):
    draws = np.random.default_rng(seed)
    view = views.sample_view(draws)
    renderer = Renderer(view.camera)
    ground = scenes.make_grounds([textures.sand], each=1, random=draws)[0]
    for _ in range(count):
        view = views.sample_view(draws, camera=view.camera)
        image = renderer.ground(scenes.Ground(ground), view)
        renderer.patch(Patch(Texture(kind(draws))), view, image)
        assert find(image.clip(0, 255).astype(np.uint8), view.camera) is None
