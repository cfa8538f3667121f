# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Which models get a pose, and what becomes of several instances."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge_perception.contract import Calibration
from edge_perception.contract import Detections
from edge_perception.contract import Frame
from edge_perception.contract import ImageTransform
from edge_perception.contract import InputRecipe
from edge_perception.contract import Keypoints
from edge_perception.contract import ManifestError
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import StageInputs
from edge_perception.pose import Intrinsics
from edge_perception.pose import PlanarObjectStage

SQUARE = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, 0.0), (0.0, 1.0, 0.0))


def manifest(points) -> ModelManifest:
    return ModelManifest(
        name='target',
        source='network.onnx',
        input=InputRecipe(width=32, height=32),
        decoder='heatmap',
        keypoint_names=tuple('abcdef'[: len(points)]),
        object_points=tuple(points),
    )


def test_only_models_with_object_points_have_poses():
    assert not PlanarObjectStage.applies(manifest(()), Options())
    assert PlanarObjectStage.applies(manifest([*SQUARE, (0.5, 0.5, 0.0)]), Options())


@pytest.mark.parametrize(
    ('points', 'words'),
    [
        (SQUARE, 'object_points: got 4 points, expected at least 5'),
        ([*SQUARE, (0.5, 0.5, 0.1)], 'object_points: got points with z other than 0'),
    ],
)
def test_object_that_cannot_have_a_pose_is_an_error_of_the_manifest(points, words):
    with pytest.raises(ManifestError) as raised:
        PlanarObjectStage.applies(manifest(points), Options())
    assert words in str(raised.value)


K = (500.0, 0.0, 319.5, 0.0, 500.0, 239.5, 0.0, 0.0, 1.0)
OBJECT = np.array([(x, y, 0) for x in (-0.5, 0.1, 0.5) for y in (-0.5, 0, 0.5)], np.float64)
TRANSFORM = ImageTransform(640, 480, 640, 480)
FRAME = Frame(np.zeros((480, 640, 3), np.uint8))


def run_of(points=OBJECT, **camera):
    """Return what runs a stage for a calibrated camera."""
    names = tuple(f'p{index}' for index in range(len(points)))
    known = replace(manifest(()), keypoint_names=names, object_points=tuple(map(tuple, points)))
    stage = PlanarObjectStage(known, options=Options())
    calibration = Calibration(**{'width': 640, 'height': 480, 'k': K, **camera})

    def run(perception, transform=TRANSFORM, calibration=calibration):
        inputs = StageInputs(FRAME, perception, transform, calibration=calibration)
        return stage.run(inputs), stage.problem

    return run


def result_of(perception, **camera):
    return run_of(**camera)(perception)[0]


def seen(*positions, tilt=0.0, scores=None, camera=None):
    """Return what a camera sees of objects that face it."""
    camera = camera or Intrinsics.from_camera_info(width=640, height=480, k=K)
    turn = cv2.Rodrigues(np.array([tilt, 0.0, 0.0]))[0] @ np.diag([1.0, -1.0, -1.0])
    xy = np.array([camera.pixels(OBJECT @ turn.T + position) for position in positions])
    score = np.ones(xy.shape[:2]) * np.array(scores or [1.0] * len(positions))[:, None]
    return Keypoints(xy=xy.astype(np.float32), score=score.astype(np.float32))


def test_a_camera_that_is_not_calibrated_gets_boxes_and_words_instead_of_poses():
    run, perception = run_of(), Perception(keypoints=seen((0, 0, 4.0)))
    for calibration, words in (
        (None, 'the intrinsics of the camera are not known'),
        (Calibration(640, 480, (0.0,) * 9), 'calibrate the camera'),
        (Calibration(640, 300, (*K[:5], 149.5, *K[6:])), 'got 640x300 for an image of 640x480'),
    ):
        result, problem = run(perception, calibration=calibration)
        assert len(result.detections) == 1 and result.poses == ()
        assert words in problem
        result, problem = run(perception)
        assert len(result.poses) == 1 and not problem


def test_the_ends_of_the_axes_are_in_the_image():
    (pose,) = result_of(Perception(keypoints=seen((0, 0, 4.0)))).poses
    # The object is a meter wide, so an axis has 500 / 4 / 2 pixels; its y and z are turned away.
    expected = [(320, 240), (382.5, 240), (320, 177.5), (320, 240)]
    np.testing.assert_allclose(pose.axes, expected, atol=0.1)


