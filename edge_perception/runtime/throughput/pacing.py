# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Whether frames should overlap, and when the next one has to be taken for it."""

from __future__ import annotations

from collections import defaultdict
from collections import deque
from statistics import median

# Calls of the engine in a row of which the median is taken, and the blocks of them after which the
# other way is tried again: 2 % of the time goes into that.
BLOCK = 24
HOLD_BLOCKS = 40
# Overlapping has to give so much more frames; it costs processor time and memory.
LEAST_GAIN = 1.03
WINDOW = 8
# Of the time of preparing. Without it an engine that was waited for once would seem slower, and be
# waited for again.
MARGIN = 1.25
OVERLAP_MODES = ('auto', 'on', 'off')


class Pacing:
    """
    Measures how fast frames follow each other, and decides by that whether they overlap.

    With ``auto`` blocks of frames that overlap and that do not are compared, from time to time,
    and only where frames wait: where none does nothing overlaps anyway. Guarded by who calls.

    :param mode: one of ``OVERLAP_MODES``.
    """

    def __init__(self, mode: str) -> None:
        # Whether the parts of frames overlap now, where one waits.
        self.overlaps = mode != 'off'
        self._automatic = mode == 'auto'
        # By the number of frames in a call.
        self._infer_ns: defaultdict[int, deque[int]] = defaultdict(lambda: deque(maxlen=WINDOW))
        self._prepare_ns: deque[int] = deque(maxlen=WINDOW)
        self._periods: list[int] = []
        self._median: dict[bool, float] = {}
        self._last_ns: int | None = None
        self._blocks_left, self._trying = 1, False

    def prepared(self, taken_ns: int) -> None:
        """Take in how long it took to bring frames into the memory of the engine."""
        self._prepare_ns.append(taken_ns)

    def take_at_ns(self, begun_ns: int, *, frames: int = 1) -> int | None:
        """
        Return when to take the next frame, to be ready when the engine is; None for not yet.

        Not earlier, because a newer one may come, and not later, by the slowest frame before the
        fastest engine of late.

        :param begun_ns: when the engine began to compute, so many frames at once.
        """
        taken_ns = self._infer_ns[frames]
        if not self.overlaps or not taken_ns or not self._prepare_ns:
            return None
        return begun_ns + min(taken_ns) - int(MARGIN * max(self._prepare_ns))

    def computed(self, began_ns: int, now_ns: int, *, waiting: bool, frames: int = 1) -> None:
        """
        Take in that the engine is ready.

        :param waiting: the next frame is there already, so that from now until the engine is
            ready again no time is lost on waiting for a camera.
        """
        self._infer_ns[frames].append(now_ns - began_ns)
        if self._last_ns is not None:
            self._periods.append((now_ns - self._last_ns) // frames)
        self._last_ns = now_ns if waiting else None
        if self._automatic and len(self._periods) >= BLOCK:
            self._decide()

    def _decide(self) -> None:
        self._median[self.overlaps] = median(self._periods)
        self._periods.clear()
        self._blocks_left -= 1
        if self._blocks_left:
            return
        overlapped = self.overlaps
        if self._trying:
            gain = self._median[False] / max(self._median[True], 1)
            self.overlaps, self._blocks_left = gain >= LEAST_GAIN, HOLD_BLOCKS
        else:
            self.overlaps, self._blocks_left = not overlapped, 1
        self._trying = not self._trying
        if self.overlaps != overlapped:
            self._last_ns = None  # what goes on now was begun the other way
