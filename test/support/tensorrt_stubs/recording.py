# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the plugin calls of the fake TensorRT, so that the real bindings can be called the same."""

from __future__ import annotations

from collections.abc import Callable
import enum
import functools
import inspect
from typing import Any

import pytest

from test.support.tensorrt_stubs import fake_building
from test.support.tensorrt_stubs import fake_runtime

FAKES = fake_building.__name__.rpartition('.')[0]
Call = tuple[str, str, list[Any], dict[str, Any]]


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Return a list that is filled with class, method and arguments, in JSON, of all calls."""
    calls: list[Call] = []
    for module in (fake_building, fake_runtime):
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ != module.__name__:
                continue
            for method, function in list(vars(kind).items()):
                if inspect.isfunction(function) and not method.startswith('_'):
                    watched = _watched(_real(name), function, calls)
                    monkeypatch.setattr(kind, method, watched)
    return calls


def _watched(name: str, function: Callable, calls: list[Call]) -> Callable:
    @functools.wraps(function)
    def watched(self, *arguments, **named):
        given = {key: encoded(value) for key, value in named.items()}
        calls.append((name, function.__name__, [encoded(each) for each in arguments], given))
        return function(self, *arguments, **named)

    return watched


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
