# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Figures for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
import json
from pathlib import Path
from typing import Any

import numpy as np

from tools.bench.figures import Bar
from tools.bench.figures import bars
from tools.bench.figures import model_figures
from tools.bench.rounds import Measured
from tools.bench.settings import Settings
from tools.bench.subjects import LeftOut

SCHEMA_VERSION = 1
DIGITS = 3


def figures(measured: Mapping[str, Measured]) -> dict[str, float]:
    """Return all figures by name; those of the node are of the worst round of any model."""
    values = {
        f'{name}.{figure}': value
        for name, each in measured.items()
        for figure, value in model_figures(each.samples).items()
    }
    values['node.rss_mb'] = max(max(each.rss_mb) for each in measured.values())
    values['node.idle_cpu_percent'] = max(max(each.idle_cpu_percent) for each in measured.values())
    return {name: round(value, DIGITS) for name, value in values.items()}


def as_values(
    measured: Mapping[str, Measured],
    *,
    settings: Settings,
    machine: Mapping[str, Any],
    left_out: Sequence[LeftOut],
    ratios: Mapping[str, float],
) -> dict[str, Any]:
    """
    Return everything as JSON has it.

    :param ratios: figures of engines beside the loops of their vendors.
    """
    found = {**figures(measured), **{name: round(each, DIGITS) for name, each in ratios.items()}}
    return {
        'schema_version': SCHEMA_VERSION,
        'machine': dict(machine),
        'settings': asdict(settings),
        'figures': found,
        'bars': [{**asdict(bar), 'met': bar.met} for bar in bars(found)],
        'left_out': {each.name: each.reason for each in left_out},
        'models': {name: _model(each) for name, each in measured.items()},
    }


def write(values: Mapping[str, Any], path: Path) -> None:
    """Write a report in one piece, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix('.part')
    draft.write_text(json.dumps(values, indent=1) + '\n')
    draft.replace(path)


def bar_line(bar: Bar) -> str:
    """Say whether a bar is met."""
    verdict = 'met' if bar.met else 'MISSED'
    return f'{verdict:7}{bar.name} {bar.value:g}, at most {bar.limit:g}'


def _model(measured: Measured) -> dict[str, Any]:
    samples = asdict(measured.samples)
    return {
        'round_p50_ms': {
            who: [round(float(np.median(each)), DIGITS) for each in rounds]
            for who, rounds in samples.items()
        },
        'boxes': measured.boxes,
        'bare_stages_p50_ms': [
            {stage: round(value, DIGITS) for stage, value in each.items()}
            for each in measured.stages_ms
        ],
        'lost': measured.lost,
        'rss_mb': [round(value, DIGITS) for value in measured.rss_mb],
        'idle_cpu_percent': [round(value, DIGITS) for value in measured.idle_cpu_percent],
        'samples_ms': {
            who: [[round(value, DIGITS) for value in each] for each in rounds]
            for who, rounds in samples.items()
        },
    }
