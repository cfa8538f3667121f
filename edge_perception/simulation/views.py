# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Sample the views from which the camera sees the pad; the only place that defines them.

Training, evaluation and tests draw from here, with different seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
import numpy as np

from edge_perception.simulation import landing_pad as pad
from edge_perception.simulation.rendering.pinhole import Floats
from edge_perception.simulation.rendering.pinhole import PinholeCamera

# Meters from the camera to the center of a pad with a side of 1 m; log-uniform, so that every
# doubling of the distance is as frequent as any other.
DISTANCE = (0.7, 9.5)
# Degrees between the optical axis and the axis of the pad; uniform, in a uniform direction.
# Towards the border of the image it is seen more obliquely than that: ``View.obliqueness``.
TILT = (0.0, 45.0)
# Degrees, uniform.
YAW = (-180.0, 180.0)
# The center of the pad lies anywhere in the image, and beyond its border by this share of the
# width and height, so that partly visible pads occur.
BEYOND_BORDER = 0.1
# Share of the area of the pad that has to be inside of the image; other draws are repeated.
MINIMUM_INSIDE = 0.35
# Degrees, horizontal.
FIELD_OF_VIEW = 70.0
# Of the lenses: k1 and k2 uniform, p1, p2 and k3 zero.
K1 = (-0.25, 0.08)
K2 = (-0.02, 0.06)


@dataclass(frozen=True, slots=True)
class View:
    """
    Camera and pad.

    :param rotation: (3, 3), pad to optical frame.
    :param position: (3,), meters, center of the pad in the optical frame.
    :param side: of the pad in meters.
    """

    camera: PinholeCamera
    rotation: Floats
    position: Floats
    side: float = 1.0

    @property
    def distance(self) -> float:
        """Meters from the camera to the center of the pad."""
        return float(np.linalg.norm(self.position))

    @property
    def size(self) -> float:
        """Pixels that the side of the pad would have, seen straight at this distance."""
        return self.camera.focal * self.side / self.distance

    @property
    def obliqueness(self) -> float:
        """Radians between the line of sight and the axis of the pad."""
        return math.acos(-float(self.rotation[:, 2] @ self.position) / self.distance)

    def keypoints(self) -> Floats:
        """Return (K, 2): the keypoints in pixels, those outside of the image as well."""
        return self.project(pad.object_points(self.side))

    def project(self, points: Floats) -> Floats:
        """Project points (N, 3) of the frame of the pad to pixels (N, 2)."""
        return self.camera.project(points, rotation=self.rotation, position=self.position)


def orientation(*, tilt: float, direction: float, yaw: float) -> Floats:
    """
    Return the rotation of a pad in the optical frame.

    :param tilt: angle between the optical axis and the axis of the pad, radians.
    :param direction: where the pad is tilted to, in the image, radians from the x axis.
    :param yaw: about the axis of the pad, radians; 0: its x axis points up in the image.
    :return: (3, 3).
    """
    facing = np.array([[0, -1, 0], [-1, 0, 0], [0, 0, -1]], np.float64)
    axis = np.array([math.cos(direction), math.sin(direction), 0.0]) * tilt
    about_z = np.array([0.0, 0.0, yaw])
    return np.asarray(cv2.Rodrigues(axis)[0] @ facing @ cv2.Rodrigues(about_z)[0], np.float64)


def sample_view(random: np.random.Generator, *, camera: PinholeCamera | None = None) -> View:
    """
    Draw a view of a pad of 1 m.

    :param camera: None draws a lens as well.
    """
    camera = camera or sample_camera(random)
    while True:
        distance = math.exp(random.uniform(*np.log(DISTANCE)))
        bearing = _sample_bearing(random, camera)
        view = View(
            camera=camera,
            rotation=orientation(
                tilt=math.radians(random.uniform(*TILT)),
                direction=random.uniform(0, 2 * math.pi),
                yaw=math.radians(random.uniform(*YAW)),
            ),
            position=bearing * distance,
        )
        if inside(view) >= MINIMUM_INSIDE:
            return view


def sample_camera(random: np.random.Generator) -> PinholeCamera:
    """Draw a lens."""
    return PinholeCamera.from_field_of_view(
        FIELD_OF_VIEW, distortion=(random.uniform(*K1), random.uniform(*K2), 0.0, 0.0, 0.0)
    )


def inside(view: View) -> float:
    """
    Return the share of the area of the pad that is inside of the image, 0 to 1.

    Nothing is counted as hidden here. A pad that reaches behind the camera counts as 0.
    """
    steps = (np.arange(24) + 0.5) / 24 - 0.5
    x, y = np.meshgrid(steps, steps)
    points = np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3) * view.side
    corners = pad.outline(view.side) @ view.rotation.T + view.position
    # Seen from the edge or from behind, or behind the camera.
    near = corners[:, 2].min() < 0.05 * view.side
    if near or view.rotation[:, 2] @ view.position > -0.1 * view.distance:
        return 0.0
    pixels = view.project(points)
    visible = (pixels >= 0).all(axis=1) & (pixels[:, 0] < view.camera.width)
    visible &= pixels[:, 1] < view.camera.height
    # Each point stands for an area of the pad; in the image the near ones cover more.
    depth = (points @ view.rotation.T + view.position)[:, 2]
    weight = 1 / depth**3
    return float(weight[visible].sum() / weight.sum())


def _sample_bearing(random: np.random.Generator, camera: PinholeCamera) -> Floats:
    share = random.uniform(-BEYOND_BORDER, 1 + BEYOND_BORDER, 2)
    pixel = share * (camera.width, camera.height) - 0.5
    # Beyond the border a lens with barrel distortion folds back: no distortion there.
    x, y = (pixel - camera.matrix[:2, 2]) / camera.focal
    ray = np.array([x, y, 1.0])
    return np.asarray(ray / np.linalg.norm(ray), np.float64)
