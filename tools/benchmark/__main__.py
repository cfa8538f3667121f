# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Run the benchmarks of ``make bench`` and ``make bench-latency``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import fields
import json
import math
from pathlib import Path
import sys
from typing import Any

from tools.benchmark import stations
from tools.benchmark.figures import Figures
from tools.benchmark.figures import limits
from tools.benchmark.figures import rounded
from tools.benchmark.folded_loops import ENGINES as FOLDING_ENGINES
from tools.benchmark.harness import Harness
from tools.benchmark.harness import ImageStream
from tools.benchmark.report import benchmark_facts
from tools.benchmark.report import say
from tools.benchmark.report import write_report
from tools.benchmark.rounds import measure_round
from tools.benchmark.rounds import model_report
from tools.benchmark.rounds import require_answers
from tools.benchmark.rounds import Round
from tools.benchmark.rounds import round_figures
from tools.benchmark.scenarios import Lengths
from tools.benchmark.scenarios import Outcome
from tools.benchmark.scenarios import SCENARIOS
from tools.benchmark.subjects import BenchmarkError
from tools.benchmark.subjects import MODELS
from tools.benchmark.subjects import prepare
from tools.benchmark.subjects import ROOT
from tools.benchmark.subjects import Subject
from tools.benchmark.turns import compare
from tools.benchmark.turns import COMPARISONS
from tools.benchmark.turns import table_rows
from tools.benchmark.vendor_loops import VENDOR_LOOPS

SCHEMA_VERSION = 1
# Holds a folder for each benchmark: reports, what the processes hand over in its work/, and what
# they print in its logs/.
BUILD = ROOT / 'build'
INFER_MODEL = 'yolox_nano'
# Of each turn; there are ten for each way to serve more frames.
GAIN_S = 5.0
# The way that needs a build: preprocessing inside of the artifact.
FOLDED = 'folded'


@dataclass(frozen=True, slots=True)
class Settings:
    """
    How much ``make bench`` measures.

    :param rounds: how often bare loop, node and echo take turns.
    :param seconds: how long each of them is measured in a round.
    :param warm_up_s: how long each of them runs before it is measured.
    :param idle_s: how long an active node without images is watched in a round.
    """

    rate_hz: float = 15.0
    rounds: int = 3
    seconds: float = 20.0
    warm_up_s: float = 2.0
    idle_s: float = 10.0


class LeftOut(dict[str, str]):
    """Why models and engines could not be measured, by name."""

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """Go on where the block cannot measure it."""
        try:
            yield
        except BenchmarkError as error:
            self[name] = str(error)
            say(f'{name} is left out: {error}')


# Of those numbers that may not be 0.
LEAST = {'rate_hz': 0.1, 'rounds': 1, 'seconds': 0.1, 'soak_s': 0.1, 'probe_s': 1}


