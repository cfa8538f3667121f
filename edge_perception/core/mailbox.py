# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Hands the newest frame from the thread that receives to the thread that works."""

from __future__ import annotations

import threading
from typing import Generic
from typing import TypeVar

T = TypeVar('T')


class Mailbox(Generic[T]):
    """
    Holds one item at most: the newest. Methods may be called from any thread, none of them works.

    An old image is a wrong one on a vehicle, so there is no queue to work off.
    """

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._item: T | None = None
        self._closed = False

    def put(self, item: T) -> T | None:
        """
        Leave an item.

        :return: the item that was replaced because nobody took it, or None.
        """
        with self._arrived:
            replaced, self._item = self._item, item
            self._arrived.notify()
            return replaced

    def take(self) -> T | None:
        """Wait for an item and take it; None when the mailbox was closed and is empty."""
        with self._arrived:
            while self._item is None and not self._closed:
                self._arrived.wait()
            item, self._item = self._item, None
            return item

    def clear(self) -> T | None:
        """Take out the item without waiting; None when there is none."""
        with self._arrived:
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """Wake whoever waits in ``take``; from now on it does not wait."""
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()
