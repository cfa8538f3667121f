# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Intrinsics of a camera as CameraInfo gives them: pixels to rays.

Intrinsics follow OpenCV and ROS: the center of the upper left pixel is (0, 0). Pixels of images
are those of the contract: the same point is (0.5, 0.5). The half pixel is taken off here and
nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.contract import Calibration
from edge_perception.contract import Frame
from edge_perception.contract import IntrinsicsError

Floats = npt.NDArray[np.float64]

# The models of ROS, by the names that drivers give them.
PLUMB_BOB, RATIONAL, EQUIDISTANT = 'plumb_bob', 'rational_polynomial', 'equidistant'
MODEL_NAMES = {
    **dict.fromkeys(('', 'none', 'undistorted'), ''),
    **dict.fromkeys((PLUMB_BOB, 'radtan', 'radial_tangential', 'brown_conrady'), PLUMB_BOB),
    **dict.fromkeys((RATIONAL, 'rational'), RATIONAL),
    **dict.fromkeys((EQUIDISTANT, 'fisheye', 'kannala_brandt', 'kannala_brandt4'), EQUIDISTANT),
}
# Coefficients that OpenCV takes for each; a shorter list stands for zeros at its end.
COEFFICIENTS = {'': (0,), PLUMB_BOB: (4, 5), RATIONAL: (8, 12, 14), EQUIDISTANT: (4,)}
# How far the principal point may be from the middle, as a share of width and height. A lens is
# centered to some percent; a CameraInfo of the full sensor beside a binned image is at 0.5.
CENTER_LIMIT = 0.25