def main(arguments: Sequence[str]) -> int:
    """Return 1 when something could not be measured, or a promise of latency was broken."""
    wanted = _parser().parse_args(arguments)
    try:
        status: int = wanted.run(wanted)
    except (BenchmarkError, ModuleNotFoundError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return status


def bench_node(wanted: argparse.Namespace) -> int:
    """Measure what the node adds to the network; 0 whether the limits are met or not."""
    settings, facts = _given(Settings, wanted), benchmark_facts()
    folder = BUILD / 'bench'
    subjects, left_out = [], LeftOut()
    for name in wanted.models:
        with left_out.without(name):
            subjects.append(prepare(name, folder / 'work'))
    if not subjects:
        raise BenchmarkError('there is no model to measure')
    harness = Harness(folder)
    models = measure_models(harness, subjects, settings)
    infer = infer_figures(harness, subjects, wanted.engines, left_out)
    gains = gain_figures([n for n in wanted.gains if n != FOLDED], folder, GAIN_S, left_out)
    if FOLDED in wanted.gains:
        gains |= folding_figures(harness, subjects, wanted.engines, left_out)
    figures = round_figures(models) | infer | gains
    print('', *limits(figures), sep='\n')
    values = {
        'schema_version': SCHEMA_VERSION,
        'machine': facts,
        'settings': asdict(settings),
        'figures': figures,
        'bars': [{**asdict(limit), 'met': limit.met} for limit in limits(figures)],
        'left_out': left_out,
        'models': {name: model_report(rounds) for name, rounds in models.items()},
    }
    write_report(folder, facts['date'], values)
    return 0


def measure_models(
    harness: Harness, subjects: Sequence[Subject], settings: Settings
) -> dict[str, list[Round]]:
    """
    Measure all models in turns, round by round.

    :raises BenchmarkError: a process failed, or left too many images unanswered.
    """
    streams = [ImageStream('', rate_hz=settings.rate_hz)]
    models: dict[str, list[Round]] = {subject.name: [] for subject in subjects}
    for number in range(settings.rounds):
        say(f'round {number + 1} of {settings.rounds}')
        for subject in subjects:
            measured = measure_round(
                harness,
                subject,
                streams,
                seconds=settings.seconds,
                warm_up_s=settings.warm_up_s,
                idle_s=settings.idle_s,
            )
            require_answers(subject, measured)
            models[subject.name].append(measured)
    return models


def infer_figures(
    harness: Harness, subjects: Sequence[Subject], engines: Sequence[str], left_out: LeftOut
) -> Figures:
    """Compare our ``infer`` with the vendor's own loop, one engine after the other."""
    folders = [subject.folder for subject in subjects if subject.name == INFER_MODEL]
    found: Figures = {}
    for engine in engines if folders else ():
        say(f'infer of {engine} beside the loop of its vendor')
        with left_out.without(engine):
            words = harness.finished('tools.benchmark.vendor_loops', folders[0], engine)
            found |= {f'{engine}.{name}': value for name, value in json.loads(words).items()}
    return rounded(found)


def folding_figures(
    harness: Harness, subjects: Sequence[Subject], engines: Sequence[str], left_out: LeftOut
) -> Figures:
    """Compare preprocessing inside of the artifact with that before it."""
    found: Figures = {}
    for engine in (each for each in engines if each in FOLDING_ENGINES):
        for subject in subjects:
            name = f'{subject.name}.{engine}'
            say(f'preprocessing of {subject.name} folded for {engine}')
            with left_out.without(f'{name} folded'):
                order = (str(subject.folder), engine, str(subject.images))
                words = harness.finished('tools.benchmark.folded_loops', *order)
                found |= {f'{name}.{key}': value for key, value in json.loads(words).items()}
    return rounded(found)


def gain_figures(names: Sequence[str], folder: Path, seconds: float, left_out: LeftOut) -> Figures:
    """Compare ways to serve more frames with the plain way, in turns."""
    found: Figures = {}
    for name in names:
        with left_out.without(name):
            found |= compare(name, folder / 'work', seconds=seconds)
    return rounded(found)


def bench_gains(wanted: argparse.Namespace) -> int:
    """Measure how many more frames overlapping and batches give."""
    if wanted.table:
        for row in table_rows(BUILD / 'bench' / 'work', seconds=wanted.seconds):
            say(row)
        return 0
    left_out = LeftOut()
    figures = gain_figures(wanted.names, BUILD / 'bench', wanted.seconds, left_out)
    print('', *(f'{name}: {value:g}' for name, value in figures.items()), '', sep='\n')
    print(*limits(figures), sep='\n')
    return 1 if left_out else 0


def bench_contract(wanted: argparse.Namespace) -> int:
    """Measure the latency contract; 1 when a result was over its budget."""
    lengths, facts = _given(Lengths, wanted), benchmark_facts()
    folder = BUILD / 'bench_latency'
    harness, outcomes = Harness(folder), {}
    for name in wanted.scenarios:
        say(f'{name}: {SCENARIOS[name].says}')
        try:
            outcomes[name] = SCENARIOS[name].measure(harness, lengths, folder / 'models')
        except BenchmarkError as error:
            raise BenchmarkError(f'{name}: {error}') from error
    figures = outcome_figures(outcomes)
    values = {
        'schema_version': SCHEMA_VERSION,
        'metadata': facts,
        'lengths': asdict(lengths),
        'figures': figures,
        'scenarios': {name: outcome.details for name, outcome in outcomes.items()},
    }
    write_report(folder, facts['date'], values)
    return 1 if late(figures) else 0


def outcome_figures(outcomes: Mapping[str, Outcome]) -> Figures:
    """Return the figures of all scenarios by their full names."""
    return rounded(
        {
            f'{scenario}.{name}': value
            for scenario, outcome in outcomes.items()
            for name, value in outcome.figures.items()
        }
    )


def late(figures: Mapping[str, float]) -> float:
    """Return how many results were published over their budget."""
    return sum(value for name, value in figures.items() if name.endswith('over_budget'))


def bench_stages(wanted: argparse.Namespace) -> int:
    """Measure where the time of a frame goes."""
    folder = BUILD / 'bench'
    subject = prepare(wanted.model, folder / 'work')
    frames = stations.trace(
        Harness(folder), subject, seconds=wanted.seconds, output=folder / 'work' / 'stations.json'
    )
    print(*stations.table(frames), sep='\n')
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='tools.benchmark', description='What the node adds.')
    commands = parser.add_subparsers(required=True, metavar='node | contract | stages | gains')
    node = commands.add_parser('node', description=bench_node.__doc__)
    node.set_defaults(run=bench_node)
    node.add_argument('--models', nargs='+', choices=sorted(MODELS), default=list(MODELS))
    engines = sorted(VENDOR_LOOPS)
    node.add_argument('--engines', nargs='*', choices=engines, default=engines)
    ways = list(COMPARISONS)
    every = [*ways, FOLDED]
    node.add_argument('--gains', nargs='*', choices=every, default=every)
    _add_numbers(node, Settings)
    contract = commands.add_parser('contract', description=bench_contract.__doc__)
    contract.set_defaults(run=bench_contract)
    names = list(SCENARIOS)
    contract.add_argument('--scenarios', nargs='+', choices=names, default=names)
    _add_numbers(contract, Lengths)
    stages = commands.add_parser('stages', description=bench_stages.__doc__)
    stages.set_defaults(run=bench_stages)
    stages.add_argument('--model', choices=sorted(MODELS), default=INFER_MODEL)
    stages.add_argument('--seconds', type=float, default=20.0)
    gains = commands.add_parser('gains', description=bench_gains.__doc__)
    gains.set_defaults(run=bench_gains)
    gains.add_argument('--names', nargs='+', choices=ways, default=ways)
    gains.add_argument('--table', action='store_true', help='by threads, size and format')
    gains.add_argument('--seconds', type=float, default=GAIN_S)
    return parser


def _add_numbers(parser: argparse.ArgumentParser, kind: type[Any]) -> None:
    """Add an option for each field of a dataclass of numbers."""
    for each in fields(kind):
        name = each.name.replace('_', '-')
        read = _number(type(each.default), least=LEAST.get(each.name, 0))
        parser.add_argument(f'--{name}', type=read, default=each.default, metavar='NUMBER')


def _number(kind: type, *, least: float) -> Callable[[str], float]:
    """Return what reads a number of an option."""
    words = 'an integer' if kind is int else 'a float'

    def read(text: str) -> float:
        with suppress(ValueError):
            value: float = kind(text)
            if least <= value < math.inf:
                return value
        raise argparse.ArgumentTypeError(f'got {text!r}, expected {words} from {least:g}')

    return read


def _given(kind: type[Any], wanted: argparse.Namespace) -> Any:
    return kind(**{each.name: getattr(wanted, each.name) for each in fields(kind)})


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
