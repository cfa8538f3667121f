# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Declare the options of engines, decoders, builders and stages as data.

An option is a field of a frozen dataclass, made by ``option``. From that one declaration the host
checks values, the node declares parameters, and the command line prints help.
"""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
from dataclasses import dataclass
import math
import sys
from typing import Any
from typing import cast
from typing import TypeVar

from edge_perception.contract.errors import OptionError
from edge_perception.contract.fields import did_you_mean
from edge_perception.contract.fields import shown

OptionValue = bool | int | float | str | tuple[str, ...] | tuple[int, ...] | tuple[float, ...]
T = TypeVar('T')
# Under this key a field of an options class carries its declaration.
SPEC = 'spec'
ITEM_WORDS: Mapping[type, str] = {int: 'integers', float: 'floats'}


@dataclass(frozen=True, slots=True)
class Options:
    """Base of every options class: a frozen dataclass whose fields are made by ``option``."""


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """
    One option as users see it.

    :param minimum: smallest value, of a list of each item, included; None when there is no bound.
    :param choices: the only values; empty when any will do.
    """

    name: str
    default: OptionValue
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[OptionValue, ...] = ()

    @property
    def kind(self) -> type:
        """Type of the value: bool, int, float, str, or tuple for a list."""
        return type(self.default)

    @property
    def item_kind(self) -> type:
        """Type of the items of a list: that of the default's, str where it is empty."""
        return type(self.default[0]) if isinstance(self.default, tuple) and self.default else str

    def expected(self) -> str:
        """Return what a value has to be, for messages."""
        if self.choices:
            return 'one of ' + ', '.join(str(choice) or "''" for choice in self.choices)
        words = {
            bool: 'true or false',
            int: 'an integer',
            float: 'a float',
            str: 'a string',
            tuple: f'a list of {ITEM_WORDS.get(self.item_kind, "strings")}',
        }
        if self.minimum is not None and self.maximum is not None:
            return f'{words[self.kind]} from {self.minimum:.12g} to {self.maximum:.12g}'
        low = '' if self.minimum is None else f' of at least {self.minimum:.12g}'
        high = '' if self.maximum is None else f' of at most {self.maximum:.12g}'
        return words[self.kind] + low + high

    def check(self, value: object) -> OptionValue:
        """
        Return the value in the type of the option.

        :raises OptionError: when the value does not fit.
        """
        if self.kind is tuple and isinstance(value, (list, tuple)):
            value = tuple(_as(self.item_kind, item) for item in value)
            fits = all(self._fits(item, self.item_kind) for item in value)
        else:
            value = _as(self.kind, value)
            fits = self.kind is not tuple and self._fits(value, self.kind)
        if not fits or (self.choices and value not in self.choices):
            raise OptionError(f'{self.name}: got {shown(value)}, expected {self.expected()}')
        return value  # type: ignore[return-value]

    def _fits(self, value: Any, kind: Any) -> bool:
        return (
            type(value) is kind
            and (kind is not float or math.isfinite(value))
            and (self.minimum is None or value >= self.minimum)
            and (self.maximum is None or value <= self.maximum)
        )


def _as(kind: type, value: Any) -> Any:
    """Return an integer as a float where one is wanted, all else as it is."""
    fits = kind is float and type(value) is int and abs(value) <= sys.float_info.max
    return float(value) if fits else value


def option(
    default: T,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[T, ...] = (),
) -> T:
    """
    Declare an option as a field of a dataclass.

    :param default: gives the type as well: bool, int, float, str, or a tuple of integers, floats
        or strings; an empty tuple is one of strings.
    :param description: one sentence with the unit.
    """
    spec = OptionSpec(
        name='',
        default=cast(OptionValue, default),
        description=description,
        minimum=minimum,
        maximum=maximum,
        choices=cast(tuple[OptionValue, ...], choices),
    )
    return dataclasses.field(default=default, metadata={SPEC: spec})


def option_specs(options_type: type[Options]) -> tuple[OptionSpec, ...]:
    """Return the options of an options class in the order of their declaration."""
    return tuple(
        dataclasses.replace(field.metadata[SPEC], name=field.name)
        for field in dataclasses.fields(options_type)
    )


def parse_options(
    options_type: type[Options], values: Mapping[str, Any], *, owner: str
) -> Options:
    """
    Check values and return an instance of the options class.

    :param owner: whose options they are, for messages, e.g. ``engine 'onnxruntime'``.
    :raises OptionError: with every wrong value in one text.
    """
    specs = {spec.name: spec for spec in option_specs(options_type)}
    checked: dict[str, OptionValue] = {}
    problems: list[str] = []
    for name, value in values.items():
        if name not in specs:
            known = f'expected one of {", ".join(specs)}' if specs else 'it has none'
            hint = did_you_mean(name, specs) or f', {known}'
            problems.append(f'{name}: unknown option{hint}')
            continue
        try:
            checked[name] = specs[name].check(value)
        except OptionError as error:
            problems.append(str(error))
    if problems:
        raise OptionError(f'{owner}: ' + '; '.join(problems))
    return options_type(**checked)
