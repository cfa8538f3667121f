# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from edge_perception.pose import Intrinsics
from edge_perception.pose import PlanarPoseEstimator
from test.support.raising import raises

K = (457.0, 0.0, 319.5, 0.0, 457.0, 239.5, 0.0, 0.0, 1.0)
CAMERA = Intrinsics.from_camera_info(
    width=640, height=480, k=K, d=(-0.2, 0.05, 0.001, 0.0, 0.0), model='plumb_bob'
)
# A flat object of 5 x 4 points, 0.8 m wide.
POINTS = np.array([(0.2 * i - 0.4, 0.2 * j - 0.3, 0.0) for i in range(5) for j in range(4)])
SIGMA = 0.5


def rotation_of(*, tilt: float, direction: float, yaw: float) -> np.ndarray:
    facing = np.diag([1.0, -1.0, -1.0])
    axis = np.array([math.cos(direction), math.sin(direction), 0]) * math.radians(tilt)
    turn = np.array([0, 0, math.radians(yaw)])
    return cv2.Rodrigues(axis)[0] @ facing @ cv2.Rodrigues(turn)[0]


ROTATION = rotation_of(tilt=35, direction=0.7, yaw=100)
POSITION = np.array([0.2, -0.1, 2.0])


def seen_at(rotation: np.ndarray, position: np.ndarray) -> np.ndarray:
    return CAMERA.pixels(POINTS @ rotation.T + position)


def estimate(xy, score=None, **options):
    estimator = PlanarPoseEstimator(POINTS, keypoint_sigma=SIGMA, **options)
    score = np.ones(len(xy)) if score is None else score
    return estimator.estimate(xy, score, intrinsics=CAMERA)


def matrix_of(quaternion: np.ndarray) -> np.ndarray:
    x, y, z, w = quaternion
    angle = 2 * math.atan2(math.sqrt(x * x + y * y + z * z), w)
    return cv2.Rodrigues(np.array([x, y, z]) / math.sin(angle / 2) * angle)[0]


def test_exact_keypoints_give_the_exact_pose():
    found = estimate(seen_at(ROTATION, POSITION))
    assert found.pose.position == pytest.approx(POSITION, abs=1e-4)
    assert matrix_of(found.pose.orientation) == pytest.approx(ROTATION, abs=1e-4)
    assert found.used.all()
    assert not found.ambiguous


def test_unseen_keypoints_are_left_out():
    xy, score = seen_at(ROTATION, POSITION), np.ones(len(POINTS))
    xy[3:9], score[3:9] = np.nan, 0
    found = estimate(xy, score)
    assert found.pose.position == pytest.approx(POSITION, abs=1e-4)
    assert not found.used[3:9].any()


def test_keypoints_that_contradict_the_others_are_left_out():
    xy = seen_at(ROTATION, POSITION)
    xy[[2, 11]] += (60, -35)
    found = estimate(xy)
    assert found.pose.position == pytest.approx(POSITION, abs=1e-3)
    assert not found.used[[2, 11]].any()


def test_keypoints_that_agree_with_nothing_give_no_pose():
    nonsense = np.random.default_rng(2).uniform(0, 480, (len(POINTS), 2))
    assert estimate(nonsense) is None


def test_keypoints_that_agree_with_a_homography_and_with_no_pose_give_none():
    # A homography squeezes the whole object onto a line in the image.
    line = np.linspace((0, 0), (600, 400), len(POINTS))
    assert estimate(line) is None


@pytest.mark.parametrize('count', [0, 1, 4])
def test_too_few_keypoints_give_no_pose(count):
    score = np.zeros(len(POINTS))
    score[:count] = 1
    assert estimate(seen_at(ROTATION, POSITION), score) is None


def test_keypoints_on_a_line_give_no_pose():
    score = np.zeros(len(POINTS))
    score[::4] = 1
    assert estimate(seen_at(ROTATION, POSITION), score) is None


def test_the_back_of_the_object_is_no_object():
    mirrored = seen_at(ROTATION, POSITION)
    mirrored[:, 0] = 640 - mirrored[:, 0]
    assert estimate(mirrored) is None


