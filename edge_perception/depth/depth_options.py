# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The options of the stage ``depth``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_perception.contract import option
from edge_perception.contract import Options

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DepthOptions(Options):
    """What a user may set; the stage is off without a topic."""

    depth_topic: str = option('', 'topic of the depth image, aligned to the image (empty = off)')
    depth_scale: float = option(
        0.0,
        'meters in a unit of the depth image (0 = by encoding: 1 for 32FC1, 0.001 for 16 bits)',
        minimum=0.0,
    )
    depth_rectified: bool = option(
        False,
        'the depth image has no lens distortion although the image has it (one on a topic whose '
        'name begins with image_rect has none in any case)',
    )
    check_frame: bool = option(
        True, 'refuse a depth image whose frame_id differs from that of the image'
    )
    max_offset_ms: float = option(
        0.0,
        'maximum time between image and depth image, ms (0 = half a frame period)',
        minimum=0.0,
    )
    min_distance: float = option(0.1, 'smallest distance that counts, m', minimum=0.0)
    max_distance: float = option(20.0, 'largest distance that counts, m', minimum=0.01)
    assumed_extent: float = option(
        0.0,
        'least extent of an object along the optical axis, m; its center is half of it behind its '
        'front',
        minimum=0.0,
    )
    noise: tuple[float, ...] = option(
        (0.0, 0.0, 0.0027),
        'standard deviation of a distance z, m: three floats a, b, c for a + b z + c z2',
        minimum=0.0,
    )
    target_frame: str = option(
        '', 'frame of the boxes, by /tf at the stamp of the image (empty = frame of the image)'
    )

    def sigma(self, distance: Floats) -> Floats:
        """Return the standard deviations of the sensor at distances, meters."""
        constant, linear, quadratic = self.noise
        return constant + distance * (linear + distance * quadratic)
