# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Runs launch files where ``launch`` is not installed: its classes note down what they are given.

So a test can look at what would be started. That ``launch`` itself takes it is for the tests
that need it.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
import runpy
import sys
from types import MappingProxyType
from types import ModuleType
from typing import Any
from unittest.mock import patch

MODULES = (
    'launch',
    'launch.actions',
    'launch.launch_description_sources',
    'launch.substitutions',
    'launch_ros',
    'launch_ros.actions',
    'launch_ros.parameter_descriptions',
    'launch_ros.substitutions',
)


class Noted:
    """Something of ``launch``: the name of its class and what it was made with."""

    def __init__(self, kind: str, *arguments: Any, **keywords: Any) -> None:
        self.kind = kind
        self.arguments = arguments
        self.keywords = keywords

    def perform(self, context: Context) -> str:
        """Return the value of a launch argument."""
        name = self.arguments[0]
        return context.get(name, self.keywords['default']) if self.keywords else context[name]


class Context(dict[str, str]):
    """
    The launch arguments with their values.

    :param argv: the command line behind the launch file.
    """

    argv: Sequence[str] = ()

    @property
    def launch_configurations(self) -> Context:
        """Everything that is set, as the context of launch has it."""
        return self


class Stub(ModuleType):
    """A module that has every class that is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)
        return lambda *arguments, **keywords: Noted(name, *arguments, **keywords)


@contextmanager
def stubbed() -> Iterator[None]:
    with patch.dict(sys.modules, {name: Stub(name) for name in MODULES}):
        yield


class LaunchFile:
    """What a launch file declares and starts."""

    def __init__(self, path: Path) -> None:
        with stubbed():
            description = runpy.run_path(str(path))['generate_launch_description']()
        (given,) = description.arguments
        # Of groups what they hold, as launch does it.
        entities = [
            each
            for outer in given
            for each in (outer.arguments[0] if outer.kind == 'GroupAction' else [outer])
        ]
        self.remappings = [each.keywords for each in entities if each.kind == 'SetRemap']
        self.arguments = {
            each.arguments[0]: each.keywords
            for each in entities
            if each.kind == 'DeclareLaunchArgument'
        }
        self.includes = [each for each in entities if each.kind == 'IncludeLaunchDescription']
        self._functions = [
            each.keywords['function'] for each in entities if each.kind == 'OpaqueFunction'
        ]

    def start(
        self,
        *,
        argv: Sequence[str] = (),
        around: str = '',
        included: Mapping[str, str] = MappingProxyType({}),
        **given: str,
    ) -> list[Noted]:
        """
        Return what is started with arguments.

        :param argv: the command line.
        :param around: the namespace that an including launch file pushed.
        :param included: what an including launch file set besides.
        """
        defaults = {name: each['default_value'] for name, each in self.arguments.items()}
        assert set(given) <= set(defaults)
        context = Context({**defaults, **given, **included})
        context.argv = argv
        if around:
            context['ros_namespace'] = around
        with stubbed():
            return [each for work in self._functions for each in work(context)]
