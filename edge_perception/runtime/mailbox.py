# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps the newest frame of a camera until its turn comes."""

from __future__ import annotations

from typing import Generic
from typing import TypeVar

T = TypeVar('T')


class Mailbox(Generic[T]):
    """
    Holds one item at most: the newest. Not guarded: whoever shares it between threads has a lock.

    An old image is a wrong one on a vehicle, so there is no queue to work off. What was replaced
    still counts for the turn: ``due_ns`` is that of the first item since the last ``served``.
    """

    def __init__(self) -> None:
        self._item: T | None = None
        self.due_ns: int | None = None

    @property
    def waiting(self) -> bool:
        """Whether an item waits."""
        return self._item is not None

    def put(self, item: T, *, due_ns: int) -> T | None:
        """
        Leave an item.

        :param due_ns: monotonic time at which its turn should have come.
        :return: the item that was replaced because nobody took it, or None.
        """
        replaced, self._item = self._item, item
        self.due_ns = due_ns if self.due_ns is None else min(due_ns, self.due_ns)
        return replaced

    def take(self) -> T | None:
        """Take the item out; None when there is none. Its claim to a turn stays."""
        item, self._item = self._item, None
        return item

    def served(self) -> None:
        """Forget the claim, because the turn has come."""
        self.due_ns = None
