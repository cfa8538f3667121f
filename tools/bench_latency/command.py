# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The command behind ``make bench-latency``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import fields
import json
import math
from pathlib import Path
import sys
from typing import Any

from tools.bench import machine
from tools.bench.children import BenchmarkError
from tools.bench.subjects import ROOT
from tools.bench_latency.scenarios import Lengths
from tools.bench_latency.scenarios import Outcome
from tools.bench_latency.scenarios import SCENARIOS
from tools.bench_latency.scenarios import Scenarios
from tools.bench_latency.stage import Stage

SCHEMA_VERSION = 1
DIGITS = 3
WORKSPACE = ROOT / 'build' / 'bench_latency'


def main(arguments: Sequence[str]) -> int:
    """Return 1 when something could not be measured, or a result was over its budget."""
    wanted = _parser().parse_args(arguments)
    lengths = Lengths(**{each.name: getattr(wanted, each.name) for each in fields(Lengths)})
    facts = machine.facts()
    scenarios = Scenarios(
        Stage(WORKSPACE), lengths=lengths, workspace=WORKSPACE / 'models', say=_say
    )
    outcomes: dict[str, Outcome] = {}
    for name in wanted.scenarios:
        _say(f'{name}: {SCENARIOS[name].__doc__}')
        try:
            outcomes[name] = SCENARIOS[name](scenarios)
        except (BenchmarkError, ModuleNotFoundError) as error:
            print(f'error: {name}: {error}', file=sys.stderr)
            return 1
    path = _write(outcomes, lengths, facts)
    print(f'\nwritten to {path.relative_to(ROOT)}\n')
    found = all_figures(outcomes)
    for name, value in found.items():
        print(f'{name}: {value:g}')
    return 1 if late(found) else 0


def all_figures(outcomes: Mapping[str, Outcome]) -> dict[str, float]:
    """Return the figures of all scenarios by their full names."""
    return {
        f'{scenario}.{name}': round(value, DIGITS)
        for scenario, outcome in outcomes.items()
        for name, value in outcome.figures.items()
    }


def late(found: Mapping[str, float]) -> float:
    """Return how many results were published over their budget."""
    return sum(value for name, value in found.items() if name.endswith('over_budget'))


def _write(outcomes: Mapping[str, Outcome], lengths: Lengths, facts: dict[str, Any]) -> Path:
    stamp = facts['date'].replace(':', '').partition('+')[0]
    path = WORKSPACE / f'{stamp}.json'
    values = {
        'schema_version': SCHEMA_VERSION,
        'metadata': facts,
        'lengths': asdict(lengths),
        'figures': {
            name: value if math.isfinite(value) else None
            for name, value in all_figures(outcomes).items()
        },
        'scenarios': {name: outcome.details for name, outcome in outcomes.items()},
    }
    draft = path.with_suffix('.part')
    draft.write_text(json.dumps(values, indent=1) + '\n')
    draft.replace(path)
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='make bench-latency', description='The latency contract, measured.'
    )
    parser.add_argument('--scenarios', nargs='+', choices=list(SCENARIOS), default=list(SCENARIOS))
    for each in fields(Lengths):
        name = each.name.replace('_', '-')
        parser.add_argument(f'--{name}', type=float, default=each.default, metavar='SECONDS')
    return parser


def _say(sentence: str) -> None:
    print(sentence, flush=True)
