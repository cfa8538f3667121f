# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of camera, vehicle and world: cases that were computed elsewhere, and there and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from edge_perception.bridges import landing_target
from edge_perception.bridges.vehicle_frames import CameraMount
from edge_perception.bridges.vehicle_frames import FRD_FROM_FLU
from edge_perception.bridges.vehicle_frames import from_rpy
from edge_perception.bridges.vehicle_frames import heading
from edge_perception.bridges.vehicle_frames import NED_FROM_ENU
from edge_perception.bridges.vehicle_frames import TargetMeasurement
from edge_perception.bridges.vehicle_state import VehicleState
from edge_perception.pose import quaternion
from edge_perception.pose import rotation_matrix

DOWN = (0, 90, 0)
ANGLES = st.floats(-180, 180)
METERS = st.floats(-50, 50)


def measurement(optical, covariance=None):
    return TargetMeasurement(
        1_000, np.array(optical, float), np.eye(3), np.eye(6) if covariance is None else covariance
    )


# Position NED, roll pitch yaw, lever arm FRD, optical; then body FRD, NED of the target.
CASES = {
    'level': ((0, 0, -5), (0, 0, 0), (0, 0, 0), (0.5, -0.25, 5), (0.25, 0.5, 5), (0.25, 0.5, 0)),
    'yaw_90_and_lever_arm': (
        *((10, 20, -5), (0, 0, 90), (0.1, 0, 0.05), (0.4, 0.3, 4.95)),
        *((-0.2, 0.4, 5), (9.6, 19.8, 0)),
    ),
    'roll_10': (
        *((0, 0, -5), (10, 0, 0), (0, 0, 0), (0.868241, 0, 4.924039)),
        *((0, 0.868241, 4.924039), (0, 0, 0)),
    ),
    'pitch_10': (
        *((0, 0, -5), (0, 10, 0), (0, 0, 0), (0, 0.868241, 4.924039)),
        *((-0.868241, 0, 4.924039), (0, 0, 0)),
    ),
    'all': (
        *((1, 2, -3), (5, -8, -135), (0.12, -0.03, 0.06), (0.2, -0.1, 2.5)),
        *((0.22, 0.17, 2.56), (1.060362, 2.136398, -0.429270)),
    ),
}


@pytest.mark.parametrize('case', CASES)
def test_a_camera_that_looks_down(case):
    position, rpy, lever, optical, in_body, in_world = CASES[case]
    body = CameraMount.of(DOWN, FRD_FROM_FLU @ lever).body(measurement(optical))
    assert body.position == pytest.approx(in_body, abs=1e-6)
    vehicle = VehicleState(from_rpy(*np.radians(rpy)), np.array(position, float))
    fields = landing_target.local_ned(body, vehicle, target_num=0)
    assert [fields[axis] for axis in 'xyz'] == pytest.approx(in_world, abs=2e-6)
    enu = NED_FROM_ENU @ in_world
    assert NED_FROM_ENU @ enu == pytest.approx(in_world)


def test_angles_and_distance_of_a_landing_target():
    body = CameraMount.of(DOWN, (0, 0, 0)).body(measurement((0.5, -0.25, 5)))
    fields = landing_target.body_frd(body, target_num=3)
    assert fields['angle_x'] == pytest.approx(0.099669, abs=1e-6)
    assert fields['angle_y'] == pytest.approx(-0.049958, abs=1e-6)
    assert fields['distance'] == pytest.approx(5.031153, abs=1e-6)
    assert (fields['frame'], fields['position_valid'], fields['target_num']) == (12, 1, 3)


def test_a_camera_that_looks_forward():
    body = CameraMount.of((0, 0, 0), (0, 0, 0)).body(measurement((1, 2, 3)))
    assert body.position == pytest.approx((3, 1, 2))


def test_the_mount_may_come_from_tf():
    # FLU from optical, as w, x, y, z = 0, .707107, -.707107, 0.
    mount = CameraMount.of_transform(
        rotation_matrix((0.5**0.5, -(0.5**0.5), 0, 0)), (0.1, 0.2, 0.3)
    )
    stated = CameraMount.of(DOWN, (0.1, 0.2, 0.3))
    assert mount.rotation == pytest.approx(stated.rotation)
    assert mount.lever_arm == pytest.approx((0.1, -0.2, -0.3))


def test_yaw_of_enu_is_turned_into_that_of_ned():
    world = NED_FROM_ENU @ from_rpy(0, 0, np.radians(30)) @ FRD_FROM_FLU
    assert np.degrees(heading(world)) == pytest.approx(60)
    assert quaternion(world) == pytest.approx((0, 0, 0.5, 0.866025), abs=1e-6)
    identity = NED_FROM_ENU @ FRD_FROM_FLU
    assert quaternion(identity) == pytest.approx((0, 0, 0.5**0.5, 0.5**0.5))


def test_the_covariance_turns_with_the_position():
    covariance = np.diag([1e-4, 4e-4, 2.5e-3, 1, 2, 3])
    body = CameraMount.of(DOWN, (0, 0, 0)).body(measurement((0, 0, 1), covariance))
    assert np.diag(body.covariance)[:3] == pytest.approx((4e-4, 1e-4, 2.5e-3))
    world = body.moved(from_rpy(0, 0, np.radians(30))).covariance
    assert (world[0, 0], world[1, 1], world[0, 1]) == pytest.approx(
        (3.25e-4, 1.75e-4, 1.299e-4), abs=1e-7
    )


def test_level_axes_take_roll_and_pitch_out_and_keep_the_heading():
    mount = CameraMount.of(DOWN, (0, 0, 0))
    body = mount.body(measurement((0.868241, 0, 4.924039)))
    attitude = from_rpy(np.radians(10), 0, np.radians(70))
    fields = landing_target.local_frd(body, attitude, target_num=0)
    assert [fields[axis] for axis in 'xyz'] == pytest.approx((0, 0, 5), abs=1e-5)
    assert fields['frame'] == 20


def test_a_print_with_its_top_to_the_nose_has_no_yaw():
    # Seen from above with the top of the image at the nose, the print is upright in the image.
    upright = np.diag([1.0, -1, -1])
    seen = TargetMeasurement(0, np.array([0, 0, 2.0]), upright, np.eye(6))
    fields = landing_target.target_relative(
        CameraMount.of(DOWN, (0, 0, 0)).body(seen), target_num=1
    )
    assert fields['q_target'] == pytest.approx((1, 0, 0, 0))
    assert fields['yaw_std'] == 1


@given(
    st.tuples(ANGLES, ANGLES, ANGLES), st.tuples(METERS, METERS, METERS), st.tuples(*3 * (METERS,))
)
def test_there_and_back(rpy, lever, point):
    mount = CameraMount.of(rpy, lever)
    body = mount.body(measurement(point))
    back = body.moved(mount.rotation.T, -mount.rotation.T @ mount.lever_arm)
    assert back.position == pytest.approx(point, abs=1e-9)
    assert back.rotation == pytest.approx(np.eye(3), abs=1e-9)
    assert back.covariance == pytest.approx(np.eye(6), abs=1e-9)
    assert rotation_matrix(quaternion(body.rotation)) == pytest.approx(body.rotation, abs=1e-6)
