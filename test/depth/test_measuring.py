# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Distances, sizes and covariances against rendered scenes and figures that were computed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from test.depth.rgbd import Block
from test.depth.rgbd import depth_image
from test.depth.rgbd import fronts
from test.depth.rgbd import HEIGHT
from test.depth.rgbd import inputs_of
from test.depth.rgbd import look
from test.depth.rgbd import measure
from test.depth.rgbd import stage_of
from test.depth.rgbd import WIDTH
from test.depth.rgbd import worn

SCENE = (Block(-0.6, 0.1, 1.5), Block(0.5, -0.2, 2.5), Block(0.0, 0.4, 4.0, (0.6, 0.5, 0.3)))


def sigma(z: float) -> float:
    return 0.0027 * z**2


@pytest.mark.parametrize('encoding', ['16UC1', 'mono16', '32FC1'])
@pytest.mark.parametrize('seed', range(3))
def test_fronts_and_centers_are_where_they_are(encoding, seed):
    """In each encoding without an option: yolo_ros divides all of them by 1000."""
    view = look(*SCENE)
    got = measure(view.boxes(), depth_image(worn(view, seed=seed), encoding), assumed_extent=0.3)
    assert got.instance.tolist() == [0, 1, 2]
    for block, front, center, size in zip(SCENE, fronts(got), got.center, got.size):
        tolerance = 0.02 * block.front + 3 * sigma(block.front)
        assert abs(front - block.front) < tolerance
        assert size[2] >= 0.3 and center[2] == pytest.approx(front + size[2] / 2)
        assert abs(center[0] - block.x) < tolerance and abs(center[1] - block.y) < tolerance
        assert np.abs(size[:2] - block.size[:2]).max() < 0.06 * block.front


