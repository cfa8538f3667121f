# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Follow boxes through the frames of one camera."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_perception.contract import Detections
from edge_perception.contract.boxes import iou
from edge_perception.contract.types import Int32Array
from edge_perception.tracking.assignment import assign
from edge_perception.tracking.assignment import Indices
from edge_perception.tracking.motion import BoxFilters
from edge_perception.tracking.motion import Floats

# Least overlap of a published detection, and of a weaker one, with the predicted box. ByteTrack
# (arXiv 2110.06864) has .2 and .5; with .3 a track that has lost its object takes another less
# often (docs/tracking.md).
OVERLAP, WEAK_OVERLAP = 0.3, 0.5
# So much less an overlap counts where the detection has another class than the track.
OTHER_CLASS = 0.1
# The same for a track that the last frame did not show: else two of them take turns at an object.
LOST = 0.15
# A detection that overlaps one with a track so much is the same object under another class.
SAME_OBJECT = 0.8
# What is left of the votes for a class at the next one: about the last ten count.
VOTE_MEMORY = 0.9


class Tracker:
    """
    Associate boxes in two rounds as ByteTrack does, with time in seconds.

    Called from one thread.

    :param keep_s: how long a confirmed track outlives its last detection, seconds.
    :param confirm_frames: detections in successive frames that confirm a track; then it gets a
        number.
    :param start_score: least score of a detection that starts a track.
    """

    def __init__(
        self, *, keep_s: float = 1.0, confirm_frames: int = 2, start_score: float = 0.0
    ) -> None:
        self._keep_s = keep_s
        self._confirm_frames = confirm_frames
        self._start_score = start_score
        self.reset()

    def reset(self) -> None:
        """Forget all tracks; numbers begin with 1 again."""
        self._time_s: float | None = None
        self._before_s = 0.0
        self._last_number = 0
        self._filters = BoxFilters.of(np.zeros((0, 4)))
        self._seen_s = np.zeros(0)
        self._hits = np.zeros(0, np.int32)
        self._number = np.zeros(0, np.int32)  # 0 until it is confirmed
        self._votes = np.zeros((0, 1), np.float32)  # one column for each class

    def update(
        self,
        detections: Detections,
        *,
        strong: int,
        time_s: float,
        homography: Floats | None = None,
    ) -> tuple[Int32Array, Int32Array]:
        """
        Take the detections of one frame, also when there are none: then tracks age.

        :param detections: the published ones, then the weaker ones, which only continue tracks.
        :param strong: how many are published.
        :param time_s: of the image; not before that of the last frame.
        :param homography: (3, 3), maps pixels of the last frame to where the rotation of the
            camera has moved them; None: it is not known, or there was none.
        :return: for each detection the number of its track (0 where it has none, or one that is
            not confirmed), and the class that the track has by vote.
        """
        self._age(time_s, homography)
        boxes = detections.xyxy.astype(np.float64)
        usable = np.asarray(np.isfinite(boxes).all(axis=1))
        track_of = self._matched(detections, boxes, np.flatnonzero(usable), strong)
        self._continue(track_of, detections, boxes)
        self._start(track_of, detections, boxes, np.flatnonzero(usable[:strong]))
        new = np.flatnonzero((self._number == 0) & (self._hits >= self._confirm_frames))
        self._number[new] = self._last_number + 1 + np.arange(len(new))
        self._last_number += len(new)
        numbers, classes = np.zeros(len(boxes), np.int32), detections.class_id.copy()
        rows = np.flatnonzero(track_of >= 0)
        numbers[rows] = self._number[track_of[rows]]
        classes[rows] = self._votes[track_of[rows]].argmax(axis=1)
        return numbers, classes

    def _age(self, time_s: float, homography: Floats | None) -> None:
        """Move all tracks to the time of a frame; forget those not seen for too long."""
        self._before_s = time_s if self._time_s is None else self._time_s
        self._time_s = time_s
        self._keep(time_s - self._seen_s <= self._keep_s)
        self._filters.predict(time_s - self._before_s)
        if homography is not None:
            self._filters.turn(homography)

    def _matched(
        self, detections: Detections, boxes: Floats, usable: Indices, strong: int
    ) -> Indices:
        """Return for each detection its track; -1 where it has none."""
        track_of = np.full(len(boxes), -1)
        published, weak = usable[usable < strong], usable[usable >= strong]
        confirmed, predicted = self._number > 0, self._filters.boxes()
        recent, free = self._seen_s >= self._before_s, np.ones(len(confirmed), bool)
        for candidates, rows, least in (
            (confirmed, published, OVERLAP),
            (confirmed & recent, weak, WEAK_OVERLAP),
            (~confirmed, published, OVERLAP),
        ):
            tracks = np.flatnonzero(candidates & free)
            rows = rows[track_of[rows] < 0]
            if not (len(tracks) and len(rows)):
                continue
            overlap = iou(predicted[tracks, None], boxes[rows])
            classes = self._votes[tracks].argmax(axis=1)
            gain = overlap - OTHER_CLASS * (classes[:, None] != detections.class_id[rows])
            gain -= LOST * ~recent[tracks, None]
            first, second = _pairs(gain, allowed=overlap >= least)
            track_of[rows[second]] = tracks[first]
            free[tracks[first]] = False
        return track_of

    def _continue(self, track_of: Indices, detections: Detections, boxes: Floats) -> None:
        """Correct the tracks that have a detection; forget those not confirmed that have none."""
        rows = np.flatnonzero(track_of >= 0)
        tracks = track_of[rows]
        self._filters.correct(tracks, boxes[rows])
        self._see(tracks, detections, rows)
        kept = self._number > 0
        kept[tracks] = True
        track_of[rows] = (np.cumsum(kept) - 1)[tracks]
        self._keep(kept)

    def _start(
        self, track_of: Indices, detections: Detections, boxes: Floats, published: Indices
    ) -> None:
        """Start a track with each published detection that has none."""
        strong = detections.score[published] >= self._start_score
        rows = published[strong & (track_of[published] < 0)]
        if not len(rows):
            return
        others = np.concatenate([boxes[track_of >= 0], boxes[rows]])
        # With those before it: boxes that have a track, and better ones that get one now.
        overlap = np.tril(iou(boxes[rows, None], others), len(others) - len(rows) - 1)
        rows = rows[overlap.max(axis=1) < SAME_OBJECT]
        tracks = len(self._number) + np.arange(len(rows))
        self._filters.append(BoxFilters.of(boxes[rows]))
        zeros = np.zeros(len(rows), np.int32)
        self._seen_s = np.append(self._seen_s, zeros)
        self._hits, self._number = np.append(self._hits, zeros), np.append(self._number, zeros)
        self._votes = np.pad(self._votes, ((0, len(rows)), (0, 0)))
        self._see(tracks, detections, rows)
        track_of[rows] = tracks

    def _see(self, tracks: Indices, detections: Detections, rows: Indices) -> None:
        """Count a detection of each track, which votes with its score for its class."""
        self._seen_s[tracks] = self._time_s
        self._hits[tracks] += 1
        classes = detections.class_id[rows]
        missing = int(classes.max(initial=0)) + 1 - self._votes.shape[1]
        if missing > 0:
            self._votes = np.pad(self._votes, ((0, 0), (0, missing)))
        self._votes[tracks] *= VOTE_MEMORY
        self._votes[tracks, classes] += detections.score[rows]

    def _keep(self, kept: npt.NDArray[np.bool_]) -> None:
        if not kept.all():
            self._filters.keep(kept)
            self._seen_s, self._hits = self._seen_s[kept], self._hits[kept]
            self._number, self._votes = self._number[kept], self._votes[kept]


def _pairs(gain: Floats, *, allowed: npt.NDArray[np.bool_]) -> tuple[Indices, Indices]:
    """Return the pairs with the greatest sum of gains among those allowed."""
    rows, columns = np.flatnonzero(allowed.any(axis=1)), np.flatnonzero(allowed.any(axis=0))
    inner = np.ix_(rows, columns)
    first, second = assign(np.where(allowed[inner], -gain[inner], 0.0))
    taken = allowed[inner][first, second]
    return rows[first[taken]], columns[second[taken]]
