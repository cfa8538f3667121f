# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Count the images that were published and never reached the node."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

# Images over which a share is taken: some seconds of a camera.
WINDOW = 100
# With fewer a share says nothing.
LEAST = 20


class Losses:
    """
    Gaps in the numbers that a publisher gives its messages. Thread: the executor's.

    Images are lost on the way, see "Large images" in docs/cameras.md, and where one comes before
    the executor has taken the one before. rclpy tells the numbers from Jazzy on.

    :param publishers: tells how many publishers the topic has; two have two rows of numbers.
    """

    def __init__(self, publishers: Callable[[], int]) -> None:
        self._publishers = publishers
        self._last = 0
        # None where the middleware tells no numbers.
        self.count: int | None = None
        # For each of the last images, how many were missing before it.
        self._recent: deque[int] = deque(maxlen=WINDOW)

    @property
    def lately(self) -> tuple[int, int]:
        """How many of the latest images were lost, and of how many; (0, 0) while too few came."""
        lost, came = sum(self._recent), len(self._recent)
        return (lost, lost + came) if lost + came >= LEAST else (0, 0)

    def note(self, info: Mapping[str, Any]) -> None:
        """Look at what came with a message."""
        number = info.get('publication_sequence_number')
        if number is None:
            return
        self.count = self.count or 0
        missing = number - self._last - 1
        # A first message, or a publisher that began anew, says nothing of those before.
        counts = self._last and missing > 0 and self._publishers() == 1
        self.count += missing if counts else 0
        self._recent.append(missing if counts else 0)
        self._last = number

    def begin_anew(self) -> None:
        """Expect another publisher."""
        self._last = 0
        self._recent.clear()
