# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

from edge_perception.pose.solver import quaternion
from edge_perception.simulation.pose_errors import pose_error
from edge_perception.simulation.views import orientation
from test.support.raising import raises

TRUE = orientation(tilt=0.4, direction=1.0, yaw=2.0)
POSITION = (0.3, -0.4, 1.2)  # 1.3 m away


def compare(rotation, *, position=POSITION, true=TRUE):
    return pose_error(
        position=position,
        orientation=quaternion(rotation),
        true_position=POSITION,
        true_orientation=quaternion(true),
    )


def about(axis, angle):
    """Return a rotation about a coordinate axis."""
    first, second = ((1, 2), (2, 0), (0, 1))[axis]
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = math.cos(angle)
    matrix[second, first], matrix[first, second] = math.sin(angle), -math.sin(angle)
    return matrix


def test_the_truth_has_no_error():
    error = compare(TRUE)
    assert (error.position, error.distance) == (0.0, pytest.approx(1.3))
    assert (error.yaw, error.tilt) == pytest.approx((0.0, 0.0), abs=1e-7)


def test_position_is_given_in_meters_and_as_a_share_of_the_true_distance():
    error = compare(TRUE, position=(0.3, -0.4, 1.213))
    assert error.position == pytest.approx(0.013)
    assert error.share == pytest.approx(0.01)


@pytest.mark.parametrize('angle', [0.02, -0.02, 1.5, -3.1])
def test_a_turn_about_the_axis_of_the_object_is_yaw_and_no_tilt(angle):
    error = compare(TRUE @ about(2, angle))
    assert (error.yaw, error.tilt) == pytest.approx((angle, 0.0), abs=1e-7)


@pytest.mark.parametrize('axis', [0, 1])
@pytest.mark.parametrize('angle', [0.01, 0.8, 3.0])
def test_tilt_is_the_angle_between_the_axes(axis, angle):
    error = compare(TRUE @ about(axis, angle))
    assert (error.yaw, error.tilt) == pytest.approx((0.0, angle), abs=1e-7)


def test_tilt_is_not_changed_by_a_turn():
    estimated = TRUE @ about(0, 0.1) @ about(2, 0.5)
    error = compare(estimated)
    between = math.acos(float(TRUE[:, 2] @ estimated[:, 2]))
    assert (error.yaw, error.tilt) == pytest.approx((0.5, between), abs=1e-7)


def test_the_sign_and_length_of_a_quaternion_do_not_matter():
    turned = quaternion(TRUE @ about(2, 0.3))
    for factor in (-1.0, 2.5):
        error = pose_error(
            position=POSITION,
            orientation=turned * factor,
            true_position=POSITION,
            true_orientation=-quaternion(TRUE),
        )
        assert error.yaw == pytest.approx(0.3)


@pytest.mark.parametrize(
    'changes',
    [
        {'orientation': (0, 0, 0, 0)},
        {'orientation': (0, 0, 1)},
        {'orientation': (0, 0, math.nan, 1)},
        {'position': (0, 0, math.nan)},
        {'true_position': (0, 0, 0)},
    ],
)
def test_what_is_no_pose_is_refused(changes):
    good = {
        'position': POSITION,
        'orientation': (0, 0, 0, 1),
        'true_position': POSITION,
        'true_orientation': (0, 0, 0, 1),
    }
    with raises(ValueError, *changes):
        pose_error(**{**good, **changes})
