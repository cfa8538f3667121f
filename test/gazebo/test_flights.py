# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The shipped model on pictures that Gazebo renders: approaches, grounds, and a camera with defects.

Each flight is real: Gazebo, bridge, node and score are processes that talk over DDS.
"""

from __future__ import annotations

import csv
from pathlib import Path
import re
from typing import Any

import pytest

from edge_perception.simulation.gazebo.worlds import GROUNDS
from edge_perception.simulation.gazebo.worlds import World
from edge_perception.simulation.gazebo.worlds import write_world
from tools.gazebo.flight import Flight
from tools.gazebo.flight import fly
from tools.gazebo.flight import TEMPLATES

APPROACHES = (1, 2, 3)
FLOWN = ('grass', 'asphalt')


@pytest.mark.parametrize('ground', FLOWN)
@pytest.mark.parametrize('approach', APPROACHES)
def test_the_pad_is_found_from_far_to_near(gazebo, build, ground, approach):
    """Thresholds: config/thresholds_landing_pad.yaml."""
    out = build / 'flights' / f'{ground}-{approach}'
    outcome = fly(Flight(world=World(ground=ground, approach=approach), out=out), gazebo)
    assert outcome.passed, outcome.output


@pytest.mark.parametrize('ground', GROUNDS)
def test_gazebo_accepts_the_world(gazebo, ground):
    world = write_world(
        TEMPLATES, gazebo.media, world=World(ground=ground), seen_as=gazebo.seen_as
    )
    assert gazebo.check(world) == 'Check complete'


# Kind, number of the first image and how many it hits; the camera has 30 images in a second of
# simulated time. Each begins long after the one before it is over.
FAULTS = (
    *('black:60:15', 'freeze:105:15', 'drop:150:15', 'stamp_jump:195:15', 'encoding:240:15'),
    *('bad_encoding:285:15', 'info_lost:330:15'),
)
LINE = re.compile(r'(\w+): (begins|is over) with the image of (\d+) ns')


class FaultyFlight:
    """Score and images of a flight with faults."""

    def __init__(self, score: dict[str, Any], out: Path) -> None:
        self.score = score
        with (out / 'images.csv').open(newline='') as file:
            self._images = list(csv.DictReader(file))
        said = LINE.findall((out / 'faults.log').read_text())
        self._marks = {(kind, mark): int(stamp) for kind, mark, stamp in said}

    def during(self, kind: str) -> list[dict[str, str]]:
        """Return the images that a fault hit."""
        first, end = self._marks[kind, 'begins'], self._marks[kind, 'is over']
        return [row for row in self._images if first <= int(row['stamp_ns']) < end]

    def after(self, kind: str) -> list[dict[str, str]]:
        """Return the second that follows a fault."""
        end = self._marks[kind, 'is over']
        return [row for row in self._images if end <= int(row['stamp_ns']) < end + 10**9]


@pytest.fixture(scope='module')
def faulty(gazebo, build) -> FaultyFlight:
    """Fly with all of the faults."""
    out = build / 'flights' / 'faults'
    flight = Flight(world=World(ground='grass', approach=2), out=out, faults=FAULTS)
    return FaultyFlight(fly(flight, gazebo).score, out)


def answered(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [row for row in rows if row['found']]


def errors(rows: list[dict[str, str]]) -> list[float]:
    """Return by how much the poses are off, as a share of the distance."""
    return [
        float(row['position_error_m']) / float(row['distance_m'])
        for row in rows
        if row['position_error_m']
    ]


KINDS = [fault.split(':')[0] for fault in FAULTS]


@pytest.mark.parametrize('kind', KINDS)
def test_after_a_fault_poses_are_good_again(faulty, kind):
    off = errors(faulty.after(kind))
    assert off and max(off) < 0.05


def test_black_pictures_get_empty_results(faulty):
    rows = answered(faulty.during('black'))
    assert rows and {row['found'] for row in rows} == {'0'}


def test_a_frozen_picture_is_answered_and_its_pose_falls_behind(faulty):
    off = errors(faulty.during('freeze'))
    assert len(off) > 1 and off[-1] > 5 * off[0]


@pytest.mark.parametrize('kind', ['drop', 'stamp_jump', 'bad_encoding'])
def test_spoilt_and_missing_images_get_no_result(faulty, kind):
    rows = faulty.during(kind)
    assert rows and not answered(rows)


def test_spoilt_images_are_counted_under_their_reason(faulty):
    assert faulty.score['dropped']['bad_stamp'] >= len(faulty.during('stamp_jump')) / 2
    assert faulty.score['dropped']['bad_image'] >= len(faulty.during('bad_encoding')) / 2


@pytest.mark.parametrize('kind', ['encoding', 'info_lost'])
def test_another_encoding_and_missing_intrinsics_change_nothing(faulty, kind):
    off = errors(faulty.during(kind))
    assert off and max(off) < 0.05
