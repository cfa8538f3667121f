# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass

from edge_perception.simulation.rendering.pinhole import Camera

# All pictures are taken with it, or pass for it.
LENS = Camera(width=640, height=480)
THREADS = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """
    How much is measured.

    :param rounds: how often bare loop, node and echo take turns.
    :param seconds: how long each of them is measured in a round.
    :param warm_up_s: how long each of them runs before it is measured.
    :param idle_s: how long an active node without images is watched in a round.
    """

    rate_hz: float = 15.0
    rounds: int = 3
    seconds: float = 20.0
    warm_up_s: float = 2.0
    idle_s: float = 10.0

    @property
    def frames(self) -> int:
        """Frames that are measured in a round."""
        return max(1, round(self.seconds * self.rate_hz))

    @property
    def warm_up_frames(self) -> int:
        return round(self.warm_up_s * self.rate_hz)