@pytest.mark.parametrize('distance', [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize('tilt', [0.0, 0.5])
def test_flat_objects_are_within_two_percent(distance, tilt):
    view = look(Block(0.1, 0.0, distance, (0.5 * distance, 0.4 * distance, 1e-6)), wall=9.0)
    rows = np.linspace(-1, 1, HEIGHT)[:, None] * 0.1 * distance * tilt
    z = np.where(view.number == 0, view.z + rows, view.z)
    noisy = z + np.random.default_rng(1).normal(size=z.shape) * sigma(distance)
    (center,) = measure(view.boxes(), depth_image(noisy)).center
    assert abs(center[2] - distance) < 0.02 * distance


@pytest.mark.parametrize('behind', [0.3, 1.0, 3.0, 15.0])
@pytest.mark.parametrize('cover', [0.3, 0.6, 1.0])
def test_no_box_is_on_the_wall_behind(behind, cover):
    view = look(Block(0.0, 0.0, 2.0, (0.4, 0.4, 1e-6)), wall=2.0 + behind)
    (box,) = view.boxes()
    half = (box[2:] - box[:2]) / 2 / np.sqrt(cover)
    loose = np.concatenate([box[:2] + box[2:] - 2 * half, box[:2] + box[2:] + 2 * half]) / 2
    for seed in range(2):
        (front,) = fronts(measure(loose, depth_image(worn(view, seed=seed))))
        assert abs(front - 2.0) < 0.04 + 3 * sigma(2.0)


def test_an_object_without_distances_is_not_on_the_wall_around_it():
    view = look(Block(0.0, 0.0, 2.0))
    z = np.where(view.number == 0, 0.0, view.z)
    stage = stage_of()
    perception = stage.run(inputs_of(view.boxes(), depth_image(z)))
    assert len(perception.detections) == 1 and not len(perception.extras['detections_3d'])
    assert stage.counts['no_depth'] == 1


def test_the_computed_object_of_known_size():
    # 0.4 x 0.3 m at 2 m; f 500, principal point 320, 240 in pixels of the contract.
    (center,), (size,), *_ = (
        getattr(measure([270, 202.5, 370, 277.5], depth_image(look(wall=2.0).z)), name)
        for name in ('center', 'size')
    )
    np.testing.assert_allclose(center, [0, 0, 2.0], atol=2e-3)
    np.testing.assert_allclose(size, [0.4, 0.3, 0], atol=2e-3)


def test_the_computed_point_of_a_half_size_depth_image():
    # Pixel 200 of 320 at 2 m is at +0.32 m; with K of 640 columns it would be at -0.48 m.
    depth = depth_image(look(wall=2.0, scale=0.5).z)
    (center,) = measure([380.5, 220, 421.5, 260], depth).center
    assert center[0] == pytest.approx(2.0 * (400.5 - 319.5) / 500, abs=0.01)


@pytest.mark.parametrize('scale', [0.5, 2.0])
def test_depth_of_another_size_gives_the_same(scale):
    expected = measure(look(*SCENE).boxes(), depth_image(look(*SCENE).z))
    got = measure(look(*SCENE).boxes(), depth_image(look(*SCENE, scale=scale).z))
    np.testing.assert_allclose(got.center, expected.center, atol=0.01)
    np.testing.assert_allclose(got.size, expected.size, atol=0.02)


def test_the_computed_share_of_wall_does_not_move_the_object():
    # 20 % of wall at 3 m behind an object at 2 m: a mean says 2.2 m.
    z = np.full((HEIGHT, WIDTH), 2.0)
    z[:, ::5] = 3.0
    assert fronts(measure([200, 150, 400, 350], depth_image(z)))[0] == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize(('distance', 'expected'), [(1, 0.0027), (3, 0.024), (6, 0.097)])
def test_the_computed_deviations_of_a_stereo_camera(distance, expected):
    (covariance,) = measure([200, 150, 400, 350], depth_image(look(wall=distance).z)).covariance
    assert np.sqrt(covariance[2, 2]) == pytest.approx(expected, rel=0.05)
    assert (np.linalg.eigvalsh(covariance) > 0).all() and covariance[3, 3] == 1e3


def test_a_box_that_is_cut_off_says_so():
    stage = stage_of()
    depth = depth_image(look(wall=2.0).z)
    boxes = [[0, 200, 60, 300], [300, 200, 360, 300]]
    got = stage.run(inputs_of(boxes, depth)).extras['detections_3d']
    cut, whole = np.sqrt(got.covariance[:, 0, 0])
    assert cut > 5 * whole
    assert stage.counts['measured'] == 2 and stage.counts['cut_off'] == 1


@pytest.mark.parametrize(
    ('fill', 'reason'),
    [
        (np.nan, 'no_depth'),
        (0.0, 'no_depth'),
        (np.inf, 'too_far'),
        (30.0, 'too_far'),
        (-np.inf, 'too_near'),
        (0.05, 'too_near'),
    ],
)
def test_objects_without_a_usable_distance_are_counted_by_reason(fill, reason):
    z = look(wall=3.0).z.copy()
    z[:, :320] = fill
    stage = stage_of()
    perception = stage.run(
        inputs_of([[100, 100, 200, 200], [400, 100, 500, 200]], depth_image(z, '32FC1'))
    )
    assert len(perception.detections) == 2
    assert perception.extras['detections_3d'].instance.tolist() == [1]
    assert {name: n for name, n in stage.counts.items() if n} == {'measured': 1, reason: 1}


@pytest.mark.parametrize(
    'box', [[10, 10, 13, 13], [700, 10, 900, 90], [-80, -80, -10, -10], [np.nan] * 4, [1e31] * 4]
)
def test_boxes_that_show_nothing_of_the_depth_image_are_too_small(box):
    stage = stage_of()
    assert not len(stage.run(inputs_of([box], depth_image(look().z))).extras['detections_3d'])
    assert stage.counts['too_small'] == 1


def test_scattered_distances_make_no_surface():
    z = np.random.default_rng(1).uniform(0.5, 19, (HEIGHT, WIDTH))
    assert not len(measure([200, 150, 400, 350], depth_image(z)))


@pytest.mark.parametrize(
    ('field', 'number', 'dtype'), [('mask', 0, np.uint8), ('instances', 1, np.uint16)]
)
def test_a_mask_tells_the_object_from_what_is_before_it(field, number, dtype):
    view = look(Block(0.0, 0.0, 3.0, (1.0, 1.0, 0.1)), Block(0.0, 0.0, 1.0, (0.15, 1.0, 0.01)))
    box = view.boxes()[:1]
    assert fronts(measure(box, depth_image(view.z)))[0] == pytest.approx(1.0, abs=0.02)
    inputs = inputs_of(box, depth_image(worn(view, seed=1)))
    mask = np.where(view.number == 0, number, 7).astype(dtype)
    perception = replace(inputs.perception, **{field: mask})
    got = stage_of().run(replace(inputs, perception=perception))
    front = fronts(got.extras['detections_3d'])[0]
    assert abs(front - 3.0) < 0.06 + 3 * sigma(3.0)
