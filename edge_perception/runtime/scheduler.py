# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Decides whose frame is next where several cameras share an engine."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Generic
from typing import TypeVar

from edge_perception.runtime.mailbox import Mailbox

T = TypeVar('T')


class Scheduler(Generic[T]):
    """
    Earliest deadline first, where the deadline is that of the oldest frame since the last turn.

    A frame that was superseded keeps its place for the one that took its place. The deadline of
    the newest frame would not do: it moves away with each frame, and the camera with the longest
    budget would starve.

    **The bound.** A camera with a frame waiting has its turn at the latest at the stamp of its
    oldest frame since the last turn, plus its budget, plus one service time of every camera.
    For: frames are not older than their budget when they arrive, so once that deadline has passed,
    whoever is served gets a later one for its next frame, and is behind this camera. What can come
    before it is the frame that is being served then, and one of each other camera. The bound holds
    under any load; whether the newest frame can still be in time is another question (admission).

    Pure logic: the time is an argument. Not guarded: whoever shares it has a lock.

    :param min_periods_ns: for each camera by name, the time between two turns at least.
    """

    def __init__(self, min_periods_ns: Mapping[str, int]) -> None:
        self._cameras = {name: _Queue[T](period) for name, period in min_periods_ns.items()}

    def put(self, camera: str, item: T, *, due_ns: int) -> T | None:
        """
        Let the newest item of a camera wait for its turn.

        :param due_ns: monotonic time, stamp plus budget of the frame.
        :return: the item of the camera that it replaces, if any.
        """
        return self._cameras[camera].mailbox.put(item, due_ns=due_ns)

    def take(self, now_ns: int) -> tuple[str, T] | None:
        """
        Take the item whose turn it is, with its camera; None when nobody may start now.

        Whoever starts the item calls ``served``; one that is not worth it leaves the claim of its
        camera as it is.
        """
        ready = [
            (queue.mailbox.due_ns or 0, queue.served_ns, name)
            for name, queue in self._cameras.items()
            if queue.mailbox.waiting and queue.not_before_ns <= now_ns
        ]
        if not ready:
            return None
        _, _, name = min(ready)
        item = self._cameras[name].mailbox.take()
        assert item is not None
        return name, item

    def served(self, camera: str, now_ns: int) -> None:
        """Count the turn of a camera from this moment."""
        queue = self._cameras[camera]
        queue.mailbox.served()
        queue.served_ns = now_ns
        queue.not_before_ns = now_ns + queue.min_period_ns

    def wait_ns(self, now_ns: int) -> int | None:
        """Return how long until somebody who waits may start; None when nobody waits."""
        starts = [queue.not_before_ns for queue in self._cameras.values() if queue.mailbox.waiting]
        return max(min(starts) - now_ns, 0) if starts else None

    def clear(self) -> Iterator[str]:
        """Take out everything that waits; gives the name of the camera of each item."""
        for name, queue in self._cameras.items():
            queue.mailbox.served()
            if queue.mailbox.take() is not None:
                yield name


class _Queue(Generic[T]):
    """One camera: what waits, and when it had its last turn."""

    def __init__(self, min_period_ns: int) -> None:
        self.mailbox: Mailbox[T] = Mailbox()
        self.min_period_ns = min_period_ns
        self.not_before_ns = 0
        self.served_ns = 0
