# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Declare a parameter of the node once, as the field of an options class.

From that one declaration come the parameter of the node and of each camera, the argument of the
launch file, ``config/default.yaml``, the JSON schema and the tables of the documentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any
from typing import cast
from typing import TypeVar

from edge_perception.contract import option_specs
from edge_perception.contract import Options
from edge_perception.contract import OptionSpec
from edge_perception.contract.options import OptionValue
from edge_perception.contract.options import SPEC

T = TypeVar('T')
# The value of a camera's parameter that stands for what the node says. A switch has none.
AS_THE_NODE: dict[type, OptionValue] = {int: -1, float: -1.0, str: '', tuple: ()}


@dataclass(frozen=True, slots=True)
class ParameterSpec(OptionSpec):
    """
    One parameter of the node as users see it.

    :param special: values with a meaning of their own, inside or outside of the range, and that
        meaning.
    :param live: takes effect while the node runs; others with the next ``configure``.
    :param per_camera: each of several cameras has it as well, as ``<camera>.<name>``.
    :param camera_default: what counts for a camera that says nothing, with the camera's name for
        ``{camera}``; None stands for what the node says.
    :param launch: it is an argument of the launch file as well.
    :param topic: it names a topic, which may be empty only where the default is.
    :param digits: an integer stands for its digits, as YAML reads a string such as 3.
    """

    special: Mapping[OptionValue, str] = field(default_factory=dict)
    live: bool = False
    per_camera: bool = False
    camera_default: str | None = None
    launch: bool = False
    topic: bool = False
    digits: bool = False

    @property
    def lowest(self) -> float | None:
        """The smallest value that is accepted, the special ones included."""
        return None if self.minimum is None else min([self.minimum, *self._below()])

    @property
    def meaning(self) -> str:
        """The description with the special values."""
        words = [f'{_shown(value)} = {meaning}' for value, meaning in self.special.items()]
        return self.description + (f' ({", ".join(words)})' if words else '')

    def expected(self) -> str:
        """Return what a value has to be, for messages."""
        return ' or '.join([*(f'{value:g}' for value in self._below()), OptionSpec.expected(self)])

    def check(self, value: object) -> OptionValue:
        """
        Return a value of ROS in the type of the parameter.

        :raises OptionError: when the value does not fit.
        """
        if self.digits:
            value = _digits(value)
        if type(value) is bool and _SWITCH[value] in self.choices:
            value = _SWITCH[value]
        fits = type(value) is self.kind or (self.kind is float and type(value) is int)
        if fits and value in self.special:
            return cast(OptionValue, self.kind(value))
        return OptionSpec.check(self, value)

    def of_camera(self, camera: str) -> ParameterSpec:
        """Return the parameter that a camera has, whose default is what the node says."""
        default = AS_THE_NODE[self.kind]
        own = f'{self.name} of the node' if self.camera_default is None else self.camera_default
        choices = (default, *self.choices) if self.choices else ()
        return replace(
            self,
            name=f'{camera}.{self.name}',
            default=default,
            special={**self.special, **({default: own.format(camera=camera)} if own else {})},
            choices=tuple(dict.fromkeys(choices)),
        )

    def _below(self) -> list[float]:
        """Return the special values below the range."""
        numbers = (value for value in self.special if isinstance(value, (int, float)))
        return [each for each in numbers if self.minimum is not None and each < self.minimum]


def parameter(default: T, description: str, **details: Any) -> T:
    """
    Declare a parameter as a field of an options class.

    :param default: gives the type as well: bool, int, float, str, or a tuple of strings.
    :param description: a noun phrase with the unit; the special values are added.
    :param details: fields of ``ParameterSpec``.
    :raises TypeError: there is no such field; or a switch is declared per camera, and has no
        value for what the node says.
    """
    spec = ParameterSpec('', cast(OptionValue, default), description, **details)
    if spec.per_camera and spec.kind not in AS_THE_NODE:
        raise TypeError(f'{description}: true or false per camera; declare choices instead')
    return dataclasses.field(default=default, metadata={SPEC: spec})


def parameter_specs(options_type: type[Options], prefix: str = '') -> Iterator[ParameterSpec]:
    """
    Give the options of a class as parameters of the node.

    :param prefix: of their names, e.g. ``debug.``.
    """
    for spec in option_specs(options_type):
        known = {each.name: getattr(spec, each.name) for each in dataclasses.fields(spec)}
        yield ParameterSpec(**{**known, 'name': f'{prefix}{spec.name}'})


# YAML 1.1, as ROS reads it, takes these words for true and false where they are not quoted.
_SWITCH = {True: 'on', False: 'off'}


def _shown(value: OptionValue) -> str:
    return f'{value:g}' if isinstance(value, (int, float)) else str(value or 'empty')


def _digits(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return tuple(map(_digits, value))
    return str(value) if type(value) is int else value
