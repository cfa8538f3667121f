# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The stage that follows one target: what it hands on, and when it keeps silent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_perception.contract import Calibration
from edge_perception.contract import Frame
from edge_perception.contract import FrameTransform
from edge_perception.contract import ImageTransform
from edge_perception.contract import InputRecipe
from edge_perception.contract import ManifestError
from edge_perception.contract import ModelManifest
from edge_perception.contract import ObjectPose
from edge_perception.contract import Perception
from edge_perception.contract import StageInputs
from edge_perception.pose import Intrinsics
from edge_perception.pose import PlanarPoseEstimator
from edge_perception.pose import quaternion
from edge_perception.pose import rotation_matrix
from edge_perception.target import TargetStage
from edge_perception.target.facing import angle_between
from edge_perception.target.target_stage import TargetOptions

MS = 1_000_000
MANIFEST = ModelManifest(
    name='pad',
    source='pad.onnx',
    input=InputRecipe(width=64, height=64),
    decoder='heatmap',
    object_points=tuple((x, y, 0.0) for x in (-0.5, 0.1, 0.5) for y in (-0.5, 0.0, 0.5)),
)
FRAME = Frame(np.zeros((480, 640), np.uint8), encoding='mono8')
GENERATOR = np.random.default_rng
FACING = np.diag([1.0, -1.0, -1.0])


def pose_at(*position, rotation=FACING, sigma=0.02, alternatives=()):
    covariance = sigma**2 * np.eye(6)
    return ObjectPose(
        np.array(position), quaternion(rotation), covariance, alternatives=alternatives
    )


class Follower:
    """A stage and a camera at rest; images come every 50 ms."""

    def __init__(self, **options):
        self.stage = TargetStage(MANIFEST, options=TargetOptions(enabled=True, **options))
        self.camera = FrameTransform(np.eye(3), np.zeros(3))
        self.stamp = 1_700_000_000_000 * MS

    def see(self, *poses, stamp=None, transforms=None):
        """Return measurement and estimate of one image."""
        if stamp is None:
            stamp = self.stamp = self.stamp + 50 * MS
        inputs = StageInputs(
            replace(FRAME, stamp_ns=stamp),
            Perception(poses=poses),
            ImageTransform(640, 480, 640, 480),
            transforms={'odom': self.camera} if transforms is None else transforms,
            missing={'odom': 'no path to odom'},
        )
        extras = self.stage.run(inputs).extras
        return extras.get('target_measurement'), extras.get('target')

    @property
    def state(self):
        return self.stage.problem.partition(':')[0]

    def settle(self, *position):
        for _ in range(10):
            self.see(pose_at(*position))
        assert self.state == ''
        return self


@pytest.fixture(params=['', 'odom'])
def follower(request):
    return Follower(fixed_frame=request.param)


def test_it_is_off_by_default_and_needs_an_object():
    assert not TargetStage.applies(MANIFEST, TargetOptions())
    with pytest.raises(ManifestError, match='object_points'):
        TargetStage.applies(replace(MANIFEST, object_points=()), TargetOptions(enabled=True))


def test_states_from_first_sight_to_loss(follower):
    assert (*follower.see(), follower.state) == (None, None, 'lost')
    for _ in range(2):
        assert (*follower.see(pose_at(0, 0, 3)), follower.state) == (None, None, 'acquiring')
    measured, estimate = follower.see(pose_at(0.01, 0, 3))
    assert measured.position[0] == 0.01
    assert estimate.position == pytest.approx((0, 0, 3), abs=0.02)
    assert follower.state == ''
    for image in range(11):
        measured, estimate = follower.see()
        assert measured is None
        # Half a second of coasting, and no more.
        assert (estimate is not None, follower.state) == (
            (True, 'coasting') if image < 10 else (False, 'lost')
        )
    assert '500 ms' not in follower.stage.problem


def test_coasting_moves_on_and_grows_less_certain():
    follower = Follower()
    for image in range(20):
        follower.see(pose_at(0.05 * image, 0, 3))
    _, first = follower.see()
    _, later = [follower.see() for _ in range(4)][-1]
    assert later.position[0] - first.position[0] == pytest.approx(0.2, abs=0.05)
    assert later.covariance[0, 0] > 2 * first.covariance[0, 0]


def test_a_leap_is_not_handed_on_unless_it_lasts(follower):
    follower.settle(0, 0, 3)
    assert follower.see(pose_at(9, 0, 3))[0] is None
    assert follower.see(pose_at(0, 0, 3))[0] is not None
    seen = [follower.see(pose_at(9, 0, 3))[0] for _ in range(10)]
    assert seen[0] is None and seen[-1].position[0] == 9
    assert follower.stage.counts['rejected'] == 6


def test_late_and_repeated_images_change_nothing(follower):
    follower.settle(0, 0, 3)
    kept = follower.stage.filter.estimate
    for back_ms in (0, 1, 120):
        late = follower.stamp - back_ms * MS
        assert follower.see(pose_at(0.1, 0, 3), stamp=late) == (None, None)
    assert follower.stage.filter.estimate is kept
    assert follower.stage.counts['late'] == 3
    assert follower.see(pose_at(0, 0, 3))[0] is not None


