# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from edge_perception.simulation.playback import find_peak
from edge_perception.simulation.playback import performance
from edge_perception.simulation.playback import PREFIX
from edge_perception.simulation.playback import Shown
from edge_perception.simulation.playback import sustained

MS = 1_000_000


def shown(*pairs: tuple[int, int | None]) -> list[Shown]:
    """Return images by when they were sent and answered, milliseconds."""
    return [
        Shown(stamp, sent * MS, None if answered is None else answered * MS)
        for stamp, (sent, answered) in enumerate(pairs)
    ]


def test_metrics_have_the_names_and_the_meaning_of_ros2_benchmark():
    found = performance(shown((0, 10), (100, 130), (200, None), (300, 312)))
    assert {name.removeprefix(PREFIX): value for name, value in found.items()} == {
        'NUM_FRAMES_SENT': 4,
        'NUM_MISSED_FRAMES': 1,
        # All frames over the time between the first and the last, as ros2_benchmark counts.
        'MEAN_PLAYBACK_FRAME_RATE': pytest.approx(4 / 0.3),
        'MEAN_FRAME_RATE': pytest.approx(3 / 0.302),
        'RECEIVED_DURATION': 302,
        'FIRST_SENT_RECEIVED_LATENCY': 10,
        'LAST_SENT_RECEIVED_LATENCY': 12,
        'FIRST_INPUT_LATENCY': 10,
        'LAST_INPUT_LATENCY': 12,
        'MAX_LATENCY': 30,
        'MIN_LATENCY': 10,
        'MEAN_LATENCY': pytest.approx(52 / 3),
        'MAX_JITTER': 62,
        'MIN_JITTER': 62,
        'MEAN_JITTER': 62,
        'STD_DEV_JITTER': 0,
    }


def test_without_answers_there_is_nothing_to_say_of_them():
    found = performance(shown((0, None), (100, None)))
    assert set(found) == {
        f'{PREFIX}{name}'
        for name in ('NUM_FRAMES_SENT', 'NUM_MISSED_FRAMES', 'MEAN_PLAYBACK_FRAME_RATE')
    }


@pytest.mark.parametrize(('missed', 'kept_up'), [(0, True), (4, True), (5, False), (100, False)])
def test_a_rate_is_sustained_when_less_than_five_percent_are_missed(missed, kept_up):
    run = shown(*[(n, None if n < missed else n + 1) for n in range(100)])
    assert sustained(run) == kept_up


@pytest.mark.parametrize('limit', [7.0, 42.0, 119.0])
def test_the_peak_is_found_to_a_step(limit):
    rates = []

    def probe(rate: float) -> list[Shown]:
        rates.append(rate)
        return shown((0, 1 if rate <= limit else None))

    peak = find_peak(probe, low_hz=5, high_hz=120, step_hz=1)
    assert limit - 1 <= peak <= limit
    assert len(rates) < 12


def test_a_peak_outside_of_the_range_is_its_end():
    always, never = shown((0, 1)), shown((0, None))
    assert find_peak(lambda rate: always, low_hz=5, high_hz=120, step_hz=1) == 120
    assert find_peak(lambda rate: never, low_hz=5, high_hz=120, step_hz=1) == 0
