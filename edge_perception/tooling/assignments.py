# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``-o name=value`` on the command line to options in their types."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from edge_perception.contract import ConfigurationError
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import EngineType
from edge_perception.contract import option_specs
from edge_perception.contract import Options

WORDS = {'true': True, 'yes': True, 'on': True, 'false': False, 'no': False, 'off': False}


def parse_assignments(
    assignments: Sequence[str],
    engines: Mapping[str, EngineType],
    *,
    chosen: str,
    errors: list[EdgePerceptionError],
) -> dict[str, dict[str, Any]]:
    """
    Return values by engine and name, in the types that the options have.

    Text that does not fit its type, and names that are unknown, stay as they are: the engine's own
    check refuses them in its words.

    :param assignments: ``name=value``, or ``engine.name=value`` where several engines are tried.
    :param chosen: the engine that names without an engine belong to.
    :param errors: gets an error for assignments without an equals sign, name or engine.
    """
    values: dict[str, dict[str, Any]] = defaultdict(dict)
    wrong = []
    for assignment in assignments:
        name, equals, text = (part.strip() for part in assignment.partition('='))
        prefix, dot, rest = name.partition('.')
        engine, name = (prefix, rest) if dot and prefix in engines else (chosen, name)
        if not equals or not name:
            wrong.append(f'got {assignment!r}, expected name=value')
        elif engine in ('auto', 'all'):
            wrong.append(f'got {assignment!r}, expected engine.name=value with --engine {chosen}')
        else:
            values[engine][name] = _typed(text, _kinds(engines.get(engine)).get(name, str))
    if wrong:
        errors.append(ConfigurationError('--option', wrong))
    return dict(values)


def require_assignments(
    assignments: Sequence[str], engines: Mapping[str, EngineType], *, chosen: str
) -> dict[str, dict[str, Any]]:
    """
    Return what ``parse_assignments`` does.

    :raises ConfigurationError: one has no equals sign, name or engine.
    """
    errors: list[EdgePerceptionError] = []
    values = parse_assignments(assignments, engines, chosen=chosen, errors=errors)
    if errors:
        raise errors[0]
    return values


def assign(assignments: Sequence[str], options_type: type[Options]) -> dict[str, Any]:
    """
    Return values by name, in the types that the options of one thing have.

    :raises ConfigurationError: one has no equals sign or no name.
    """
    kinds = {spec.name: spec.kind for spec in option_specs(options_type)}
    values: dict[str, Any] = {}
    wrong = []
    for assignment in assignments:
        name, equals, text = (part.strip() for part in assignment.partition('='))
        if not equals or not name:
            wrong.append(f'got {assignment!r}, expected name=value')
        else:
            values[name] = _typed(text, kinds.get(name, str))
    if wrong:
        raise ConfigurationError('--option', wrong)
    return values


def assignment(name: str, value: Any) -> str:
    """Return an option as it is typed."""
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, (list, tuple)):
        value = ','.join(value)
    return f'{name}={value}'


def _kinds(engine: EngineType | None) -> dict[str, type]:
    return {spec.name: spec.kind for spec in option_specs(engine.options_type)} if engine else {}


def _typed(text: str, kind: type) -> Any:
    if kind is bool:
        return WORDS.get(text.lower(), text)
    if kind is tuple:
        return tuple(part.strip() for part in text.split(',') if part.strip())
    try:
        return kind(text)
    except (TypeError, ValueError):
        return text