@pytest.mark.parametrize('jump_ms', [-60_000, -1100, 600, 60_000])
def test_after_a_gap_or_a_clock_that_was_set_it_begins_anew(follower, jump_ms):
    follower.settle(0, 0, 3)
    follower.stamp += jump_ms * MS
    assert follower.see(pose_at(5, 0, 3)) == (None, None)
    assert follower.state == 'acquiring'
    assert follower.settle(5, 0, 3).see(pose_at(5, 0, 3))[0].position[0] == 5


def test_of_two_targets_it_keeps_to_the_one_that_it_follows(follower):
    one, other = pose_at(0, 0, 3), pose_at(2, 0, 3)
    for image in range(20):
        measured, _ = follower.see(*((one, other) if image % 2 == 0 else (other, one)))
        assert measured is None or measured.position[0] == 0
    assert measured is not None
    assert follower.stage.counts['other_targets'] == 20
    assert follower.see(other)[0] is None


def test_without_the_transform_it_says_so_and_waits():
    follower = Follower(fixed_frame='odom').settle(0, 0, 3)
    assert follower.see(pose_at(0, 0, 3), transforms={}) == (None, None)
    assert follower.stage.problem == 'no path to odom'
    assert follower.see(pose_at(0, 0, 3))[0] is not None


def test_in_a_fixed_frame_a_camera_may_move_as_it_likes():
    follower = Follower(fixed_frame='odom')
    random, target = np.random.default_rng(1), np.array([1.0, 2.0, 0.0])
    for _ in range(30):
        place = random.normal(size=3)
        follower.camera = FrameTransform(FACING, place)
        measured, estimate = follower.see(pose_at(*(FACING.T @ (target - place)), rotation=FACING))
    assert estimate.position == pytest.approx(measured.position, abs=1e-3)
    assert follower.stage.counts['rejected'] == 0


def tilted(degrees):
    angle = np.radians(degrees)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    return turn @ FACING


def test_an_ambiguous_pose_is_handed_on_once_one_solution_is_ruled_out():
    follower = Follower(fixed_frame='odom')
    # The true one stays; the mirrored one turns as the camera goes around.
    for image in range(40):
        true, mirrored = tilted(5), tilted(-40 + image / 2)
        either = tuple(pose_at(0, 0, 3, rotation=each, sigma=0.05) for each in (mirrored, true))
        measured, _ = follower.see(replace(either[0], alternatives=either))
        if image == 0:
            assert follower.stage.problem == 'acquiring: ambiguous pose'
        if measured is not None:
            assert angle_between(rotation_matrix(measured.orientation), true) < 1e-6
    assert measured is not None


def test_a_single_contradiction_does_not_turn_it_but_many_do():
    follower = Follower(fixed_frame='odom').settle(0, 0, 3)
    turned = pose_at(0, 0, 3, rotation=tilted(40))
    assert (follower.see(turned)[0], follower.state) == (None, 'coasting')
    assert follower.see(pose_at(0, 0, 3))[0] is not None
    seen = [follower.see(turned)[0] for _ in range(12)]
    assert seen[0] is None and seen[-1] is not None


@pytest.mark.parametrize(
    ('fixed_frame', 'noise', 'least_ambiguous'), [('odom', 0.5, 10), ('', 0.7, 40)]
)
def test_hovering_over_a_small_pad_the_orientation_never_jumps(
    fixed_frame, noise, least_ambiguous
):
    """Many an image alone cannot tell the two solutions apart."""
    points, tilt = 0.3 * np.array(MANIFEST.object_points), tilted(15)
    k = (420.0, 0.0, 319.5, 0.0, 420.0, 239.5, 0.0, 0.0, 1.0)
    intrinsics = Intrinsics.of(Calibration(640, 480, k), FRAME)
    estimator = PlanarPoseEstimator(points, keypoint_sigma=noise)
    follower, random, handed, ambiguous = Follower(fixed_frame=fixed_frame), GENERATOR(1), [], 0
    for image in range(200):
        swing = tilted(6 * np.sin(image / 15)) @ FACING
        place = swing.T @ np.array([0.1, 0.1, 2.5])
        pixels = intrinsics.pixels(points @ (swing.T @ tilt).T + place)
        noisy = pixels + noise * random.normal(size=pixels.shape)
        estimate = estimator.estimate(noisy, np.ones(len(points)), intrinsics=intrinsics)
        ambiguous += estimate.ambiguous
        follower.camera = FrameTransform(swing, np.zeros(3))
        measured, _ = follower.see(estimate.pose)
        if measured is not None:
            handed.append(swing @ rotation_matrix(measured.orientation))
    assert ambiguous >= least_ambiguous
    assert len(handed) > 100
    # The mirrored one is 30 degrees away.
    assert max(angle_between(each, tilt) for each in handed) < np.radians(18)
