# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
import math

import cv2
import numpy as np
import pytest

from edge_perception.simulation import landing_pad as pad
from edge_perception.simulation import views
from edge_perception.simulation.rendering import textures
from edge_perception.simulation.rendering.effects import Effects
from edge_perception.simulation.rendering.effects import Occluder
from edge_perception.simulation.rendering.pinhole import PinholeCamera
from edge_perception.simulation.rendering.renderer import Ground
from edge_perception.simulation.rendering.renderer import Patch
from edge_perception.simulation.rendering.renderer import Renderer
from edge_perception.simulation.rendering.renderer import Texture
from edge_perception.simulation.rendering.scenes import make_grounds
from edge_perception.simulation.rendering.scenes import PAD_TEXTURE
from edge_perception.simulation.rendering.scenes import render
from edge_perception.simulation.rendering.scenes import sample_scene
from edge_perception.simulation.rendering.scenes import Scene
from edge_perception.simulation.views import View

CURVED = (-0.2, 0.05, 0.0, 0.0, 0.0)


def plain_scene(**effects) -> Scene:
    ground = Ground(Texture(np.full((64, 64, 3), 120, np.uint8)))
    return Scene(ground=ground, landing_pad=Patch(PAD_TEXTURE), effects=Effects(**effects))


def view_of(
    *, distance=2.0, tilt=30.0, yaw=70.0, distortion=CURVED, at=(0.05, -0.1), direction=1.0
) -> View:
    camera = PinholeCamera.from_field_of_view(70, distortion=distortion)
    ray = np.array([*at, 1.0])
    return View(
        camera=camera,
        rotation=views.orientation(
            tilt=math.radians(tilt), direction=direction, yaw=math.radians(yaw)
        ),
        position=ray / np.linalg.norm(ray) * distance,
    )


def random() -> np.random.Generator:
    return np.random.default_rng(7)


def test_seventy_degrees_show_a_pad_of_one_meter_with_48_pixels_at_nine_and_a_half():
    assert view_of(distance=9.5).size == pytest.approx(48, abs=0.5)


def test_keypoints_are_those_of_opencv_and_half_a_pixel():
    view = view_of()
    pixels, _ = cv2.projectPoints(
        pad.object_points(),
        cv2.Rodrigues(view.rotation)[0],
        view.position,
        view.camera.matrix,
        np.array(CURVED),
    )
    assert view.keypoints() == pytest.approx(pixels.reshape(-1, 2) + 0.5)


@pytest.mark.parametrize('distance', [0.8, 2.0, 4.0, 8.0])
@pytest.mark.parametrize('distortion', [(0.0,) * 5, CURVED], ids=['straight', 'curved'])
def test_saddle_points_of_the_picture_are_at_the_keypoints(distance, distortion):
    view = view_of(distance=distance, distortion=distortion)
    rendered = render(plain_scene(), view, random=random())
    gray = cv2.cvtColor(rendered.image, cv2.COLOR_BGR2GRAY)
    margin = np.array([15, 15])
    near = rendered.keypoints.min(axis=1) > 15
    near &= (rendered.keypoints < np.array([640, 480]) - margin).all(axis=1)
    # The fine ones are too small for a search window from afar.
    near[12:] &= distance < 4
    assert near.sum() >= 4
    window = max(2, min(8, round(0.045 * view.size)))
    start = (rendered.keypoints[near] - 0.5).astype(np.float32).reshape(-1, 1, 2)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 40, 0.001)
    found = cv2.cornerSubPix(gray, start, (window, window), (-1, -1), stop).reshape(-1, 2) + 0.5
    apart = np.linalg.norm(found - rendered.keypoints[near], axis=1)
    assert np.median(apart) < 0.1
    assert apart.max() < 0.25


def test_a_pad_straight_below_is_drawn_as_it_is_printed():
    view = view_of(distance=2.0, tilt=0, yaw=0, at=(0.0, 0.0), distortion=(0.0,) * 5)
    picture = render(plain_scene(), view, random=random()).image[..., 0]
    corners = view.project(pad.outline())
    left, top = np.round(corners[0]).astype(int)
    right, bottom = np.round(corners[2]).astype(int)
    drawn = cv2.resize(picture[top:bottom, left:right], (120, 120)).astype(float)
    printed = pad.raster(120).astype(float)
    assert np.corrcoef(drawn.ravel(), printed.ravel())[0, 1] > 0.97


