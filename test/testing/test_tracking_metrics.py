# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""MOTA, IDF1, HOTA and switches, against values that motmetrics and TrackEval gave."""

from __future__ import annotations

import numpy as np
import pytest

from edge_perception.testing.tracking_metrics import IdentifiedBoxes
from edge_perception.testing.tracking_metrics import read_mot
from edge_perception.testing.tracking_metrics import tracking_score

# Switches, false positives, misses, MOTA and IDF1 by motmetrics 1.4.0, HOTA by TrackEval 1.3.0.
RECORDED = (5, 57, 68, 0.161290322581, 0.394648829431, 0.339951293743)


def frame(*rows: tuple[float, ...]) -> IdentifiedBoxes:
    """Return objects of 40x80 pixels, each as id, left and top."""
    values = np.array(rows, np.float64).reshape(-1, 3)
    corners = values[:, 1:]
    return IdentifiedBoxes(
        values[:, 0].astype(np.int64), np.concatenate([corners, corners + (40, 80)], axis=1)
    )


def scene() -> tuple[list[IdentifiedBoxes], list[IdentifiedBoxes]]:
    """Return four objects that cross, and tracks with misses, a swap, a gap and false boxes."""
    truth, found = [], []
    for t in range(40):
        objects = [
            (1, 20 + 9 * t, 100),
            (2, 380 - 9 * t, 130),
            (3, 200, 20 + 4 * t),
            (4, 300 - 3 * t, 300),
        ]
        here = [each for each in objects if not (each[0] == 4 and 10 <= t < 15)]
        tracks = []
        for number, x, y in here:
            if (7 * t + 3 * number) % 9 == 0:
                continue
            name = {1: 2, 2: 1}.get(number, number) if t >= 20 else number
            name = 14 if number == 4 and t >= 15 else name
            tracks.append((name, x + 12 * np.sin(t + number), y + 15 * np.cos(2 * t * number)))
        if t % 4 == 1:
            tracks.append((50 + t // 12, 500, 40))
        truth.append(frame(*here))
        found.append(frame(*tracks) if t != 33 else frame())
    return truth, found


def test_the_values_of_motmetrics_and_trackeval():
    score = tracking_score(*scene())
    assert (score.switches, score.false_positives, score.misses) == RECORDED[:3]
    assert (score.mota, score.idf1, score.hota) == pytest.approx(RECORDED[3:], abs=1e-9)


def test_what_is_perfect_and_what_is_nothing():
    truth, _ = scene()
    perfect = tracking_score(truth, truth)
    assert (perfect.mota, perfect.idf1, perfect.switches) == (1, 1, 0)
    assert perfect.hota == pytest.approx(1)
    nothing = tracking_score(truth, [frame()] * len(truth))
    assert (nothing.mota, nothing.idf1, nothing.hota) == (0, 0, 0)


def test_an_object_keeps_its_last_track_though_another_overlaps_it_more():
    truth = [frame((1, 0, 0))] * 2
    found = [frame((7, 0, 0)), frame((7, 10, 0), (8, 0, 0))]
    assert tracking_score(truth, found).switches == 0


def test_files_of_motchallenge_are_read(tmp_path):
    path = tmp_path / 'gt.txt'
    rows = ('1,4,10,20,30,40,1', '3,4,11,20,30,40,1', '3,5,0,0,9,9,0')
    path.write_text(''.join(f'{row},-1,-1,-1\n' for row in rows))
    read = read_mot(path, frames=4)
    assert [each.ids.tolist() for each in read] == [[4], [], [4], []]
    assert read[0].xyxy.tolist() == [[10, 20, 40, 60]]
