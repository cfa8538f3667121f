# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Our modules, plugins included, and what they import, read from their source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OURS = 'edge_perception'
# The one folder inside of another with a rule of its own.
NODES = 'simulation/nodes'


@dataclass(frozen=True)
class Import:
    """One import statement of one module; ``lazy`` when it only runs when it is asked for."""

    module: str
    line: int
    lazy: bool


def source_files(root: Path) -> Iterator[tuple[str, Path]]:
    """Return every module with the folder whose rule holds for it."""
    for path in sorted((root / OURS).rglob('*.py')):
        inner = path.relative_to(root / OURS).parts[:-1]
        yield NODES if '/'.join(inner).startswith(NODES) else inner[0] if inner else '', path
    for package in plugin_packages(root):
        for path in sorted(package.rglob('*.py')):
            if 'test' not in path.relative_to(package).parts:
                yield 'plugins', path


def plugin_packages(root: Path) -> list[Path]:
    """Return the outermost packages below ``plugins/``, their tests left out."""
    found = [path.parent for path in (root / 'plugins').rglob('__init__.py')]
    found = [folder for folder in found if 'test' not in folder.relative_to(root).parts]
    return sorted(folder for folder in found if folder.parent not in found)


def module_name(root: Path, path: Path) -> str:
    """Return the dotted name under which a file is imported."""
    inner = path.relative_to(root)
    if inner.parts[0] == 'plugins':
        package = next(each for each in plugin_packages(root) if each in path.parents)
        inner = path.relative_to(package.parent)
    parts = inner.with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def imports_of(root: Path, path: Path) -> Iterator[Import]:
    """Return the imports of one module, also those by name at run time."""
    package = module_name(root, path).split('.')
    if path.name != '__init__.py':
        package = package[:-1]
    tree = ast.parse(path.read_text(encoding='utf-8'), str(path))
    for node, lazy in _with_laziness(tree, lazy=False):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, lazy)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = '.'.join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                # The name may be a module: from edge_perception import ros.
                yield Import(f'{module}.{alias.name}', node.lineno, lazy)
        elif isinstance(node, ast.Call) and _imports_by_name(node):
            yield Import(node.args[0].value, node.lineno, lazy)


def _with_laziness(node: ast.AST, *, lazy: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        yield child, lazy
        function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        typing = isinstance(child, ast.If) and 'TYPE_CHECKING' in ast.unparse(child.test)
        yield from _with_laziness(child, lazy=lazy or function or typing)


def _imports_by_name(call: ast.Call) -> bool:
    name = getattr(call.func, 'attr', getattr(call.func, 'id', ''))
    literal = bool(call.args) and isinstance(call.args[0], ast.Constant)
    return name in ('import_module', '__import__') and literal
