# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Compare tracks with the truth: MOTA, IDF1, HOTA and switches of identity.

Values are those of motmetrics 1.4 (MOTA, IDF1, switches) and TrackEval 1.3 (HOTA), whose sequences
and results ``docs/tracking.md`` compares.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_perception.contract.boxes import iou
from edge_perception.tracking import assign

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.intp]

# Least overlap of a box with the truth in MOTA and IDF1 (MOTChallenge).
MATCH = 0.5
# HOTA is the mean over these (Luiten et al., IJCV 2021).
ALPHAS = np.arange(0.05, 0.99, 0.05)
EPSILON = np.finfo(np.float64).eps
NEVER = 1e6  # cost of a pair that is not allowed: more than all others together


@dataclass(frozen=True)
class IdentifiedBoxes:
    """
    What is in one frame: true objects, or the tracks that were found.

    :param ids: (N,), integers, each once.
    :param xyxy: (N, 4), pixels.
    """

    ids: npt.NDArray[np.integer]
    xyxy: Floats


@dataclass(frozen=True)
class TrackingScore:
    """
    How well tracks agree with the truth.

    :param mota: 1 - (misses + false positives + switches) / true boxes; 1 is perfect.
    :param idf1: F1 of boxes with the right identity, each track being one object; 0 to 1.
    :param hota: mean over overlaps of the root of detection times association; 0 to 1.
    :param switches: how often a true object got another track than it had last.
    """

    mota: float
    idf1: float
    hota: float
    switches: int
    false_positives: int
    misses: int


def tracking_score(
    truth: Sequence[IdentifiedBoxes], found: Sequence[IdentifiedBoxes]
) -> TrackingScore:
    """
    Compare tracks with the truth, frame by frame.

    :param truth: of each frame, also where nothing is in it; with a true box in one of them.
    :param found: as many frames.
    """
    (true_ids, true_counts), (track_ids, track_counts) = _numbered(truth), _numbered(found)
    overlaps = [
        np.asarray(iou(one.xyxy[:, None], other.xyxy), np.float64)
        for one, other in zip(truth, found)
    ]
    frames = list(zip(true_ids, track_ids, overlaps))
    boxes, tracked = int(true_counts.sum()), int(track_counts.sum())
    matched, switches = _clear(frames)
    misses, false_positives = boxes - matched, tracked - matched
    shape = (len(true_counts), len(track_counts))
    return TrackingScore(
        mota=1 - (misses + false_positives + switches) / boxes,
        idf1=2 * _same_identity(frames, shape) / (boxes + tracked),
        hota=_hota(frames, true_counts, track_counts),
        switches=switches,
        false_positives=false_positives,
        misses=misses,
    )


def read_mot(path: Path, *, frames: int = 0) -> list[IdentifiedBoxes]:
    """
    Read a file of MOTChallenge: frame, id, left, top, width, height, confidence, ...

    Frames count from 1; rows of the truth with confidence 0 are not to be counted.

    :param frames: how many to return, at least.
    """
    rows = np.loadtxt(path, delimiter=',', ndmin=2)
    rows = rows[rows[:, 6] != 0]
    made = []
    for frame in range(1, max(frames, int(rows[:, 0].max(initial=0))) + 1):
        here = rows[rows[:, 0] == frame]
        xyxy = np.concatenate([here[:, 2:4], here[:, 2:4] + here[:, 4:6]], axis=1)
        made.append(IdentifiedBoxes(here[:, 1].astype(np.int64), xyxy))
    return made


_Frames = Sequence[tuple[Ids, Ids, Floats]]


def _numbered(frames: Sequence[IdentifiedBoxes]) -> tuple[list[Ids], Ids]:
    """Return identities as indices, and how many boxes each has."""
    ids = np.concatenate([each.ids for each in frames]) if frames else np.zeros(0, np.int64)
    known, indices, counts = np.unique(ids, return_inverse=True, return_counts=True)
    ends = np.cumsum([len(each.ids) for each in frames])
    return np.split(indices.reshape(-1), ends[:-1]), counts


def _clear(frames: _Frames) -> tuple[int, int]:
    """
    Return matches and switches (CLEAR, Bernardin and Stiefelhagen 2008).

    An object keeps its last track as long as that still overlaps it enough.
    """
    last: dict[int, int] = {}
    matched = switches = 0
    for true_ids, track_ids, overlap in frames:
        cost = np.where(overlap >= MATCH, 1 - overlap, NEVER)
        for row, column in _kept(true_ids, track_ids, cost, last):
            cost[row], cost[:, column] = NEVER, NEVER
            matched += 1
        rows, columns = assign(cost)
        for row, column in zip(rows, columns):
            if cost[row, column] < NEVER:
                matched += 1
                true_id, track_id = int(true_ids[row]), int(track_ids[column])
                switches += last.get(true_id, track_id) != track_id
                last[true_id] = track_id
    return matched, switches


def _kept(
    true_ids: Ids, track_ids: Ids, cost: Floats, last: dict[int, int]
) -> Iterable[tuple[int, int]]:
    """Give the pairs of before that still match; of two objects with one track the first."""
    column_of = {int(track): column for column, track in enumerate(track_ids)}
    for row, true_id in enumerate(true_ids):
        column = column_of.get(last.get(int(true_id), -1))
        if column is not None and cost[row, column] < NEVER:
            yield row, column


def _same_identity(frames: _Frames, shape: tuple[int, int]) -> int:
    """Return the boxes that match under the best assignment of tracks to objects."""
    together = np.zeros(shape)
    for true_ids, track_ids, overlap in frames:
        together[np.ix_(true_ids, track_ids)] += overlap >= MATCH
    return int(together[assign(-together)].sum())


def _hota(frames: _Frames, true_counts: Ids, track_counts: Ids) -> float:
    """Return HOTA; frames are matched so that objects go with the tracks they are mostly with."""
    shared = np.zeros((len(true_counts), len(track_counts)))
    for true_ids, track_ids, overlap in frames:
        either = overlap.sum(axis=1, keepdims=True) + overlap.sum(axis=0) - overlap
        shared[np.ix_(true_ids, track_ids)] += overlap / np.maximum(either, EPSILON)
    totals = true_counts[:, None] + track_counts
    alignment = shared / (totals - shared)
    together = np.zeros((len(ALPHAS), *shared.shape))
    for true_ids, track_ids, overlap in frames:
        rows, columns = assign(-alignment[np.ix_(true_ids, track_ids)] * overlap)
        close = overlap[rows, columns] >= ALPHAS[:, None] - EPSILON
        together[:, true_ids[rows], track_ids[columns]] += close
    matches = together.sum(axis=(1, 2))
    detection = matches / (true_counts.sum() + track_counts.sum() - matches)
    association = (together**2 / (totals - together)).sum(axis=(1, 2)) / np.maximum(matches, 1)
    return float(np.sqrt(detection * association).mean())