def test_instances_come_best_first_with_their_classes_and_tracks():
    found = Detections(
        xyxy=np.zeros((2, 4), np.float32),
        score=np.array([0.9, 0.8], np.float32),
        class_id=np.array([3, 1], np.int32),
        track_id=np.array([7, 8], np.int32),
    )
    keypoints = seen((-1, 0, 4.0), (1, 0, 5.0), scores=[0.5, 0.9])
    result = result_of(Perception(found, keypoints))
    assert result.detections.score.tolist() == pytest.approx([0.9, 0.5])
    assert result.detections.class_id.tolist() == [1, 3]
    assert result.detections.track_id.tolist() == [8, 7]
    assert [pose.position[2].round(2) for pose in result.poses] == [5.0, 4.0]
    assert [pose.instance for pose in result.poses] == [0, 1]


def test_a_stretched_picture_is_as_uncertain_as_its_coarser_side():
    def covariance(**scale):
        perception = Perception(keypoints=seen((0, 0, 4.0)))
        result, _ = run_of()(perception, replace(TRANSFORM, **scale))
        (pose,) = result.poses
        return pose.covariance

    coarse = covariance(scale_x=0.5, scale_y=0.5)
    assert np.trace(coarse) > np.trace(covariance())
    assert covariance(scale_x=0.5) == pytest.approx(coarse)
    assert covariance(scale_y=0.5) == pytest.approx(coarse)


def test_box_of_a_near_object_is_not_thrown_about_by_the_lens():
    lens = {'d': [-0.3, 0.1, 0.0, 0.0, 0.0]}
    camera = Intrinsics.from_camera_info(width=640, height=480, k=K, **lens)
    keypoints = seen((0, 0.1, 0.8), tilt=0.7, camera=camera)
    hidden = (keypoints.xy < 0).any(axis=2) | (keypoints.xy > (640, 480)).any(axis=2)
    score = np.where(hidden, 0, keypoints.score)
    assert (score > 0).sum() >= 5
    xy = np.where(hidden[..., None], np.nan, keypoints.xy).astype(np.float32)
    result = result_of(Perception(keypoints=Keypoints(xy, score.astype(np.float32))), **lens)
    (box,) = result.detections.xyxy
    assert np.abs(box).max() < 2000
    assert box[0] < 320 < box[2] and box[1] < 240 < box[3]


def test_second_camera_of_a_stereo_pair_reports_in_the_frame_of_the_first():
    p = [500.0, 0.0, 319.5, -60.0, 0.0, 500.0, 239.5, 0.0, 0.0, 0.0, 1.0, 0.0]
    # The first camera sees the object at x = 0.5; the second one is 0.12 m to its right.
    result = result_of(Perception(keypoints=seen((0.38, 0, 3.0))), p=p, rectified=True)
    np.testing.assert_allclose(result.poses[0].position, (0.5, 0, 3.0), atol=1e-3)


@pytest.mark.parametrize('yaw', [0.0, 1.0, np.pi / 2, np.pi, -2.0])
def test_object_straight_below_the_camera(yaw):
    turn = np.diag([1.0, -1.0, -1.0]) @ cv2.Rodrigues(np.array([0.0, 0.0, yaw]))[0]
    camera = Intrinsics.from_camera_info(width=640, height=480, k=K)
    xy = camera.pixels(OBJECT @ turn.T + (0.0, 0.0, 4.0))[None].astype(np.float32)
    keypoints = Keypoints(xy, np.ones(xy.shape[:2], np.float32))
    result = result_of(Perception(keypoints=keypoints))
    np.testing.assert_allclose(result.poses[0].position, (0, 0, 4.0), atol=1e-3)


def test_an_instance_without_a_keypoint_does_not_cost_the_others_their_poses():
    keypoints = seen((0, 0, 4.0), (1, 0, 5.0), scores=[1.0, 0.0])
    keypoints.xy[1] = np.nan
    result = result_of(Perception(None, keypoints))
    assert [pose.position[2].round(2) for pose in result.poses] == [4.0]


def test_the_ideal_lens_of_a_simulator_that_sees_behind_itself_gives_poses():
    lens = {'k': [180, 0, 320, 0, 180, 240, 0, 0, 1], 'd': [0] * 4, 'model': 'equidistant'}
    camera = Intrinsics.from_camera_info(width=640, height=480, **lens)
    keypoints = seen((0.3, 0.2, 2.0), camera=camera)
    result = result_of(Perception(None, keypoints), **lens)
    assert [pose.position[2].round(2) for pose in result.poses] == [2.0]
    assert np.isfinite(result.detections.xyxy).all()
