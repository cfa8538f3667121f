# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Engine options as they are written on a command line: ``name=value``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge_perception.contract import ConfigurationError
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import option_specs
from edge_perception.contract import Options

WORDS = {'true': True, 'yes': True, 'on': True, 'false': False, 'no': False, 'off': False}


def parse_assignments(
    assignments: Sequence[str],
    options_type: type[Options] | None,
    *,
    errors: list[EdgePerceptionError],
) -> dict[str, Any]:
    """
    Return values by name, in the types that the options have.

    Text that does not fit its type, and names that are unknown, stay as they are: the engine's own
    check refuses them in its words.

    :param options_type: None when the engine is unknown.
    :param errors: gets an error for assignments without an equals sign or without a name.
    """
    kinds = {spec.name: spec.kind for spec in option_specs(options_type)} if options_type else {}
    values: dict[str, Any] = {}
    wrong = []
    for assignment in assignments:
        name, equals, text = (part.strip() for part in assignment.partition('='))
        if not equals or not name:
            wrong.append(f'got {assignment!r}, expected name=value')
        else:
            values[name] = _typed(text, kinds.get(name, str))
    if wrong:
        errors.append(ConfigurationError('--option', wrong))
    return values


def _typed(text: str, kind: type) -> Any:
    if kind is bool:
        return WORDS.get(text.lower(), text)
    if kind is tuple:
        return tuple(part.strip() for part in text.split(',') if part.strip())
    try:
        return kind(text)
    except (TypeError, ValueError):
        return text
