# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Define the scenarios that measure the promises of the latency contract."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
import json
from pathlib import Path
import subprocess
import sys
from typing import Any
from typing import NamedTuple

from edge_perception.simulation.playback import FIXED_RATES_HZ
from edge_perception.simulation.playback import performance
from edge_perception.simulation.playback import PREFIX
from edge_perception.simulation.playback import Shown
from edge_perception.tooling.benchmark.synthetic_network import CLASSES
from tools.benchmark import figures
from tools.benchmark.bare_loop import run_bare
from tools.benchmark.bare_loop import typical_ms
from tools.benchmark.figures import Figures
from tools.benchmark.harness import Harness
from tools.benchmark.harness import ImageStream
from tools.benchmark.harness import Observed
from tools.benchmark.harness import OtherWork
from tools.benchmark.report import say
from tools.benchmark.rounds import measure_round
from tools.benchmark.rounds import samples_of
from tools.benchmark.subjects import BenchmarkError
from tools.benchmark.subjects import ENGINE
from tools.benchmark.subjects import sized_subject
from tools.benchmark.subjects import Subject
from tools.benchmark.subjects import THREADS

FORMATS = {
    'vga_raw': ('640x480',),
    'vga_compressed': ('640x480', '--compressed'),
    '1080p_raw': ('1920x1080',),
    '1080p_compressed': ('1920x1080', '--compressed'),
}
# Bare loop, node and echo take turns so often, and cameras so fast.
ROUNDS = 3
TURN_S = 0.05


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long scenarios are played, in seconds."""

    seconds: float = 30.0
    soak_s: float = 600.0
    probe_s: float = 4.0
    hog_s: float = 5.0


class Outcome(NamedTuple):
    """What a scenario has shown; details are for the report, as the metrics of ros2_benchmark."""

    figures: Figures
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    What is played.

    :param says: in a sentence.
    :param engine_hz: what the engine can do.
    :param play: measures it with a network of that size.
    """

    says: str
    engine_hz: float
    streams: tuple[ImageStream, ...]
    play: Callable[[Scenario, Harness, Subject, Lengths], Outcome]

    def measure(self, harness: Harness, lengths: Lengths, models: Path) -> Outcome:
        """
        Measure it.

        :param models: folder for the models.
        :raises BenchmarkError: a process failed.
        """
        say(f'sizing a network to {self.engine_hz:g} Hz')
        folder = models / f'load_{self.engine_hz:g}'
        subject = sized_subject(folder, rate_hz=self.engine_hz, measure_ms=typical_ms)
        return self.play(self, harness, subject, lengths)

    def outcome(self, observed: Observed, more: Figures) -> Outcome:
        """Return the figures of every stream, and more."""
        found: Figures = {}
        for each in self.streams:
            prefix = f'{each.name}.' if len(self.streams) > 1 else ''
            own = figures.stream_figures(each, observed.shown[each.name])
            own |= figures.report_figures(observed.reports[each.name])
            found |= {f'{prefix}{name}': value for name, value in own.items()}
        details = {name: performance(each) for name, each in observed.shown.items()}
        return Outcome(found | more, details)


def overload(this: Scenario, harness: Harness, subject: Subject, lengths: Lengths) -> Outcome:
    bare_hz = _bare_hz(subject)
    observed = harness.run(subject, this.streams, seconds=lengths.seconds)
    rate_hz = figures.rate_hz(_only(observed))
    ratio = rate_hz / bare_hz
    return this.outcome(
        observed, {'bare_hz': bare_hz, 'rate_hz': rate_hz, 'throughput_ratio': ratio}
    )


def four_cameras(this: Scenario, harness: Harness, subject: Subject, lengths: Lengths) -> Outcome:
    service_ms = 1000 / _bare_hz(subject)
    observed = harness.run(subject, this.streams, seconds=lengths.seconds)
    more: Figures = {'service_ms': service_ms}
    for each in this.streams:
        shown = observed.shown[each.name]
        more[f'{each.name}.rate_hz'] = figures.rate_hz(shown)
        more[f'{each.name}.longest_gap_ms'] = figures.longest_gap_ms(shown)
        bound = figures.gap_bound_ms(each, len(this.streams), service_ms)
        more[f'{each.name}.gap_bound_ms'] = bound
    return this.outcome(observed, more)


def cpu_hog(this: Scenario, harness: Harness, subject: Subject, lengths: Lengths) -> Outcome:
    third = lengths.seconds / 3
    work = OtherWork(processes=2, at_s=third, for_s=lengths.hog_s)
    seconds = 2 * third + work.for_s
    observed = harness.run(subject, this.streams, seconds=seconds, work=work)
    from_s = observed.begun_ns / 1e9 + work.at_s
    recovery_s = figures.recovery_s(
        _only(observed), work_from_s=from_s, work_until_s=from_s + work.for_s
    )
    return this.outcome(observed, {'recovery_s': recovery_s})


