# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the plugin calls and reads of the fake TensorRT, to do the same with the real bindings."""

from __future__ import annotations

from collections.abc import Callable
import enum
import functools
import inspect
import sys
from typing import Any

import pytest

from test.support.tensorrt_stubs import fake_building
from test.support.tensorrt_stubs import fake_runtime
from test.support.tensorrt_stubs.fake import flags_of

FAKES = fake_building.__name__.rpartition('.')[0]
PLUGIN = 'edge_perception_tensorrt'
# Class, name, and the arguments of a call, which are None for what is read.
Use = tuple[str, str, list[Any] | None, dict[str, Any]]


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Use]:
    """Return a list that is filled with all uses, in JSON."""
    calls: list[Use] = []
    for module in (fake_building, fake_runtime):
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ != module.__name__:
                continue
            monkeypatch.setattr(kind, '__getattribute__', _reading(_real(name), calls))
            for method, function in list(vars(kind).items()):
                if inspect.isfunction(function) and not method.startswith('_'):
                    watched = _watched(_real(name), function, calls)
                    monkeypatch.setattr(kind, method, watched)
    return calls


def _watched(name: str, function: Callable, calls: list[Use]) -> Callable:
    @functools.wraps(function)
    def watched(self, *arguments, **named):
        if not _by_plugin():
            return function(self, *arguments, **named)
        given = {key: encoded(value) for key, value in named.items()}
        calls.append((name, function.__name__, [encoded(each) for each in arguments], given))
        return function(self, *arguments, **named)

    return watched


def _reading(name: str, calls: list[Use]) -> Callable:
    def read(self, attribute: str) -> Any:
        value = object.__getattribute__(self, attribute)
        if _by_plugin() and not callable(value):
            calls.append((name, attribute, None, {}))
        return value

    return read


def _by_plugin() -> bool:
    return sys._getframe(2).f_globals['__name__'].startswith(PLUGIN)


def surface(numbers: tuple[int, int]) -> dict[str, list[str]]:
    """Return the members of all classes and enums that the fake has in a version."""
    members = flags_of(numbers)
    for module in (fake_building, fake_runtime):
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__ and not name.startswith('_Host'):
                public = [each for each in dir(kind) if not each.startswith('_')]
                members.setdefault(_real(name), []).extend(public)
    return members


def encoded(value: Any) -> Any:
    """Return a value in JSON: what has none as its type and, of enums, its name."""
    if isinstance(value, enum.IntEnum):
        return {'enum': [type(value).__name__, value.name]}
    if isinstance(value, (bytes, memoryview)):
        return {'bytes': type(value).__name__}
    if isinstance(value, tuple):
        return {'tuple': [encoded(each) for each in value]}
    if value is None or isinstance(value, (int, str)):
        return value
    ours = [each for each in type(value).__mro__ if each.__module__.startswith(FAKES)]
    return {'object': _real(ours[-1].__name__)}


def _real(name: str) -> str:
    return 'IBuilderConfig' if name == '_ConfigWithoutLevels' else name
