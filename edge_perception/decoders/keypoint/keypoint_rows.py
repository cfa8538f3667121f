# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What decoders share that find the keypoints of a single instance."""

from __future__ import annotations

import numpy as np

from edge_perception.contract import ImageTransform
from edge_perception.contract import Keypoints
from edge_perception.contract.boxes import check_positions
from edge_perception.contract.types import Float32Array


def one_instance(
    xy: Float32Array, *, score: Float32Array, threshold: float, transform: ImageTransform
) -> Keypoints:
    """
    Make keypoints of one instance, of none when no keypoint is seen.

    :param xy: (K, 2) in pixels of the input.
    :param score: (K,), usable; a keypoint below the threshold is unseen: score 0, position NaN.
    :raises FloatingPointError: a number is not finite.
    :raises ValueError: a keypoint is far outside of the input.
    """
    seen = score >= threshold
    check_positions(xy[seen], transform)
    instances = int(seen.any())
    placed = np.where(seen[:, None], transform.points_to_source(xy), np.float32(np.nan))
    return Keypoints(
        xy=placed[None][:instances],
        score=np.where(seen, np.clip(score, 0, 1), np.float32(0))[None][:instances],
    )
