# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Counts what became of every frame, so that none disappears without a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import threading

# Why a frame was not published. The names appear in diagnostics and in the documentation.
DROP_REASONS: Mapping[str, str] = {
    'superseded': 'a newer frame came before this one was started',
    'stale': 'too little of its budget was left to start it',
    'overrun': 'its budget was used up when the result was ready',
    'bad_stamp': 'its stamp is zero, in the future, before the last one, or from another start',
    'bad_image': 'the image cannot be read, or its `frame_id` is longer than 256 bytes',
    'inactive': 'the node was deactivated before the result was ready',
    'decode_failed': 'the outputs of the network could not be decoded',
    'engine_failed': 'the engine failed',
    'publish_failed': 'the result could not be published',
}


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """
    Numbers of frames at one moment: received = published + dropped + in flight.

    :param published_late: those of the published ones that were older than their budget then.
    """

    received: int
    published: int
    published_late: int
    in_flight: int
    dropped: Mapping[str, int]


class FrameAccounts:
    """
    The ledger of one camera; methods may be called from any thread.

    Each frame is received once, and then either published once or dropped once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received = 0
        self._published = 0
        self._published_late = 0
        self._in_flight = 0
        self._dropped = dict.fromkeys(DROP_REASONS, 0)

    def receive(self) -> None:
        """Count a frame that arrived from the camera."""
        with self._lock:
            self._received += 1
            self._in_flight += 1

    def publish(self, *, late: bool = False) -> None:
        """
        Count a frame whose result was published.

        :param late: it was older than its budget when it went out.
        """
        with self._lock:
            self._published += 1
            self._published_late += late
            self._in_flight -= 1

    def drop(self, reason: str) -> None:
        """
        Count a frame that will not be published.

        :param reason: a key of ``DROP_REASONS``.
        """
        with self._lock:
            self._dropped[reason] += 1
            self._in_flight -= 1

    def counts(self) -> FrameCounts:
        """Return all numbers of one moment."""
        with self._lock:
            return FrameCounts(
                received=self._received,
                published=self._published,
                published_late=self._published_late,
                in_flight=self._in_flight,
                dropped=dict(self._dropped),
            )
