# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A name has one meaning in the tree, and a folder few enough modules to be read."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from edge_perception.cli.main import COMMANDS
from test.support.source_tree import source_files

MODULES_OF_A_FOLDER = 16
# What each plugin, contract and kit of tests has under the same name; entry points of programs.
COMMON_MODULES = frozenset(
    {
        *('__init__', '__main__', 'main', 'setup'),
        *('builder', 'decoder', 'engine', 'errors', 'library', 'options', 'stage'),
        'trial_script',
    }
)
# A tool names its parts after what they do for it; nothing else imports them.
TOOL_MODULES = frozenset({'network', 'plan', 'processes', 'report'})


def python_files(root: Path) -> list[Path]:
    """Return the modules of the package, of the plugins and of the tools, without tests."""
    ours = [path for _, path in source_files(root)]
    return [*ours, *(root / 'tools').rglob('*.py')]


def repeated(places: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: sorted(where) for name, where in places.items() if len(where) > 1}


def test_no_folder_has_more_modules_than_a_reader_takes_in(repository):
    modules: dict[str, int] = defaultdict(int)
    for path in python_files(repository):
        modules[str(path.parent.relative_to(repository))] += path.name != '__init__.py'
    assert {name: n for name, n in modules.items() if n > MODULES_OF_A_FOLDER} == {}


def test_the_name_of_a_module_has_one_meaning(repository):
    places: dict[str, list[str]] = defaultdict(list)
    for path in python_files(repository):
        of_a_tool = path.is_relative_to(repository / 'tools')
        allowed = {*COMMON_MODULES, *COMMANDS, *(TOOL_MODULES if of_a_tool else ())}
        if path.stem not in allowed:
            places[path.stem].append(str(path.relative_to(repository)))
    assert repeated(places) == {}


def test_the_name_of_a_class_has_one_meaning(repository):
    places: dict[str, list[str]] = defaultdict(list)
    for path in python_files(repository):
        for node in ast.parse(path.read_text(encoding='utf-8')).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith('_'):
                places[node.name].append(str(path.relative_to(repository)))
    assert repeated(places) == {}
