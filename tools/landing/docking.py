# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
A robot in the plane that docks at the pad by the rules of Nav2.

The rules are written from ``nav2_docking/opennav_docking``: ``simple_charging_dock.cpp``,
``pose_filter.cpp``; the controller from ``nav2_graceful_controller``. Nav2 itself does not run.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from edge_perception.bridges.measurement_rules import MeasurementRules
from edge_perception.bridges.vehicle_frames import CameraMount
from edge_perception.bridges.vehicle_frames import FRD_FROM_FLU
from edge_perception.bridges.vehicle_frames import from_rpy
from edge_perception.bridges.vehicle_frames import heading
from edge_perception.bridges.vehicle_frames import TargetMeasurement
from edge_perception.bridges.vehicle_state import NotSentError
from edge_perception.contract import ModelManifest
from edge_perception.pose import rotation_matrix
from edge_perception.target.target_stage import MEASUREMENT
from tools.landing.multirotor import Floats
from tools.landing.pad_camera import FACING
from tools.landing.pad_camera import PadCamera

_STEP_S, _MAX_TIME_S = 0.02, 60.0
# Defaults of the dock plugin, but for the translation and the threshold.
_ROTATION = from_rpy(-np.pi / 2, np.pi / 2, 0.0)
_COEFFICIENT, _TIMEOUT_S, _FIRST_TIMEOUT_S = 0.1, 1.0, 5.0
TRANSLATION_X, THRESHOLD, STAGING_M = -0.6, 0.02, 1.8
# Of the controller: k_phi, k_delta, beta, lambda; speeds in m/s and rad/s.
_K_PHI, _K_DELTA, _BETA, _LAMBDA = 3.0, 2.0, 0.4, 2.0
_PROJECTED = 0.25
_SLOWEST, _FASTEST, _FASTEST_TURN = 0.05, 0.25, 0.75
# The camera looks forward, 0.2 m before the wheels and at the height of the pad.
_MOUNT = CameraMount.of((0, 0, 0), (0.2, 0, 0.3))


class DockPose:
    """Where the robot is to stand: detections filtered in the fixed frame, as Nav2 does it."""

    def __init__(self) -> None:
        self._stamp = -np.inf
        self._position, self._rotation = np.zeros(3), np.eye(3)

    def take(self, position: Floats, rotation: Floats, stamp: float) -> None:
        """Take the pose of the pad in the fixed frame."""
        share = _COEFFICIENT if stamp - self._stamp <= _TIMEOUT_S else 1.0
        turn = np.asarray(cv2.Rodrigues(self._rotation.T @ rotation)[0], np.float64)
        self._rotation = self._rotation @ cv2.Rodrigues(share * turn)[0]
        self._position = self._position + share * (position - self._position)
        self._stamp = stamp

    def at(self, now: float) -> tuple[Floats, float] | None:
        """Return position (2,) and yaw; None once the detections have ended."""
        if now - self._stamp > _TIMEOUT_S:
            return None
        yaw = heading(self._rotation @ _ROTATION)
        ahead = np.array([np.cos(yaw), np.sin(yaw)])
        return self._position[:2] + TRANSLATION_X * ahead, yaw


@dataclass(frozen=True, slots=True)
class Docking:
    """
    How an approach ended.

    :param error: meters from where the robot should stand; infinite where it gave up.
    :param turned: likewise, radians.
    """

    error: float
    turned: float
    seconds: float


def dock(manifest: ModelManifest, seed: int) -> Docking:
    """Drive one approach from near a staging pose ``STAGING_M`` before the dock."""
    random = np.random.default_rng(seed)
    camera = PadCamera(manifest, random)
    rules, pose, due = MeasurementRules(500_000_000), DockPose(), deque[_Due]()
    # The pad stands at the origin and looks along -x, where the robot comes from.
    pad = from_rpy(0, 0, 0) @ _ROTATION.T
    position = np.array([TRANSLATION_X - STAGING_M, 0]) + random.uniform(-0.15, 0.15, 2)
    yaw, now = float(random.uniform(-0.15, 0.15)), 1.0
    for step in range(int(_MAX_TIME_S / _STEP_S)):
        now += _STEP_S
        body = from_rpy(0, 0, yaw) @ FRD_FROM_FLU
        base = np.append(position, 0.0)
        if step % round(1 / _STEP_S / camera.rate) == 0:
            lens = body @ _MOUNT.rotation
            place = np.array([0, 0, 0.3]) - (base + body @ _MOUNT.lever_arm)
            # ``look`` turns the pad to the camera itself.
            _, extras, _ = camera.look(
                lens.T @ place, lens.T @ pad @ FACING, stamp_ns=round(now * 1e9)
            )
            if (seen := extras.get(MEASUREMENT)) is not None:
                rotation = rotation_matrix(seen.orientation)
                measured = TargetMeasurement(
                    round(now * 1e9), seen.position, rotation, seen.covariance
                )
                world = _MOUNT.body(measured).moved(body, base)
                due.append((now + camera.latency(), world))
        while due and due[0][0] <= now:
            _, world = due.popleft()
            try:
                rules.check(world, round(now * 1e9))
            except NotSentError:
                continue
            pose.take(world.position, world.rotation, world.stamp_ns / 1e9)
        goal = pose.at(now)
        if goal is None:
            # At the staging pose Nav2 waits longer for the first detection.
            if step * _STEP_S > _FIRST_TIMEOUT_S:
                break
            continue
        if np.linalg.norm(goal[0] - position) < THRESHOLD:
            error = float(np.linalg.norm(position - (TRANSLATION_X, 0)))
            return Docking(error, abs(yaw), step * _STEP_S)
        # As Nav2 does it: the law steers to a point behind the goal, as it swerves at its end.
        behind = goal[0] + _PROJECTED * np.array([np.cos(goal[1]), np.sin(goal[1])])
        speed, turn = _command(position, yaw, behind, goal[1])
        yaw += turn * _STEP_S
        position = position + speed * _STEP_S * np.array([np.cos(yaw), np.sin(yaw)])
    return Docking(np.inf, np.inf, _MAX_TIME_S)


_Due = tuple[float, TargetMeasurement]


def _command(position: Floats, yaw: float, goal: Floats, goal_yaw: float) -> tuple[float, float]:
    """Return speed and turn rate of the law of Park and Kuipers (2011), on which Nav2's rests."""
    away = goal - position
    distance, line = float(np.linalg.norm(away)), float(np.arctan2(away[1], away[0]))
    phi, delta = _wrapped(goal_yaw - line), _wrapped(yaw - line)
    wanted = np.arctan(-_K_PHI * phi)
    curvature = (
        -(_K_DELTA * (delta - wanted) + (1 + _K_PHI / (1 + (_K_PHI * phi) ** 2)) * np.sin(delta))
        / distance
    )
    speed = _FASTEST / (1 + _BETA * abs(curvature) ** _LAMBDA)
    speed = float(np.clip(min(speed, distance), _SLOWEST, _FASTEST))
    return speed, float(np.clip(curvature * speed, -_FASTEST_TURN, _FASTEST_TURN))


def _wrapped(angle: float) -> float:
    return float((angle + np.pi) % (2 * np.pi) - np.pi)
