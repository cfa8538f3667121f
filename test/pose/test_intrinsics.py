# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_perception.contract import IntrinsicsError
from edge_perception.pose import Intrinsics
from test.support.raising import raises

K = (457.0, 0.0, 319.5, 0.0, 455.0, 239.5, 0.0, 0.0, 1.0)
D5 = (-0.0306, 0.0352, -0.000138, -0.000146, -0.01204)
LENSES = {
    'plumb_bob': (-0.25, 0.07, 0.001, -0.002, 0.01),
    'rational_polynomial': (0.3, -0.1, 0.001, 0.0005, 0.02, 0.5, -0.08, 0.03),
    'equidistant': (-0.02, 0.01, -0.003, 0.0005),
}


def intrinsics(**changes) -> Intrinsics:
    values = {'width': 640, 'height': 480, 'k': K}
    return Intrinsics.from_camera_info(**{**values, **changes})


def grid() -> np.ndarray:
    x, y = np.meshgrid(np.linspace(20, 620, 7), np.linspace(20, 460, 6))
    return np.stack([x, y], -1).reshape(-1, 2)


@pytest.mark.parametrize('model', LENSES)
def test_rays_lead_back_to_their_pixels(model):
    camera = intrinsics(model=model, d=LENSES[model])
    rays = camera.rays(grid())
    points = np.concatenate([rays, np.ones((len(rays), 1))], axis=1) * 3.0
    assert camera.pixels(points) == pytest.approx(grid(), abs=1e-3)


@pytest.mark.parametrize('model', LENSES)
def test_pixels_move_with_their_rays_as_predicted(model):
    camera = intrinsics(model=model, d=LENSES[model])
    step = np.array([1e-4, -2e-4])
    rays, slopes = camera.rays_and_slopes(grid())
    ones = np.ones((len(rays), 1))
    moved = camera.pixels(np.concatenate([rays + step, ones], axis=1))
    still = camera.pixels(np.concatenate([rays, ones], axis=1))
    predicted = slopes @ step
    assert moved - still == pytest.approx(predicted, rel=0.02, abs=2e-3)


def test_the_middle_of_the_image_looks_straight_ahead():
    # The center of a picture of 640 x 480 is (320, 240), whose center K calls (319.5, 239.5).
    assert intrinsics().rays(np.array([[320.0, 240.0]])) == pytest.approx(np.zeros((1, 2)))


