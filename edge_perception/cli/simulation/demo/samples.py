# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the watch has seen, as samples of the record."""

from __future__ import annotations

from collections.abc import Sequence
import math
from typing import TYPE_CHECKING

from edge_perception.simulation.pose_errors import pose_error
from edge_perception.simulation.pose_errors import PoseError
from edge_perception.tooling.reports.demo_record import Sample

if TYPE_CHECKING:
    from edge_perception.simulation.nodes.demo_watch import Seen


class Samples:
    """
    Turns images into samples; a pose is compared once.

    :param with_pose: poses are what is to be found.
    """

    def __init__(self, *, with_pose: bool) -> None:
        self._with_pose = with_pose
        self._errors: dict[int, PoseError] = {}

    def take(self, seen: Sequence[Seen]) -> list[Sample]:
        """
        Return a sample for each image from the first one with a result on.

        Earlier ones came before the node was ready.

        :param seen: in the order of the stamps.
        """
        first = next((index for index, each in enumerate(seen) if each.age_ms is not None), None)
        if first is None:
            return []
        start_ns = seen[first].stamp_ns
        return [self._sample(each, start_ns) for each in seen[first:]]

    def _sample(self, seen: Seen, start_ns: int) -> Sample:
        place = seen.truth or seen.pose
        return Sample(
            time_s=(seen.stamp_ns - start_ns) / 1e9,
            arrival_s=seen.arrival_s,
            age_ms=seen.age_ms,
            objects=int(seen.pose is not None) if self._with_pose else seen.objects,
            distance_m=None if place is None else math.dist(place.position, (0, 0, 0)),
            error=self._error(seen),
        )

    def _error(self, seen: Seen) -> PoseError | None:
        if seen.pose is None or seen.truth is None:
            return None
        error = self._errors.get(seen.stamp_ns)
        if error is None:
            error = self._errors[seen.stamp_ns] = pose_error(
                position=seen.pose.position,
                orientation=seen.pose.orientation,
                true_position=seen.truth.position,
                true_orientation=seen.truth.orientation,
            )
        return error
