# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Thresholds from a YAML file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from edge_perception.contract import ConfigurationError
from edge_perception.contract.fields import did_you_mean
from edge_perception.simulation.scoring import FIGURES
from edge_perception.simulation.scoring import STATISTICS
from edge_perception.simulation.scoring import Threshold

NUMBERS = ('minimum', 'maximum', 'from_size_px', 'from_inside')


def read_thresholds(path: Path) -> list[Threshold]:
    """
    Read thresholds: a list of mappings with the fields of ``Threshold``.

    :raises ConfigurationError: with everything that is wrong with the file.
    """
    try:
        given = yaml.safe_load(path.read_text(encoding='utf-8'))
    # ValueError: not UTF-8, or what YAML takes for a date is none.
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigurationError(
            str(path), [f'cannot be read: {" ".join(str(error).split())}']
        ) from error
    if not isinstance(given, list) or not given:
        got = type(given).__name__ if given != [] else 'an empty list'
        raise ConfigurationError(str(path), [f'got {got}, expected a list of thresholds'])
    problems: list[str] = []
    for index, entry in enumerate(given):
        problems += [f'threshold {index + 1}: {problem}' for problem in _problems(entry)]
    if problems:
        raise ConfigurationError(str(path), problems)
    return [_threshold(entry) for entry in given]


def _threshold(entry: dict[str, Any]) -> Threshold:
    numbers = {key: float(value) for key, value in entry.items() if key in NUMBERS}
    words = {key: str(value) for key, value in entry.items() if key not in NUMBERS}
    values: dict[str, Any] = {**words, **numbers}
    return Threshold(**values)


def _problems(entry: Any) -> list[str]:
    if not isinstance(entry, dict):
        return [f'got {entry!r}, expected figure, minimum or maximum']
    problems = []
    for key, value in entry.items():
        if key in NUMBERS:
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not (number and math.isfinite(value)):
                problems.append(f'{key}: got {value!r}, expected a number')
        elif key == 'statistic' and value not in STATISTICS:
            problems.append(f'statistic: got {value!r}, expected one of {", ".join(STATISTICS)}')
        elif key not in ('figure', 'statistic'):
            known = ('figure', 'statistic', *NUMBERS)
            problems.append(f'unknown key {key!r}{did_you_mean(str(key), known)}')
    figure = entry.get('figure')
    if not isinstance(figure, str) or figure not in FIGURES:
        problems.append(f'figure: got {figure!r}, expected one of {", ".join(FIGURES)}')
    if not {'minimum', 'maximum'} & set(entry):
        problems.append('got neither minimum nor maximum, so nothing could fail')
    return problems
