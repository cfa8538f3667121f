# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Read a mapping key by key, and collect every problem instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from difflib import get_close_matches
from reprlib import Repr
import sys
from typing import Any
from typing import TypeVar

T = TypeVar('T')

# Of a class, a keypoint, a model, a coordinate frame: every object of a result carries such names.
MAX_NAME_BYTES = 256
MOST_UNKNOWN = 10  # keys in messages

# Bounded, because a file of some lines can hold a value whose whole repr fills the memory: lists
# of references to lists of references.
_BOUNDED = Repr()
_BOUNDED.maxlevel = 2
_BOUNDED.maxlist = _BOUNDED.maxtuple = _BOUNDED.maxset = _BOUNDED.maxdict = 4
_BOUNDED.maxstring = _BOUNDED.maxother = 80


def shown(value: object) -> str:
    """Return a value as messages show it, long ones shortened."""
    return 'nothing' if value is None else _BOUNDED.repr(value)


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return ``, did you mean 'x'?`` for the nearest known name, or nothing."""
    names = list(known)
    longer = [each for each in names if each.startswith(str(name)) and len(str(name)) > 2]
    nearest = get_close_matches(str(name), names, n=1) or longer[:1]
    return f', did you mean {nearest[0]!r}?' if nearest else ''


class Fields:
    """
    One mapping of a manifest, and the problems found in it so far.

    Every method that reads returns a usable value even when it records a problem, so that reading
    can go on; the caller looks at ``problems`` at the end.

    :param values: the mapping as YAML gave it.
    :param where: dotted name of the mapping, used in messages; empty at the top.
    :param problems: list to add to; shared with the mappings inside.
    """

    def __init__(self, values: object, *, where: str = '', problems: list[str]) -> None:
        self.problems = problems
        self._where = where
        self._known: list[str] = []
        self._values: Mapping[str, Any] = {}
        if isinstance(values, Mapping):
            self._values = values
        else:
            self.problem('', values, 'a mapping')

    def problem(self, key: str, got: object, expected: str) -> None:
        """Record that a key has a value which was not expected."""
        name = '.'.join(part for part in (self._where, key) if part) or 'the file'
        self.problems.append(f'{name}: got {shown(got)}, expected {expected}')

    def inner(self, key: str) -> Fields:
        """Return the mapping under a key; an absent one is empty."""
        self._known.append(key)
        where = '.'.join(part for part in (self._where, key) if part)
        value = self._values.get(key)
        return Fields({} if value is None else value, where=where, problems=self.problems)

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def raw(self, key: str) -> Any:
        """Return the value as YAML gave it, None when absent."""
        self._known.append(key)
        return self._values.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string; without a default the key is required."""
        value = self.raw(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not value:
            self.problem(key, value, 'a string')
            return default or ''
        return value

    def choice(self, key: str, choices: Sequence[T], default: T) -> T:
        """Return one of several values."""
        value = self.raw(key)
        if value is None:
            return default
        if value not in choices or isinstance(value, bool):
            self.problem(key, value, 'one of ' + ', '.join(str(choice) for choice in choices))
            return default
        return choices[choices.index(value)]

    def switch(self, key: str, default: bool | None = None) -> bool:
        """Return true or false; without a default the key is required."""
        value = self.raw(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, bool):
            self.problem(key, value, 'true or false')
            return bool(default)
        return value

    def mapping(self, key: str, *, of: type = object) -> Mapping[str, Any]:
        """
        Return a mapping, empty when absent.

        :param of: type of its values.
        """
        value = self.raw(key)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(each, of) for each in value.values()):
            self.problem(key, value, 'a mapping' if of is object else 'a mapping of texts')
            return {}
        return value

    def integer(
        self, key: str, default: int | None = None, *, minimum: int, maximum: int | None = None
    ) -> int:
        """Return an integer within bounds, the bounds included."""
        value = self.raw(key)
        if value is None and default is not None:
            return default
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or value < minimum or (maximum is not None and value > maximum):
            bounds = (
                f'of at least {minimum}' if maximum is None else f'from {minimum} to {maximum}'
            )
            self.problem(key, value, f'an integer {bounds}')
            return minimum if default is None else default
        return int(value)

    def number(
        self, key: str, default: float, *, minimum: float = -1e9, maximum: float = 1e9
    ) -> float:
        """Return a float within bounds, the bounds included."""
        value = self.raw(key)
        if value is None:
            return default
        if not _is_number(value) or not minimum <= value <= maximum:
            self.problem(key, value, f'a float from {minimum:g} to {maximum:g}')
            return default
        return float(value)

    def numbers(self, key: str, count: int, default: float) -> tuple[float, ...]:
        """Return ``count`` floats; one stands for all of them."""
        value = self.raw(key)
        if value is None:
            return (default,) * count
        if _is_number(value):
            return (float(value),) * count
        if isinstance(value, list) and len(value) == count and all(map(_is_number, value)):
            return tuple(float(item) for item in value)
        self.problem(key, value, f'one float or a list of {count} floats')
        return (default,) * count

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings, empty when absent; numbers become strings."""
        value = self.raw(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.problem(key, value, 'a list of strings')
            return ()
        for item in value:
            # Without quotes YAML makes a boolean of on, off, yes and no, and a day of 2020-01-01.
            if not isinstance(item, str) and not _is_number(item):
                advice = '; put quotes around words that YAML reads as something else'
                self.problem(key, item, f'a list of strings{advice}')
                return ()
        return self.short(key, tuple(str(item) for item in value))

    def short(self, key: str, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return names, each of which a message can carry; none where one is too long."""
        for name in names:
            if len(name.encode(errors='replace')) > MAX_NAME_BYTES:
                self.problem(key, name, f'names of at most {MAX_NAME_BYTES} bytes')
                return ()
        return names

    def rows(self, key: str, width: int) -> tuple[tuple[float, ...], ...]:
        """Return a list of rows of ``width`` floats, empty when absent."""
        value = self.raw(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(
            isinstance(row, list) and len(row) == width and all(map(_is_number, row))
            for row in value
        ):
            self.problem(key, value, f'a list of rows of {width} floats')
            return ()
        return tuple(tuple(float(item) for item in row) for row in value)

    def finish(self) -> None:
        """Record a problem for every key that was not read."""
        known = set(self._known)
        unknown = [key for key in self._values if key not in known]
        for key in unknown[:MOST_UNKNOWN]:
            name = '.'.join(part for part in (self._where, str(key) or repr(key)) if part)
            hint = did_you_mean(key, self._known)
            self.problems.append(f'{name}: unknown key{hint}')
        if rest := unknown[MOST_UNKNOWN:]:
            self.problems.append(f'{self._where or "the file"}: {len(rest)} more unknown keys')


def _is_number(value: object) -> bool:
    """Tell whether a value is a finite number that a float can hold."""
    largest = sys.float_info.max
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and -largest <= value <= largest
    )
