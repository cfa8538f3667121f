# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The command behind ``make bench``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
import json
import math
from pathlib import Path
import sys

from tools.bench import machine
from tools.bench import report
from tools.bench.children import BenchmarkError
from tools.bench.children import Surroundings
from tools.bench.figures import bars
from tools.bench.infer_ratio import VENDOR_LOOPS
from tools.bench.rounds import Measured
from tools.bench.rounds import Measurement
from tools.bench.settings import Settings
from tools.bench.subjects import LeftOut
from tools.bench.subjects import MODELS
from tools.bench.subjects import prepare
from tools.bench.subjects import ROOT
from tools.bench.subjects import Subject

# Reports lie here, what the processes hand over in work/, what they print in logs/.
WORKSPACE = ROOT / 'build' / 'bench'
INFER_MODEL = 'yolox_nano'
# Of those settings that may not be 0.
LEAST = {'rate_hz': 0.1, 'rounds': 1, 'seconds': 0.1}


def main(arguments: Sequence[str]) -> int:
    """Return 0 when everything could be measured, whether the bars are met or not."""
    wanted = _parser().parse_args(arguments)
    settings = Settings(**{each.name: getattr(wanted, each.name) for each in fields(Settings)})
    facts = machine.facts()
    prepared = [prepare(name, WORKSPACE / 'work') for name in wanted.models]
    left_out = [each for each in prepared if isinstance(each, LeftOut)]
    for each in left_out:
        _say(f'{each.name} is left out: {each.reason}')
    subjects = [each for each in prepared if isinstance(each, Subject)]
    if not subjects:
        print('error: there is no model to measure', file=sys.stderr)
        return 1
    try:
        measured = measure(subjects, settings)
    except BenchmarkError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    ratios = _infer_ratios(subjects, wanted.engines, left_out)
    values = report.as_values(
        measured, settings=settings, machine=facts, left_out=left_out, ratios=ratios
    )
    stamp = facts['date'].replace(':', '').partition('+')[0]
    path = WORKSPACE / f'{stamp}.json'
    report.write(values, path)
    _tell(values['figures'], path)
    return 0


def measure(subjects: Sequence[Subject], settings: Settings) -> dict[str, Measured]:
    """Measure all models in turns, round by round."""
    surroundings = Surroundings(WORKSPACE / 'logs')
    measurements = {}
    for subject in subjects:
        measurements[subject.name] = Measurement(
            subject,
            settings=settings,
            surroundings=surroundings,
            workspace=WORKSPACE / 'work',
            say=_say,
        )
    for number in range(settings.rounds):
        _say(f'round {number + 1} of {settings.rounds}')
        for measurement in measurements.values():
            measurement.round()
    return {name: each.measured for name, each in measurements.items()}


def _infer_ratios(
    subjects: Sequence[Subject], engines: Sequence[str], left_out: list[LeftOut]
) -> dict[str, float]:
    """Measure our ``infer`` beside the vendor's own loop, an engine after the other."""
    folders = [subject.folder for subject in subjects if subject.name == INFER_MODEL]
    surroundings = Surroundings(WORKSPACE / 'logs')
    figures: dict[str, float] = {}
    for engine in engines if folders else ():
        _say(f'infer of {engine} beside the loop of its vendor')
        output = WORKSPACE / 'work' / f'{engine}_infer.json'
        try:
            surroundings.run(
                'tools.bench.infer_ratio',
                ['--model', folders[0], '--engine', engine, '--output', output],
            )
        except BenchmarkError as error:
            left_out.append(LeftOut(engine, str(error)))
            _say(f'{engine} is left out: {error}')
            continue
        for name, value in json.loads(output.read_text()).items():
            figures[f'{engine}.{name}'] = value
    return figures


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='make bench', description='What the node adds.')
    parser.add_argument('--models', nargs='+', choices=sorted(MODELS), default=list(MODELS))
    parser.add_argument(
        '--engines', nargs='*', choices=sorted(VENDOR_LOOPS), default=sorted(VENDOR_LOOPS)
    )
    for each in fields(Settings):
        name = each.name.replace('_', '-')
        kind = _number(type(each.default), least=LEAST.get(each.name, 0))
        parser.add_argument(f'--{name}', type=kind, default=each.default, metavar='NUMBER')
    return parser


def _number(kind: type, *, least: float) -> Callable[[str], float]:
    """Return what reads a number of an option."""
    words = 'whole number' if kind is int else 'number'

    def read(text: str) -> float:
        with suppress(ValueError):
            value: float = kind(text)
            if least <= value < math.inf:
                return value
        raise argparse.ArgumentTypeError(f'got {text!r}, expected a {words} from {least:g}')

    return read


def _tell(figures: Mapping[str, float], path: Path) -> None:
    print()
    for bar in bars(figures):
        print(report.bar_line(bar))
    print(f'\nwritten to {path.relative_to(ROOT)}\n')
    for name, value in figures.items():
        print(f'{name}: {value}')


def _say(sentence: str) -> None:
    print(sentence, flush=True)
