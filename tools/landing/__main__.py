# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Land and dock many times, simulated: ``make test-landing``, ``python -m tools.landing``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import os
from pathlib import Path
import time

import numpy as np

from tools.benchmark.report import benchmark_facts
from tools.landing import landing_report
from tools.landing.trials import AUTOPILOTS
from tools.landing.trials import run

_ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Fly, drive, and write the report.

    :return: exit status: 1 when something is not as it has to be.
    """
    parser = argparse.ArgumentParser(prog='python -m tools.landing', description=__doc__)
    parser.add_argument('--runs', type=int, default=100, help='landings with each autopilot')
    parser.add_argument('--dockings', type=int, default=20, help='approaches to a dock')
    parser.add_argument('--approaches', type=int, default=2000, help='for the covariances')
    parser.add_argument('--processes', type=int, default=os.cpu_count())
    parser.add_argument(
        '--write', action='store_true', help='into docs/, else into build/landing/'
    )
    given = parser.parse_args(arguments)
    begun = time.monotonic()
    trials = run(
        runs=given.runs,
        dockings=given.dockings,
        count=given.approaches,
        processes=given.processes,
    )
    minutes = (time.monotonic() - begun) / 60
    facts = benchmark_facts()
    machine = f' on {facts["date"][:10]}, {given.processes} processes, {minutes:.1f} minutes'
    folder = _ROOT / ('docs' if given.write else 'build/landing')
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'landing_report.md'
    path.write_text(landing_report.markdown(trials, machine), encoding='utf-8')
    if trials.landings:
        landing_report.plot(trials, folder / landing_report.PLOT)
    for autopilot in AUTOPILOTS:
        near = trials.landed(autopilot)
        print(f'{autopilot}: {sum(near)} of {len(near)} landed within 10 cm')
    for name in ('stage_ms', 'bridge_ms') if trials.landings else ():
        times = np.concatenate([getattr(each, name) for each in trials.landings])
        print(f'{name}: {np.median(times):.3f} CPU time (median of {len(times)})')
    print(f'written to {path.relative_to(_ROOT)}')
    for sentence in (failures := trials.failures()):
        print(f'not as it has to be: {sentence}')
    return 1 if failures else 0


if __name__ == '__main__':
    raise SystemExit(main())
