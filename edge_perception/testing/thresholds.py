# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Thresholds from a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from typing import cast

from edge_perception.contract import ConfigurationError
from edge_perception.contract import OptionError
from edge_perception.contract import parse_options
from edge_perception.contract.loading.artifact_files import MOST_TEXT_BYTES
from edge_perception.contract.loading.artifact_files import read_regular
from edge_perception.contract.manifest_file import read_yaml
from edge_perception.simulation.scoring import Threshold


def read_thresholds(path: Path) -> list[Threshold]:
    """
    Read thresholds: a list of mappings with the fields of ``Threshold``.

    :raises ConfigurationError: with everything that is wrong with the file.
    """
    try:
        given = read_yaml(read_regular(path, most_bytes=MOST_TEXT_BYTES).decode('utf-8'))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            str(path), [f'cannot be read: {" ".join(str(error).split())}']
        ) from error
    if not isinstance(given, list) or not given:
        got = type(given).__name__ if given != [] else 'an empty list'
        raise ConfigurationError(str(path), [f'got {got}, expected a list of thresholds'])
    thresholds, problems = [], []
    for number, entry in enumerate(given, start=1):
        try:
            thresholds.append(_threshold(entry, f'threshold {number}'))
        except OptionError as error:
            problems.append(str(error))
    if problems:
        raise ConfigurationError(str(path), problems)
    return thresholds


def _threshold(entry: Any, owner: str) -> Threshold:
    if not isinstance(entry, dict):
        raise OptionError(f'{owner}: got {entry!r}, expected figure, minimum or maximum')
    values = {'figure': '', **{str(key): value for key, value in entry.items()}}
    made = cast(Threshold, parse_options(Threshold, values, owner=owner))
    if not {'minimum', 'maximum'} & set(values):
        raise OptionError(f'{owner}: got neither minimum nor maximum, so nothing could fail')
    return made
