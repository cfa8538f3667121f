# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Pair what was found in an image with what was there in truth.

Knows no ROS: anyone who has ground truth, from a simulator or a measuring system, can use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
import math

from edge_perception.simulation.pose_errors import pose_error
from edge_perception.simulation.pose_errors import PoseError

Box = tuple[float, float, float, float]
# A pose farther off than this share of the true distance is of something else.
REACH = 0.3
# Boxes that share less of their common area are of different objects (as in PASCAL VOC).
OVERLAP = 0.5


@dataclass(frozen=True, slots=True)
class Placement:
    """
    Where an object is in the optical frame of the camera.

    :param position: meters.
    :param orientation: quaternion x, y, z, w.
    """

    position: tuple[float, float, float]
    orientation: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class TrueObject:
    """
    Something that is there.

    :param pose: None where only its box is known.
    :param box: left, top, right, bottom in pixels; None where only its pose is known.
    :param size_px: of its longer side, seen straight.
    :param inside: share of it that is in the image, 0 to 1.
    :param label: empty: matches any.
    """

    pose: Placement | None = None
    box: Box | None = None
    size_px: float = math.inf
    inside: float = 1.0
    label: str = ''


@dataclass(frozen=True, slots=True)
class FoundObject:
    """Something that a result says; fields as in ``TrueObject``."""

    pose: Placement | None = None
    box: Box | None = None
    score: float = 1.0
    label: str = ''


@dataclass(frozen=True, slots=True)
class ScoredImage:
    """
    One image with its truth and its result.

    :param truths: None where nothing is known about the image.
    :param found: None where no result was published for the image.
    :param age_ms: from the stamp of the image to the publication of its result, by the clock of
        ROS.
    :param response_ms: from the arrival of the image to that of the result, by a wall clock.
    :param result_s: when the result arrived, by the monotonic clock; None without a result.
    """

    stamp_ns: int
    truths: tuple[TrueObject, ...] | None = None
    found: tuple[FoundObject, ...] | None = None
    age_ms: float | None = None
    response_ms: float | None = None
    result_s: float | None = None

    @property
    def distance(self) -> float | None:
        """Meters to the first object with a pose: in truth, else as found; None if unknown."""
        truths, found = self.truths or (), self.found or ()
        poses = [*(each.pose for each in truths), *(each.pose for each in found)]
        return next((math.hypot(*pose.position) for pose in poses if pose is not None), None)


@dataclass(frozen=True, slots=True)
class Match:
    """
    A true object, and what was found of it.

    :param truth: None for a false detection.
    :param found: None for a miss.
    :param error: where both have a pose.
    :param overlap: of the boxes, intersection over union; where both have one.
    """

    image: ScoredImage
    truth: TrueObject | None
    found: FoundObject | None
    error: PoseError | None = None
    overlap: float | None = None


def match_images(images: Sequence[ScoredImage]) -> list[Match]:
    """
    Return the matches of all images that have a truth and a result.

    Objects are compared by pose where the truth of the images has poses, else by box.
    """
    known = [image for image in images if image.truths is not None]
    by_pose = any(true.pose is not None for image in known for true in image.truths or ())
    return [
        match
        for image in known
        if image.found is not None
        for match in _match(image, by_pose=by_pose)
    ]


def _match(image: ScoredImage, *, by_pose: bool) -> list[Match]:
    """Pair the best first, each object once."""
    truths = [each for each in image.truths or () if _has(each, by_pose)]
    found = [each for each in image.found or () if _has(each, by_pose)]
    compare = _compare_poses if by_pose else _compare_boxes
    pairs = [
        pair
        for true in truths
        for each in found
        if not true.label or not each.label or true.label == each.label
        if (pair := compare(image, true, each)) is not None
    ]
    matches: list[Match] = []
    for _, match in sorted(pairs, key=lambda pair: pair[0]):
        if not any(match.truth is m.truth or match.found is m.found for m in matches):
            matches.append(match)
    missed = [t for t in truths if not any(t is match.truth for match in matches)]
    false = [f for f in found if not any(f is match.found for match in matches)]
    return (
        matches
        + [Match(image, true, None) for true in missed]
        + [Match(image, None, each) for each in false]
    )


def _has(each: TrueObject | FoundObject, by_pose: bool) -> bool:
    return (each.pose if by_pose else each.box) is not None


def _compare_poses(
    image: ScoredImage, true: TrueObject, found: FoundObject
) -> tuple[float, Match] | None:
    assert true.pose is not None and found.pose is not None
    error = _error(found.pose, true.pose)
    return None if error.share > REACH else (error.share, Match(image, true, found, error=error))


@lru_cache(maxsize=1 << 16)  # a live table compares the same images again and again
def _error(found: Placement, true: Placement) -> PoseError:
    return pose_error(
        position=found.position,
        orientation=found.orientation,
        true_position=true.position,
        true_orientation=true.orientation,
    )


def _compare_boxes(
    image: ScoredImage, true: TrueObject, found: FoundObject
) -> tuple[float, Match] | None:
    assert true.box is not None and found.box is not None
    overlap = intersection_over_union(true.box, found.box)
    if overlap < OVERLAP:
        return None
    return 1 - overlap, Match(image, true, found, overlap=overlap)


def intersection_over_union(first: Box, second: Box) -> float:
    """Return the share of the common area that both boxes cover, 0 to 1."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0.0) * max(height, 0.0)
    whole = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)) - shared
    return shared / whole if whole > 0 else 0.0
