# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Turn ``-o name=value`` of the command line into options in their types."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from edge_perception.contract import Builder
from edge_perception.contract import ConfigurationError
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import EngineType
from edge_perception.contract import option_specs
from edge_perception.contract import OptionSpec
from edge_perception.contract import Stage

WORDS = {'true': True, 'yes': True, 'on': True, 'false': False, 'no': False, 'off': False}


def parse_assignments(
    assignments: Sequence[str],
    owners: Mapping[str, EngineType | Builder | type[Stage]],
    *,
    chosen: str,
    errors: list[EdgePerceptionError] | None = None,
) -> dict[str, dict[str, Any]]:
    """
    Return values by engine, target or stage and name, in the types that the options have.

    Text that does not fit its type, and names that are unknown, stay as they are: the owner's own
    check refuses them in its words.

    :param assignments: ``name=value``, or ``engine.name=value`` where several engines are tried;
        ``stage.name=value`` of a stage.
    :param chosen: the owner of names without an engine before them.
    :param errors: takes what is wrong, so that the rest can be checked as well; None raises it.
    :raises ConfigurationError: one has no equals sign, name or engine.
    """
    values: dict[str, dict[str, Any]] = defaultdict(dict)
    wrong = []
    for each in assignments:
        name, equals, text = (part.strip() for part in each.partition('='))
        prefix, dot, rest = name.partition('.')
        owner, name = (prefix, rest) if dot and prefix in owners else (chosen, name)
        if not equals or not name:
            wrong.append(f'got {each!r}, expected name=value')
        elif owner in ('auto', 'all'):
            wrong.append(f'got {each!r}, expected engine.name=value with --engine {chosen}')
        else:
            specs = option_specs(owners[owner].options_type) if owner in owners else ()
            spec = next((each for each in specs if each.name == name), None)
            values[owner][name] = _typed(text, spec) if spec else text
    if wrong:
        error = ConfigurationError('--option', wrong)
        if errors is None:
            raise error
        errors.append(error)
    return dict(values)


def assignment(name: str, value: Any) -> str:
    """Return an option as it is typed."""
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, (list, tuple)):
        value = ','.join(map(str, value))
    return f'{name}={value}'


def _typed(text: str, spec: OptionSpec) -> Any:
    if spec.kind is bool:
        return WORDS.get(text.lower(), text)
    if spec.kind is tuple:
        parts = (part.strip() for part in text.split(','))
        return tuple(_number(part, spec.item_kind) for part in parts if part)
    return _number(text, spec.kind)


def _number(text: str, kind: type) -> Any:
    try:
        return kind(text)
    except (TypeError, ValueError):
        return text