_NEWTON_STEPS = 2
# Column of the derivative by the first coordinate of the translation: after the rotation, and with
# fisheye lenses after focal lengths, center, four coefficients and the rotation.
_TRANSLATION, _FISHEYE_TRANSLATION = 3, 11


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """
    A calibrated camera.

    :param matrix: float64 (3, 3), K, or the left part of P for rectified images.
    :param distortion: coefficients in the order of CameraInfo; empty for rectified images.
    :param model: name of the distortion model as in CameraInfo.
    :param shift: meters to add to a point of the frame of the image's header, to have it in the
        frame of this camera: the fourth column of P. It is zero except for the second camera of a
        stereo pair, whose images carry the frame of the first one.
    """

    width: int
    height: int
    matrix: Floats
    distortion: Floats
    model: str = 'plumb_bob'
    shift: Floats = field(default_factory=lambda: np.zeros(3))

    @classmethod
    def of(cls, calibration: Calibration, frame: Frame) -> Intrinsics:
        """
        Return the intrinsics for a frame.

        :raises IntrinsicsError: the camera is not calibrated, or not for frames of this size.
        """
        return cls.from_camera_info(
            width=calibration.width,
            height=calibration.height,
            k=calibration.k,
            d=calibration.d,
            p=calibration.p,
            model=calibration.model,
            rectified=calibration.rectified,
            # Checked by what supplies it, which knows what explains a distance.
            center_limit=0.0,
        ).fitted(frame.width, frame.height, roi=calibration.roi)

    @classmethod
    def from_camera_info(
        cls,
        *,
        width: int,
        height: int,
        k: Sequence[float],
        d: Sequence[float] = (),
        p: Sequence[float] = (),
        model: str = 'plumb_bob',
        rectified: bool = False,
        center_limit: float = CENTER_LIMIT,
    ) -> Intrinsics:
        """
        Check the numbers of a CameraInfo.

        Lens models are taken by meaning: zeros at the end, shorter lists and usual other names of
        the same model are accepted.

        :param k: 9 numbers, row by row.
        :param p: 12 numbers, row by row; used instead of ``k`` and ``d`` when ``rectified``.
        :param center_limit: how far the principal point may be from the middle, as a share of
            width and height; 0 for any distance.
        :raises IntrinsicsError: the camera is not calibrated, or its lens is of an unknown kind.
        """
        if width < 1 or height < 1:
            raise IntrinsicsError(
                f'camera_info: got a size of {width}x{height}, expected that of the image; '
                'calibrate the camera'
            )
        if rectified:
            full = _checked_matrix('p', p, (3, 4), (width, height))
            check_center('p', full, (width, height), center_limit)
            shift = np.array([full[0, 3] / full[0, 0], full[1, 3] / full[1, 1], 0.0])
            return cls(width, height, full[:, :3].copy(), np.zeros(0), '', shift)
        matrix = _checked_matrix('k', k, (3, 3), (width, height))
        check_center('k', matrix, (width, height), center_limit)
        camera = cls(width, height, matrix, *_checked_distortion(d, model))
        _check_one_ray(camera, d)
        return camera

    def fitted(
        self, width: int, height: int, *, roi: tuple[int, int, int, int] = (0, 0, 0, 0)
    ) -> Intrinsics:
        """
        Return the intrinsics for images of another size.

        :param roi: x offset, y offset, width and height in full pixels of the part that is
            read out; zeros for the whole.
        :raises IntrinsicsError: the size is not explained by the part and a common binning.
        """
        left, top, part_width, part_height = roi
        part_width, part_height = part_width or self.width, part_height or self.height
        binning = part_width / width
        # Binning rounds an odd size; more than that is another image.
        if abs(part_height / binning - height) >= 1:
            raise IntrinsicsError(
                f'camera_info: got {part_width}x{part_height} for an image of {width}x{height}, '
                'expected the same shape; publish the camera_info that belongs to this image'
            )
        matrix = self.matrix.copy()
        # The half pixel: scaling keeps the corner of the image, not the center of its pixel.
        matrix[:2, 2] = (matrix[:2, 2] + 0.5 - (left, top)) / binning - 0.5
        matrix[0, :2] /= binning
        matrix[1, 1] /= binning
        return replace(self, width=width, height=height, matrix=matrix)

    def rays(self, pixels: npt.NDArray[np.floating]) -> Floats:
        """
        Return where pixels look.

        :param pixels: (N, 2), the center of the upper left pixel is (0.5, 0.5).
        :return: float64 (N, 2), x and y at z = 1 in the optical frame.
        """
        return self.rays_and_slopes(pixels)[0]

    def rays_and_slopes(self, pixels: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Return ``rays``, and the derivative of pixels by rays there: float64 (N, 2, 2)."""
        wanted = np.ascontiguousarray(pixels, np.float64).reshape(-1, 2)
        points = wanted.reshape(-1, 1, 2) - 0.5
        if self.model == 'equidistant':
            start = cv2.fisheye.undistortPoints(points, self.matrix, self.distortion)
        else:
            start = cv2.undistortPoints(points, self.matrix, self.distortion)
        rays = np.asarray(start, np.float64).reshape(-1, 2)
        if self.model != 'equidistant' and not self.distortion.any():
            return rays, np.tile(np.diag(np.diag(self.matrix)[:2]), (len(rays), 1, 1))
        # OpenCV stops after five steps, up to a tenth of a pixel early in the corners of a wide
        # lens, and how to ask for more depends on its version.
        for _ in range(_NEWTON_STEPS):
            there, slopes = self._projected(_at_unit_depth(rays))
            rays = rays - _solved(slopes, there - wanted)
        return np.asarray(rays, np.float64), slopes

    def pixels(self, points: Floats) -> Floats:
        """
        Project points of the optical frame.

        :param points: (N, 3), meters, in front of the camera.
        :return: float64 (N, 2), the center of the upper left pixel is (0.5, 0.5).
        """
        return self._projected(points)[0]

    def _projected(self, points: Floats) -> tuple[Floats, Floats]:
        """Return pixels (N, 2) and their derivative by x and y of the points (N, 2, 2)."""
        zero = np.zeros(3)
        cloud = np.ascontiguousarray(points, np.float64).reshape(-1, 1, 3)
        fisheye = self.model == 'equidistant'
        project = cv2.fisheye.projectPoints if fisheye else cv2.projectPoints
        flat, slopes = project(cloud, zero, zero, self.matrix, self.distortion)
        # Moving the camera against a point is moving the point.
        first = _FISHEYE_TRANSLATION if fisheye else _TRANSLATION
        by_place = np.asarray(slopes, np.float64)[:, first : first + 2].reshape(-1, 2, 2)
        return np.asarray(flat, np.float64).reshape(-1, 2) + 0.5, by_place


def _checked_matrix(
    name: str, numbers: Sequence[float], shape: tuple[int, int], size: tuple[int, int]
) -> Floats:
    """Return K or P; a camera that it cannot belong to would find no object anywhere."""
    matrix = np.asarray(numbers, np.float64)
    sound = matrix.size == shape[0] * shape[1] and bool(np.isfinite(matrix).all())
    if sound:
        matrix = matrix.reshape(shape)
        focal, center = np.diag(matrix)[:2], matrix[:2, 2]
        # From a fisheye of 180 degrees to a telescope of half a degree.
        sound = bool((focal > 0.1 * max(size)).all() and (focal < 100 * max(size)).all())
        sound &= bool((np.abs(center - np.array(size) / 2) < size).all())
        sound &= matrix[2, 2] == 1
    if not sound:
        raise IntrinsicsError(
            f'camera_info.{name}: got {list(numbers)}, expected focal lengths and a center that '
            f'suit an image of {size[0]}x{size[1]}; calibrate the camera'
        )
    return matrix


def check_center(name: str, matrix: Floats, size: tuple[int, int], limit: float) -> None:
    """
    Refuse numbers that belong to an image of another size.

    :param name: of the field of the CameraInfo.
    :param matrix: (3, 3) or (3, 4).
    :param size: width and height of the image.
    :param limit: as ``center_limit`` of ``Intrinsics.from_camera_info``.
    :raises IntrinsicsError: the principal point is too far from the middle.
    """
    center, middle = matrix[:2, 2], np.array(size) / 2
    if limit and all(size) and (np.abs(center - middle) > limit * np.array(size)).any():
        raise IntrinsicsError(
            f'camera_info.{name}: got a principal point at {center[0]:.0f}, {center[1]:.0f} for '
            f'an image of {size[0]}x{size[1]}, expected it within {limit:.0%} of the middle; '
            'publish the camera_info of this resolution (with binning or roi set), or set '
            'camera_info_center_limit to 0 for a cropped image'
        )


def _checked_distortion(numbers: Sequence[float], given: str) -> tuple[Floats, str]:
    """Return the coefficients as OpenCV takes them and the name of their model in ROS."""
    distortion = np.asarray(numbers, np.float64).ravel()
    model = MODEL_NAMES.get(given.strip().lower().replace('-', '_').replace(' ', '_'))
    if model is None:
        raise IntrinsicsError(
            f'camera_info.distortion_model: got {given!r}, expected one of '
            f'{PLUMB_BOB}, {RATIONAL}, {EQUIDISTANT}; use the rectified image'
        )
    if not np.isfinite(distortion).all():
        raise IntrinsicsError(
            f'camera_info.d: got {distortion.tolist()}, expected finite numbers; '
            'calibrate the camera'
        )
    needed = len(np.trim_zeros(distortion, 'b'))
    if not needed:
        # A fisheye without coefficients is no pinhole.
        return np.zeros(4 if model == EQUIDISTANT else 0), model
    count = next((each for each in COEFFICIENTS[model] if each >= needed), 0)
    if not count:
        others = [name for name, counts in COEFFICIENTS.items() if counts[-1] >= needed]
        raise IntrinsicsError(
            f'camera_info.d: got {distortion.tolist()}, expected at most '
            f'{COEFFICIENTS[model][-1]} numbers other than 0 for {given!r}; set distortion_model '
            f'to what the numbers are{": " + " or ".join(others) if others else ""}, or '
            'calibrate the camera'
        )
    padded = np.zeros(count)
    padded[:needed] = distortion[:needed]
    return padded, model


def _check_one_ray(camera: Intrinsics, d: Sequence[float]) -> None:
    """Refuse a lens whose pixels have no ray or several, half-way to the corners."""
    # Further out some good calibrations mean nothing.
    pixels = np.array([[1, 1], [3, 1], [1, 3], [3, 3]]) / 4 * (camera.width, camera.height)
    if not np.abs(camera.pixels(_at_unit_depth(camera.rays(pixels))) - pixels).max() < 1:
        raise IntrinsicsError(
            f'camera_info.d: got {list(d)}, expected a lens that maps each pixel to one ray; '
            'calibrate the camera'
        )


def _solved(slopes: Floats, offsets: Floats) -> Floats:
    """
    Return what slopes (N, 2, 2) turn into offsets (N, 2); not finite where nothing does.

    Behind the edge of a fisheye, at 90 degrees, a pixel has no ray at z = 1 and no slope: one such
    pixel must not cost the others theirs, as it does with ``np.linalg.inv``, which raises.
    """
    (a, b), (c, d) = slopes.transpose(1, 2, 0)
    x, y = offsets.T
    with np.errstate(all='ignore'):
        steps = np.stack([d * x - b * y, a * y - c * x], axis=-1) / (a * d - b * c)[:, None]
    return np.asarray(steps, np.float64)


def _at_unit_depth(rays: Floats) -> Floats:
    return np.concatenate([rays, np.ones((len(rays), 1))], axis=1)
