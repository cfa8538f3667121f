# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the latency contract promises, each promise as a scenario with figures."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.simulation.playback import find_peak
from edge_perception.simulation.playback import FIXED_RATES_HZ
from edge_perception.simulation.playback import performance
from edge_perception.simulation.playback import Shown
from tools.bench_latency import figures
from tools.bench_latency.engine import bare_hz
from tools.bench_latency.engine import bare_ms
from tools.bench_latency.engine import make_engine
from tools.bench_latency.figures import Figures
from tools.bench_latency.stage import Eye
from tools.bench_latency.stage import Hog
from tools.bench_latency.stage import Played
from tools.bench_latency.stage import Stage

FORMATS = {
    'vga_raw': (640, 480, False),
    'vga_compressed': (640, 480, True),
    '1080p_raw': (1920, 1080, False),
    '1080p_compressed': (1920, 1080, True),
}
PEAK_RANGE_HZ = (5.0, 120.0)
PEAK_STEP_HZ = 5.0
# Bare loop, node and echo take turns so often.
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long scenarios are played, in seconds."""

    seconds: float = 30.0
    soak_s: float = 600.0
    probe_s: float = 4.0
    hog_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What a scenario has shown.

    :param details: for the report, e.g. the metrics of ros2_benchmark.
    """

    figures: Figures
    details: Mapping[str, Any]


