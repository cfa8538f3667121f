# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The limits of the gate: those of ``thresholds.yaml``, unless the manifest has its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from edge_perception.contract import ManifestError
from edge_perception.contract import ModelManifest
from edge_perception.contract.fields import did_you_mean
from edge_perception.contract.fields import shown

FILE = Path(__file__).with_name('thresholds.yaml')
# Of these the limit is the least that passes, of all others the most.
AT_LEAST = frozenset({'snr_db', 'class_agreement', 'iou'})

Limits = Mapping[str, Mapping[str, float]]


@cache
def standard_limits() -> Mapping[str, Limits]:
    """Return the limits of the file, by precision, task and name."""
    values: Mapping[str, Limits] = yaml.safe_load(FILE.read_text(encoding='utf-8'))
    return values


def limits_for(manifest: ModelManifest, precision: str) -> Limits:
    """
    Return the limits of a model for a precision, by task and name.

    :raises ManifestError: the manifest overrides a limit that does not exist, or by no number.
    """
    standard = standard_limits()
    problems = list(_mistakes(manifest.gate, standard))
    if problems:
        raise ManifestError(manifest.name, problems)
    wishes = manifest.gate.get(precision, {})
    return {
        task: {name: float(wishes.get(name, limit)) for name, limit in limits.items()}
        for task, limits in standard[precision].items()
    }


def passes(name: str, value: float, limit: float) -> bool:
    """Tell whether a figure keeps its limit; what is not a number does not."""
    return value >= limit if name in AT_LEAST else value <= limit


def _mistakes(wishes: Mapping[str, Any], standard: Mapping[str, Limits]) -> list[str]:
    problems = []
    for precision, limits in wishes.items():
        if precision not in standard:
            problems.append(f'gate: got {shown(precision)}, expected one of {", ".join(standard)}')
            continue
        if not isinstance(limits, Mapping):
            problems.append(f'gate.{precision}: got {shown(limits)}, expected a mapping')
            continue
        known = {name for each in standard[precision].values() for name in each}
        for name, limit in limits.items():
            if name not in known:
                hint = did_you_mean(name, known) or f', expected one of {", ".join(sorted(known))}'
                problems.append(f'gate.{precision}.{name}: unknown limit{hint}')
            elif isinstance(limit, bool) or not isinstance(limit, (int, float)):
                problems.append(f'gate.{precision}.{name}: got {shown(limit)}, expected a number')
    return problems
