# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A short form of ``make test-landing``: one landing for each autopilot, one docking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tools.landing.consistency import approaches
from tools.landing.consistency import KINDS
from tools.landing.docking import dock
from tools.landing.docking import DockPose
from tools.landing.landing_report import markdown
from tools.landing.receivers import ArduPilotReceiver
from tools.landing.receivers import Px4Receiver
from tools.landing.trials import AUTOPILOTS
from tools.landing.trials import DOCKED
from tools.landing.trials import land
from tools.landing.trials import LANDED
from tools.landing.trials import manifest_of
from tools.landing.trials import seconds_known_after_loss
from tools.landing.trials import start_of
from tools.landing.trials import Trials

TIMEOUT_S = {'ardupilot': 2.0, 'px4': 5.0}
# Meters, and the second in which the pad is covered: ArduPilot first wants two without a gap.
COVERED = {'ardupilot': (2.5, 4.0), 'px4': (4.2, 2.0)}


@pytest.fixture(scope='module')
def trials():
    """Fly with a pad that is covered on the way, once for each autopilot."""
    flown = {}
    for autopilot in AUTOPILOTS:
        height, first = COVERED[autopilot]
        hidden = first, first + TIMEOUT_S[autopilot] + 0.5
        start = replace(start_of(autopilot, 3), height=height, offset=(0.5, -0.6), pad_size=1.0)
        flown[autopilot] = land(replace(start, hidden=hidden))
    consistency = approaches(manifest_of(1.0), 5)
    return Trials(list(flown.values()), flown, {}, [dock(manifest_of(0.3), 1)], consistency)


@pytest.mark.parametrize('autopilot', AUTOPILOTS)
def test_it_lands_and_waits_while_the_pad_is_covered(trials, autopilot):
    landing = trials.hidden[autopilot]
    assert landing.error < LANDED
    assert landing.wrongly_sent == 0
    first, last = landing.start.hidden
    # Images of before may still arrive.
    assert not [at for at in landing.arrivals if first + 0.2 < at < last]
    # What the autopilot does then is its own rule.
    assert seconds_known_after_loss(landing) == pytest.approx(TIMEOUT_S[autopilot], abs=0.15)
    assert {'coasting', 'lost', 'tracking'} <= {state for _, state in landing.states}


def test_it_docks(trials):
    (docking,) = trials.dockings
    assert (docking.error, docking.turned) < DOCKED


def test_covariances_are_honest(trials):
    found = {
        kind: (mean, inside)
        for name, kind, mean, inside, *_ in trials.consistency.rows()
        if name == 'target moves from 1'
    }
    assert set(found) == set(KINDS)
    for mean, inside in found.values():
        assert 0.7 < mean < 1.4
        assert inside > 0.88


def test_the_report_shows_what_is_not_as_it_should_be(trials):
    text = markdown(trials, '')
    assert '| px4 | 1 of 1 |' in text
    missed = replace(trials, landings=[replace(trials.landings[0], error=0.11)])
    assert 'ardupilot: 0 of 1 landed within 10 cm' in '\n'.join(missed.failures())


def landing_target(**changed):
    fields = {'frame': 12, 'position_valid': 1, 'distance': 3.0, 'x': 0.0, 'y': 0.0, 'z': 3.0}
    return {**fields, **changed}


def ardupilot():
    return ArduPilotReceiver(lambda time: (np.eye(3), np.zeros(3), 0.0))


@pytest.mark.parametrize(
    ('changed', 'count'),
    [
        ({'frame': 1}, 'unsupported'),
        ({'position_valid': 0}, 'no_distance'),
        ({'distance': 0.0}, 'no_distance'),
    ],
)
def test_ardupilot_takes_body_axes_with_a_distance(changed, count):
    receiver = ardupilot()
    receiver.take(landing_target(**changed), 1.0)
    assert receiver.counts == {count: 1}


def test_ardupilot_wants_two_seconds_without_a_gap():
    receiver = ardupilot()
    for now in (1.0, 1.4, 1.8, 2.4, 2.8, 3.2, 3.6, 4.0):
        receiver.take(landing_target(), now)
        assert receiver.target(now) is None
    receiver.take(landing_target(), 4.4)
    assert receiver.target(4.4) == pytest.approx((0, 0, 3))
    assert receiver.target(6.5) is None


@pytest.mark.parametrize(('frame', 'taken'), [(1, True), (12, False), (20, False)])
def test_px4_takes_the_local_frame_only(frame, taken):
    receiver = Px4Receiver()
    receiver.take(landing_target(frame=frame), 1.0)
    assert (receiver.target(5.9) is not None) == taken
    assert receiver.target(6.1) is None


def test_a_dock_is_where_the_defaults_of_nav2_put_it():
    # A print that looks along -x: its right is -y, its top is z.
    rotation = np.array([[0.0, 0, -1], [-1, 0, 0], [0, 1, 0]])
    pose = DockPose()
    pose.take(np.array([2.0, 1.0, 0.3]), rotation, 1.0)
    position, yaw = pose.at(1.9)
    assert position == pytest.approx((1.4, 1.0))
    assert yaw == pytest.approx(0, abs=1e-9)
    assert pose.at(2.1) is None
