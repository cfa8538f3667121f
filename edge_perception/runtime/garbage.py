# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps Python's garbage collector from running in the middle of a frame."""

from __future__ import annotations

import gc

# So many new objects are looked through in far less than a millisecond.
WORTH_A_LOOK = 2_000
# Where nobody is ever idle it has to be done all the same.
OVERDUE = 20_000


class Collector:
    """
    Takes the collector of the process over; for a process that has nothing but the node in it.

    What exists after the warm-up stays and is not looked through again. Methods may be called from
    any thread.
    """

    def take_over(self) -> None:
        """Collect once, leave aside all that exists, and collect from now on only when told."""
        gc.collect()
        gc.freeze()
        gc.disable()

    def idle(self) -> None:
        """Collect if it is worth while, because nobody waits for anything now."""
        if gc.get_count()[0] >= WORTH_A_LOOK:
            gc.collect()

    def overdue(self) -> None:
        """Collect if it cannot wait; called now and then, busy or not."""
        if gc.get_count()[0] >= OVERDUE:
            gc.collect()

    def give_back(self) -> None:
        """Let Python collect when it wants."""
        gc.unfreeze()
        gc.enable()