def test_rectified_images_use_p_and_no_distortion():
    p = (400.0, 0.0, 300.0, 0.0, 0.0, 400.0, 200.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    camera = intrinsics(p=p, d=LENSES['plumb_bob'], rectified=True)
    assert camera.rays(np.array([[700.5, 200.5]])) == pytest.approx(np.array([[1.0, 0.0]]))


def test_half_the_size_is_half_the_pixels():
    full = intrinsics(d=LENSES['plumb_bob'])
    half = full.fitted(320, 240)
    assert half.rays(grid() / 2) == pytest.approx(full.rays(grid()), abs=1e-6)


def test_a_region_of_interest_is_moved():
    full = intrinsics(d=LENSES['plumb_bob'])
    part = full.fitted(100, 60, roi=(200, 120, 200, 120))
    here = np.array([[10.0, 20.0]])
    assert part.rays(here) == pytest.approx(full.rays(here * 2 + (200, 120)), abs=1e-6)


def test_another_shape_is_refused():
    with raises(IntrinsicsError, '640x480', '640x360'):
        intrinsics().fitted(640, 360)


@pytest.mark.parametrize(
    ('changes', 'names'),
    [
        ({'k': (0.0,) * 9}, ['camera_info.k: ', [0.0] * 9]),
        ({'k': ()}, ['camera_info.k: ', []]),
        ({'rectified': True}, ['camera_info.p: ', []]),
        ({'model': 'banana'}, ["'banana'", 'plumb_bob', 'rational_polynomial']),
        ({'d': (*D5, 0.1, 0.2, 0.3)}, ['at most 5', 'rational_polynomial']),
        ({'d': (*D5, 0.1), 'model': 'fisheye'}, ['at most 4']),
        ({'d': (0.1,) * 15, 'model': 'rational_polynomial'}, ['at most 14']),
        ({'d': D5, 'model': ''}, ["''"]),
        ({'k': (1000, 0, 640, 0, 1000, 480, 0, 0, 1)}, ['640, 480', 'binning']),
        ({'k': (float('nan'), *K[1:])}, ['camera_info.k: ', 'nan']),
    ],
)
def test_unusable_intrinsics_are_refused_with_the_reason(changes, names):
    with raises(IntrinsicsError, *names):
        intrinsics(**changes)


@pytest.mark.parametrize(
    ('model', 'numbers', 'same_as', 'its_numbers'),
    [
        ('plumb_bob', (*D5, 0, 0, 0), 'plumb_bob', D5),
        ('rational_polynomial', D5, 'rational_polynomial', (*D5, 0, 0, 0)),
        ('rational_polynomial', D5, 'plumb_bob', D5),
        ('plumb_bob', D5[:2], 'plumb_bob', (*D5[:2], 0, 0, 0)),
        ('radtan', D5[:4], 'plumb_bob', (*D5[:4], 0)),
        ('Brown-Conrady', D5, 'plumb_bob', D5),
        ('fisheye', (*LENSES['equidistant'], 0), 'equidistant', LENSES['equidistant']),
        ('Kannala Brandt', (*LENSES['equidistant'],), 'equidistant', LENSES['equidistant']),
        ('none', (0, 0, 0, 0, 0), 'plumb_bob', ()),
    ],
)
def test_lens_models_are_taken_by_meaning(model, numbers, same_as, its_numbers):
    same = intrinsics(model=same_as, d=its_numbers).rays(grid())
    assert intrinsics(model=model, d=numbers).rays(grid()) == pytest.approx(same, abs=1e-9)


def test_a_cropped_image_may_have_its_principal_point_anywhere():
    matrix = (1000, 0, 640, 0, 1000, 480, 0, 0, 1)
    assert intrinsics(k=matrix, center_limit=0).matrix[0, 2] == 640


def test_the_lens_models_are_those_of_opencv():
    points = np.array([[0.5, -0.3, 2.0], [-0.4, 0.2, 1.0]])
    zero, matrix = np.zeros(3), np.array(K).reshape(3, 3)
    camera = intrinsics(model='equidistant', d=LENSES['equidistant'])
    expected, _ = cv2.fisheye.projectPoints(
        points.reshape(-1, 1, 3), zero, zero, matrix, np.array(LENSES['equidistant'])
    )
    assert camera.pixels(points) == pytest.approx(expected.reshape(-1, 2) + 0.5)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'width': 0}, 'got a size of 0x480'),
        ({'d': [float('nan')] * 5}, 'd: got [nan, nan, nan, nan, nan], expected finite numbers'),
        (
            {'model': 'rational_polynomial', 'd': [0, 1e290, 0, 0, 0, 1e290, 1e290, 1e290]},
            'expected a lens that maps each pixel to one ray',
        ),
    ],
)
def test_calibration_that_would_make_every_pose_impossible_is_refused(changes, words):
    values = {'width': 640, 'height': 480, 'k': [500, 0, 320, 0, 500, 240, 0, 0, 1], **changes}
    with pytest.raises(IntrinsicsError) as raised:
        Intrinsics.from_camera_info(**values)
    assert words in str(raised.value)


def test_size_that_differs_by_some_rows_is_another_picture():
    camera = Intrinsics.from_camera_info(
        width=640, height=480, k=[500, 0, 320, 0, 500, 240, 0, 0, 1]
    )
    with pytest.raises(IntrinsicsError):
        camera.fitted(640, 484)
    assert camera.fitted(320, 240).matrix[0, 0] == 250


def test_pixels_that_look_behind_the_camera_do_not_cost_the_others_their_rays():
    # The ideal lens of a simulator, 204 degrees wide: r = f theta.
    k = [180, 0, 319.5, 0, 180, 239.5, 0, 0, 1]
    camera = Intrinsics.from_camera_info(
        width=640, height=480, k=k, d=[0] * 4, model='equidistant'
    )
    pixels = np.stack(np.meshgrid(np.arange(0, 641, 20), np.arange(0, 481, 20)), -1).reshape(-1, 2)
    away = np.linalg.norm(pixels - (320, 240), axis=1)
    lengths = np.linalg.norm(camera.rays(pixels), axis=1)
    ahead = away / 180 < 1.5
    assert lengths[ahead] == pytest.approx(np.tan(away[ahead] / 180))
    behind = away / 180 > 1.6
    assert behind.any()
    assert not (lengths[behind] < 100).any()
