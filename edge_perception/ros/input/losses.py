# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Counts the images that were published and never reached the node."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any


class Losses:
    """
    Gaps in the numbers that a publisher gives its messages.

    Images are lost on the way, see "Large images" in docs/node.md, and where one comes before the
    executor has taken the one before. rclpy tells the numbers from Jazzy on.

    :param publishers: tells how many publishers the topic has; two have two rows of numbers.
    """

    def __init__(self, publishers: Callable[[], int]) -> None:
        self._publishers = publishers
        self._last = 0
        # None where the middleware tells no numbers.
        self.count: int | None = None

    def note(self, info: Mapping[str, Any]) -> None:
        """Look at what came with a message."""
        number = info.get('publication_sequence_number')
        if number is None:
            return
        self.count = self.count or 0
        missing = number - self._last - 1
        # A first message, or a publisher that began anew, says nothing of those before.
        if self._last and missing > 0 and self._publishers() == 1:
            self.count += missing
        self._last = number

    def begin_anew(self) -> None:
        """Expect another publisher."""
        self._last = 0