class Scenarios:
    """
    Plays the scenarios by name.

    :param workspace: folder for the models.
    :param say: told what is going on.
    """

    def __init__(
        self, stage: Stage, *, lengths: Lengths, workspace: Path, say: Callable[[str], None]
    ) -> None:
        self._stage = stage
        self._lengths = lengths
        self._workspace = workspace
        self._say = say

    def overload(self) -> Outcome:
        """A camera with 30 Hz on an engine that can do 8, budget 300 ms."""
        model = self._engine(8)
        eye = Eye('only', rate_hz=30, budget_ms=300)
        bare = bare_hz(model)
        played = self._stage.play(model, [eye], seconds=self._lengths.seconds)
        outcome = _outcome([eye], played)
        rate = figures.rate_hz(played.shown['only'])
        return _with(outcome, bare_hz=bare, rate_hz=rate, throughput_ratio=rate / bare)

    def four_cameras(self) -> Outcome:
        """Four cameras with 15 Hz and four budgets on an engine that can do 40."""
        model = self._engine(40)
        eyes = [
            Eye(name, rate_hz=15, budget_ms=budget)
            for name, budget in (('a', 50), ('b', 100), ('c', 200), ('d', 400))
        ]
        service_ms = 1000 / bare_hz(model)
        played = self._stage.play(model, eyes, seconds=self._lengths.seconds)
        outcome = _outcome(eyes, played)
        extra: Figures = {'service_ms': service_ms}
        for eye in eyes:
            shown = played.shown[eye.name]
            extra[f'{eye.name}.rate_hz'] = figures.rate_hz(shown)
            extra[f'{eye.name}.longest_gap_ms'] = figures.longest_gap_ms(shown)
            extra[f'{eye.name}.gap_bound_ms'] = figures.gap_bound_ms(eye, len(eyes), service_ms)
        return _with(outcome, **extra)

    def cpu_hog(self) -> Outcome:
        """Other work on both cores for a while in the middle."""
        model = self._engine(40)
        eye = Eye('only', rate_hz=15, budget_ms=100)
        third = self._lengths.seconds / 3
        hog = Hog(processes=2, at_s=third, for_s=self._lengths.hog_s)
        seconds = 2 * third + hog.for_s
        played = self._stage.play(model, [eye], seconds=seconds, hog=hog)
        begun_s = played.begun_ns / 1e9
        # The processes need a moment to start.
        recovery = figures.recovery_s(
            played.shown['only'],
            hog_from_s=begun_s + hog.at_s,
            hog_until_s=begun_s + hog.at_s + hog.for_s,
        )
        return _with(_outcome([eye], played), recovery_s=recovery)

    def answers(self) -> Outcome:
        """Transitions, parameters and services while the engine is saturated."""
        model = self._engine(8)
        eye = Eye('only', rate_hz=30, budget_ms=300)
        times = max(3, int(self._lengths.seconds / 2))
        played = self._stage.play(model, [eye], seconds=self._lengths.seconds + 5, questions=times)
        worst = {f'{kind}_max_ms': max(taken) for kind, taken in played.answers_ms.items()}
        return _with(_outcome([eye], played), **worst)

    def soak(self) -> Outcome:
        """A camera with 30 Hz for a long time: memory and age."""
        model = self._engine(60)
        eye = Eye('only', rate_hz=30, budget_ms=300)
        played = self._stage.play(model, [eye], seconds=self._lengths.soak_s)
        return _with(_outcome([eye], played), **figures.drift_figures(eye, played))

    def overhead(self) -> Outcome:
        """What the node adds over the echo floor, with four cameras that take turns."""
        model = self._engine(80)
        turn_s = 0.05
        eyes = [
            Eye(name, rate_hz=1 / (4 * turn_s), budget_ms=500, phase_s=number * turn_s)
            for number, name in enumerate('abcd')
        ]
        medians: dict[str, list[float]] = {'bare': [], 'node': [], 'echo': []}
        found: Figures = {'over_budget': 0}
        seconds = self._lengths.seconds / ROUNDS
        for number in range(ROUNDS):
            self._say(f'overhead: round {number + 1} of {ROUNDS}')
            medians['bare'] += bare_ms(model, seconds=seconds, rate_hz=1 / turn_s)
            for who in ('node', 'echo'):
                played = self._stage.play(model, eyes, seconds=seconds, echo=who == 'echo')
                for eye in eyes:
                    shown = played.shown[eye.name]
                    medians[who] += figures.latencies_ms(shown)
                    found['over_budget'] += figures.camera_figures(eye, shown)['over_budget']
        bare, node, echo = (float(np.median(values)) for values in medians.values())
        found |= {'bare_p50_ms': bare, 'node_p50_ms': node, 'echo_p50_ms': echo}
        return Outcome({**found, 'overhead_over_echo_ms': node - bare - echo}, {})

    def throughput(self) -> Outcome:
        """The peak rate and fixed rates, as ros2_benchmark measures them."""
        model = self._engine(60)
        found: Figures = {}
        details: dict[str, Any] = {}
        for name, (width, height, compressed) in FORMATS.items():

            def show(
                rate: float, name: str = name, shape: Any = (width, height, compressed)
            ) -> Any:
                eye = Eye('only', rate, 500.0, *shape)
                self._say(f'throughput: {name} at {rate:g} Hz')
                played = self._stage.play(model, [eye], seconds=self._lengths.probe_s)
                over = figures.camera_figures(eye, played.shown['only'])['over_budget']
                found[f'{name}.over_budget'] = found.get(f'{name}.over_budget', 0) + over
                return played.shown['only']

            low, high = PEAK_RANGE_HZ
            peak = find_peak(show, low_hz=low, high_hz=high, step_hz=PEAK_STEP_HZ)
            found[f'{name}.peak_hz'] = peak
            details[name] = performance(show(peak)) if peak else {}
            for rate in FIXED_RATES_HZ:
                shown: list[Shown] = show(rate)
                details[name][f'{rate}fps'] = performance(shown)
                latencies = details[name][f'{rate}fps']
                found[f'{name}.{rate:g}hz_mean_latency_ms'] = latencies.get(
                    'BasicPerformanceMetrics.MEAN_LATENCY', float('nan')
                )
        return Outcome(found, details)

    def _engine(self, rate_hz: float) -> Path:
        self._say(f'sizing a network to {rate_hz:g} Hz')
        return make_engine(self._workspace / f'load_{rate_hz:g}', rate_hz=rate_hz)


SCENARIOS: Mapping[str, Callable[[Scenarios], Outcome]] = {
    each.__name__: each
    for each in (
        Scenarios.overload,
        Scenarios.four_cameras,
        Scenarios.cpu_hog,
        Scenarios.answers,
        Scenarios.overhead,
        Scenarios.throughput,
        Scenarios.soak,
    )
}


def _outcome(eyes: list[Eye], played: Played) -> Outcome:
    found: Figures = {}
    details: dict[str, Any] = {}
    for eye in eyes:
        shown = played.shown[eye.name]
        own = figures.camera_figures(eye, shown) | figures.report_figures(played.reports[eye.name])
        prefix = f'{eye.name}.' if len(eyes) > 1 else ''
        found |= {f'{prefix}{name}': value for name, value in own.items()}
        details[eye.name] = performance(shown)
    return Outcome(found, details)


def _with(outcome: Outcome, **more: float) -> Outcome:
    return Outcome({**outcome.figures, **more}, outcome.details)