def test_a_far_pad_does_not_alias():
    # Fine stripes become an even gray where they are thinner than a pixel.
    stripes = np.tile(np.array([[0], [255]], np.uint8), (768, 1536))
    patch = Patch(Texture(stripes), dark=(0, 0, 0), bright=(255, 255, 255))
    view = view_of(distance=6.0, tilt=0, yaw=13, distortion=(0.0,) * 5)
    image = np.zeros((480, 640, 3), np.float32)
    cover = Renderer(view.camera).patch(patch, view, image)
    inside = image[cover > 0.999][:, 0]
    assert inside.mean() == pytest.approx(127, abs=4)
    assert inside.std() < 6


def test_what_is_in_the_way_hides_keypoints_and_area():
    view = view_of(distance=2.0, tilt=0, yaw=0, at=(0.0, 0.0), distortion=(0.0,) * 5)
    open_view = render(plain_scene(), view, random=random())
    left_half = np.array([[0, 0], [320, 0], [320, 480], [0, 480]], np.int32)
    covered = render(
        plain_scene(occluders=(Occluder(left_half, (0.0, 0.0, 0.0)),)), view, random=random()
    )
    assert open_view.seen.all()
    assert open_view.visible == pytest.approx(1.0, abs=0.01)
    assert covered.visible == pytest.approx(0.5, abs=0.02)
    assert np.array_equal(covered.seen, covered.keypoints[:, 0] >= 321)


def test_a_pad_half_outside_of_the_picture_counts_as_half():
    x = 320.5 / PinholeCamera.from_field_of_view(70).focal
    view = view_of(distance=3.0, tilt=0, yaw=0, at=(x, 0.0), distortion=(0.0,) * 5)
    rendered = render(plain_scene(), view, random=random())
    assert rendered.visible == pytest.approx(0.5, abs=0.05)
    assert np.array_equal(rendered.seen, rendered.keypoints[:, 0] < 640)


def test_a_tiny_pad_near_by_is_as_much_inside_as_a_large_one_far_away():
    shares = [
        views.inside(replace(view, position=view.position * size, side=size))
        for view in [view_of(distance=0.9, tilt=10, distortion=(0.0,) * 5)]
        for size in (pad.SMALLEST, 1.0, pad.LARGEST)
    ]
    assert shares == pytest.approx([shares[1]] * 3)
    assert shares[1] > 0.5


def test_a_picture_without_a_pad_says_so():
    scene = Scene(ground=plain_scene().ground, landing_pad=None)
    rendered = render(scene, view_of(), random=random())
    assert rendered.visible == 0
    assert not rendered.seen.any()
    assert np.ptp(rendered.image) == 0


def test_motion_blurs_along_its_direction_only():
    view = view_of(distance=2.0, tilt=0, yaw=0, at=(0.0, 0.0), distortion=(0.0,) * 5)
    sharp = render(plain_scene(), view, random=random()).image.astype(float)
    moved = render(plain_scene(motion=(6.0, 0.0)), view, random=random()).image.astype(float)
    down, across = (
        [np.abs(np.diff(image, axis=axis)).max() for image in (sharp, moved)] for axis in (0, 1)
    )
    assert down[1] > 0.6 * down[0]
    assert across[1] < 0.35 * across[0]


def test_views_have_the_promised_distribution():
    draws = np.random.default_rng(1)
    camera = PinholeCamera.from_field_of_view(70)
    drawn = [views.sample_view(draws, camera=camera) for _ in range(400)]
    distance = np.log([view.distance for view in drawn])
    tilt = [math.degrees(math.acos(-view.rotation[2, 2])) for view in drawn]
    assert distance.min() >= math.log(0.7)
    assert distance.max() <= math.log(9.5)
    assert np.median(distance) == pytest.approx(math.log(0.7 * 9.5) / 2, abs=0.25)
    assert max(tilt) <= 45
    assert np.median(tilt) == pytest.approx(22.5, abs=5)
    assert min(views.inside(view) for view in drawn) >= views.MINIMUM_INSIDE


def test_equal_seeds_give_equal_pictures():
    def picture() -> np.ndarray:
        draws = np.random.default_rng(11)
        grounds = make_grounds([textures.tiles], each=1, random=draws)
        view = views.sample_view(draws)
        scene = sample_scene(draws, view, grounds=grounds)
        return render(scene, view, random=draws).image

    assert np.array_equal(picture(), picture())


@pytest.mark.parametrize(
    'family',
    textures.TRAINING_FAMILIES + textures.HELD_OUT_FAMILIES,
    ids=lambda family: family.__name__,
)
def test_every_ground_has_structure(family):
    picture = family(np.random.default_rng(3))
    assert picture.shape == (textures.SIZE, textures.SIZE, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 5


def test_training_and_evaluation_share_no_ground():
    assert not set(textures.TRAINING_FAMILIES) & set(textures.HELD_OUT_FAMILIES)
