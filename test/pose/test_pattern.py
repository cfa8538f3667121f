# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_perception.pose import Intrinsics
from edge_perception.pose import PlanarPoseEstimator
from edge_perception.pose.pattern import Pattern
from edge_perception.pose.solver import Pose
from edge_perception.simulation import landing_pad as pad
from edge_perception.simulation import views

CAMERA = Intrinsics.from_camera_info(
    width=640, height=480, k=(457.0, 0.0, 319.5, 0.0, 457.0, 239.5, 0.0, 0.0, 1.0)
)
PATTERN = Pattern(pad.pattern(), cell=1 / 12)
POSE = Pose(views.orientation(tilt=0.5, direction=1.0, yaw=0.4), np.array([0.1, -0.2, 3.0]))
DRAWING = pad.raster(768)


def draw(drawing: np.ndarray, pose: Pose = POSE) -> np.ndarray:
    """Return what the camera sees of a drawing of 1 m."""
    side = len(drawing)
    to_meters = np.array([[0, -1, side / 2 - 0.5], [-1, 0, side / 2 - 0.5], [0, 0, side]]) / side
    to_image = CAMERA.matrix @ np.column_stack([pose.rotation[:, :2], pose.position])
    large = cv2.warpPerspective(
        drawing, np.diag([4.0, 4.0, 1.0]) @ to_image @ to_meters, (2560, 1920), borderValue=120
    )
    return cv2.resize(large, (640, 480), interpolation=cv2.INTER_AREA)


def agreement(image: np.ndarray, pose: Pose = POSE) -> float:
    return PATTERN.agreement(image, pose, CAMERA)


def test_the_printed_object_agrees():
    assert agreement(draw(DRAWING)) > 0.9


@pytest.mark.parametrize(
    'drawing',
    [DRAWING.T, DRAWING[::-1], DRAWING[:, ::-1], DRAWING[::-1, ::-1].T]
    + [np.rot90(DRAWING, turns) for turns in (1, 2, 3)],
)
def test_a_mirrored_or_turned_copy_does_not(drawing):
    assert agreement(draw(np.ascontiguousarray(drawing))) == 0


def test_a_copy_with_half_of_its_cells_turned_over_does_not():
    random = np.random.default_rng(3)
    for _ in range(20):
        flips = np.kron(random.permutation(36).reshape(6, 6) % 2, np.ones((128, 128)))
        copy = np.where(flips, 255 - DRAWING, DRAWING).astype(np.uint8)
        assert agreement(draw(copy)) < 0.5


@pytest.mark.parametrize('contrast', [0.1, 1.0])
def test_light_and_shadow_change_little(contrast):
    image = 60 + draw(DRAWING).astype(float) * 0.7 * contrast
    image[:, 330:] *= 0.4
    image *= np.linspace(0.6, 1.0, 480)[:, None]
    assert agreement(image.astype(np.uint8)) > 0.5


def test_ground_without_an_object_agrees_with_nothing():
    noise = np.random.default_rng(5).normal(120, 40, (48, 64)).astype(np.float32)
    ground = cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC).clip(0, 255)
    assert abs(agreement(ground.astype(np.uint8))) < 0.3
    assert agreement(np.full((480, 640), 90, np.uint8)) == 0


@pytest.mark.parametrize('position', [(20.0, 0.0, 3.0), (0.0, 0.0, -3.0), (0.0, 0.0, 0.05)])
def test_a_pose_outside_of_the_image_is_not_confirmed(position):
    assert agreement(draw(DRAWING), Pose(POSE.rotation, np.array(position))) == 0


def test_an_object_too_faint_for_its_corners_is_found_by_its_pattern():
    far = Pose(POSE.rotation, np.array([0.3, 0.2, 8.5]))
    blurred = cv2.GaussianBlur(draw(DRAWING, far).astype(float), (0, 0), 1.5)
    faint = np.rint(60 + blurred * 0.02).astype(np.uint8)
    points = pad.object_points()
    xy = CAMERA.pixels(far.transform(points))
    xy += np.random.default_rng(1).normal(0, 0.5, xy.shape)
    found = {}
    for pattern in ((), pad.pattern()):
        estimator = PlanarPoseEstimator(points, refine=True, pattern=pattern)
        found[bool(pattern)] = estimator.estimate(
            xy, np.ones(len(xy)), intrinsics=CAMERA, gray=faint
        )
    assert found[False] is None
    assert np.linalg.norm(found[True].pose.position - far.position) < 0.02 * 8.5


def test_a_pattern_alone_has_to_agree_as_well_as_one_without_corners():
    random = np.random.default_rng(3)
    flips = np.kron(random.permutation(36).reshape(6, 6) % 4 == 0, np.ones((128, 128)))
    copy = np.where(flips, 255 - DRAWING, DRAWING).astype(np.uint8)
    points = pad.object_points()
    xy = CAMERA.pixels(POSE.transform(points))
    estimator = PlanarPoseEstimator(points, pattern=pad.pattern())
    found = [
        estimator.estimate(xy, np.ones(len(xy)), intrinsics=CAMERA, gray=draw(drawing))
        for drawing in (DRAWING, copy)
    ]
    assert 0.3 < agreement(draw(copy)) < 0.65
    assert found[0] is not None
    assert found[1] is None