def answers(this: Scenario, harness: Harness, subject: Subject, lengths: Lengths) -> Outcome:
    questions = max(3, int(lengths.seconds / 2))
    seconds = lengths.seconds + 5
    observed = harness.run(subject, this.streams, seconds=seconds, questions=questions)
    worst = {f'{kind}_max_ms': max(each) for kind, each in observed.answers_ms.items()}
    return this.outcome(observed, worst)


def soak(this: Scenario, harness: Harness, subject: Subject, lengths: Lengths) -> Outcome:
    observed = harness.run(subject, this.streams, seconds=lengths.soak_s)
    return this.outcome(observed, figures.drift_figures(this.streams[0], observed))


def overhead(this: Scenario, harness: Harness, subject: Subject, lengths: Lengths) -> Outcome:
    rounds = []
    seconds = lengths.seconds / ROUNDS
    for number in range(ROUNDS):
        say(f'overhead: round {number + 1} of {ROUNDS}')
        rounds.append(
            measure_round(harness, subject, this.streams, seconds=seconds, answer_size=CLASSES)
        )
    late = sum(
        figures.stream_figures(each, seen.shown[each.name])['over_budget']
        for played in rounds
        for seen in (played.node, played.echo)
        for each in this.streams
    )
    found = figures.overhead_figures(samples_of(rounds))
    names = ('bare_p50_ms', 'node_p50_ms', 'echo_p50_ms', 'overhead_over_echo_ms')
    return Outcome({'over_budget': late, **{name: found[name] for name in names}}, {})


def throughput(this: Scenario, harness: Harness, subject: Subject, lengths: Lengths) -> Outcome:
    """Measure peak and fixed rates with ``edge-perception bench --node``."""
    found: Figures = {}
    details: dict[str, Any] = {}
    rates = ','.join(f'{rate:g}' for rate in FIXED_RATES_HZ)
    command = [
        *(sys.executable, '-m', 'edge_perception.cli.main', 'bench', str(subject.folder)),
        *('--node', '--engine', ENGINE, '-o', f'threads={THREADS}', '--rates', rates, '--json'),
        *('--seconds', str(lengths.probe_s)),
    ]
    for name, size in FORMATS.items():
        say(f'throughput: {name}')
        done = subprocess.run([*command, '--size', *size], stdout=subprocess.PIPE, text=True)
        if not done.stdout:
            raise BenchmarkError(f'edge-perception bench ended with status {done.returncode}')
        shown = json.loads(done.stdout)
        found |= {f'{name}.{key}': shown[key] for key in ('over_budget', 'peak_hz')}
        details[name] = shown['runs']['peak']
        for rate in FIXED_RATES_HZ:
            details[name][f'{rate}fps'] = metrics = shown['runs'][f'{rate:g}fps']
            mean = metrics.get(f'{PREFIX}MEAN_LATENCY', float('nan'))
            found[f'{name}.{rate:g}hz_mean_latency_ms'] = mean
    return Outcome(found, details)


def _bare_hz(subject: Subject) -> float:
    samples_ms = run_bare(subject).samples_ms
    return 1000 * len(samples_ms) / sum(samples_ms)


def _only(observed: Observed) -> list[Shown]:
    (shown,) = observed.shown.values()
    return shown


FAST = (ImageStream('only', rate_hz=30, budget_ms=300),)
SLOW = (ImageStream('only', rate_hz=15, budget_ms=100),)
BUDGETS_MS = {'a': 50, 'b': 100, 'c': 200, 'd': 400}
FOUR = tuple(ImageStream(name, 15, budget) for name, budget in BUDGETS_MS.items())
IN_TURN = tuple(
    ImageStream(name, 1 / (4 * TURN_S), budget_ms=500, phase_s=number * TURN_S)
    for number, name in enumerate(BUDGETS_MS)
)
SCENARIOS = {
    play.__name__: Scenario(says, engine_hz, streams, play)
    for play, engine_hz, streams, says in (
        (overload, 8, FAST, 'A camera with 30 Hz on an engine that can do 8, budget 300 ms.'),
        (four_cameras, 40, FOUR, 'Four cameras with 15 Hz and four budgets, engine of 40 Hz.'),
        (cpu_hog, 40, SLOW, 'Other work on both cores for a while in the middle.'),
        (answers, 8, FAST, 'Transitions, parameters and services while the engine is saturated.'),
        (overhead, 80, IN_TURN, 'What the node adds over the echo, four cameras in turn.'),
        (throughput, 60, (), 'The peak rate and fixed rates, as ros2_benchmark measures them.'),
        (soak, 60, FAST, 'A camera with 30 Hz for a long time: memory and age.'),
    )
}