def test_sure_keypoints_weigh_more():
    random = np.random.default_rng(4)
    errors: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(40):
        xy, score = seen_at(ROTATION, POSITION), np.ones(len(POINTS))
        score[::2] = 0.1
        xy += random.normal(0, 1, xy.shape) * np.where(score < 1, 3.0, 0.3)[:, None] * SIGMA
        for told in errors:
            found = estimate(xy, score if told else None)
            errors[told].append(float(np.linalg.norm(found.pose.position - POSITION)))
    assert np.median(errors[True]) < 0.6 * np.median(errors[False])


def test_errors_are_as_large_as_the_covariance_says():
    random = np.random.default_rng(5)
    squared = []
    for _ in range(150):
        found = estimate(seen_at(ROTATION, POSITION) + random.normal(0, SIGMA, (len(POINTS), 2)))
        turn = cv2.Rodrigues(matrix_of(found.pose.orientation) @ ROTATION.T)[0].ravel()
        error = np.concatenate([found.pose.position - POSITION, turn])
        squared.append(error @ np.linalg.solve(found.pose.covariance, error))
    # Six numbers: a squared error of 6 on average. Covariances are never made smaller than the
    # keypoints' sigma says, which takes a little off.
    assert np.mean(squared) == pytest.approx(6, abs=1.5)


def test_a_covariance_is_never_zero_even_for_exact_keypoints():
    found = estimate(seen_at(ROTATION, POSITION))
    assert np.linalg.eigvalsh(found.pose.covariance).min() > 1e-9
    assert np.array_equal(found.pose.covariance, found.pose.covariance.T)


def test_a_far_plane_seen_nearly_straight_is_ambiguous_and_says_so():
    rotation, position = rotation_of(tilt=12, direction=0.7, yaw=100), np.array([0.0, 0.0, 9.0])
    random = np.random.default_rng(6)
    far = estimate(seen_at(rotation, position) + random.normal(0, SIGMA, (len(POINTS), 2)))
    near = estimate(seen_at(ROTATION, POSITION) + random.normal(0, SIGMA, (len(POINTS), 2)))
    assert far.ambiguous
    assert far.alternative is not None
    assert not near.ambiguous
    apart = cv2.Rodrigues(
        matrix_of(far.alternative.orientation) @ matrix_of(far.pose.orientation).T
    )[0].ravel()
    # The covariance reaches from one pose to the other.
    along = apart / np.linalg.norm(apart)
    assert along @ far.pose.covariance[3:, 3:] @ along >= 0.5 * (apart @ apart)


def test_refinement_finds_the_corners_of_a_chessboard():
    image = np.full((480, 640), 128, np.uint8)
    board = np.kron(np.indices((5, 6)).sum(0) % 2, np.ones((40, 40))).astype(np.uint8) * 200 + 20
    homography = np.array([[0.9, -0.35, 180.0], [0.25, 0.8, 90.0], [-2e-4, 3e-4, 1.0]])
    fine = np.diag([4.0, 4.0, 1.0]) @ homography
    large = cv2.warpPerspective(board, fine, (2560, 1920), borderValue=128)
    image = cv2.resize(large, (640, 480), interpolation=cv2.INTER_AREA)
    camera = Intrinsics.from_camera_info(width=640, height=480, k=K)
    corners = np.array([(40.0 * i, 40.0 * j) for j in range(1, 5) for i in range(1, 6)])
    truth = cv2.perspectiveTransform((corners - 0.5)[None], fine)[0]
    truth = (truth + 0.5) / 4
    points = np.concatenate([corners / 40 * (1, -1), np.zeros((20, 1))], axis=1)
    rough = truth + np.random.default_rng(8).normal(0, 1.5, truth.shape)
    estimator = PlanarPoseEstimator(points, keypoint_sigma=1.5, refine=True)
    found = estimator.estimate(rough, np.ones(20), intrinsics=camera, gray=image)
    assert found.refined.sum() >= 18
    apart = np.linalg.norm(found.points - truth, axis=1)[found.refined]
    assert np.median(apart) < 0.1


def test_an_object_of_saddle_points_is_not_believed_where_the_image_has_none():
    estimator = PlanarPoseEstimator(POINTS, keypoint_sigma=SIGMA, refine=True)
    gray = np.full((480, 640), 128, np.uint8)
    xy = seen_at(ROTATION, POSITION)
    assert estimator.estimate(xy, np.ones(len(xy)), intrinsics=CAMERA, gray=gray) is None


def test_an_object_with_four_points_is_refused():
    with raises(ValueError, 'object_points: ', 4, 5):
        PlanarPoseEstimator(POINTS[:4])
