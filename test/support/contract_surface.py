# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that a plugin can rely on, in texts that no version of Python or NumPy changes."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from pathlib import Path
from typing import Any

import pluggy

from edge_perception import contract
from edge_perception.contract import hookspecs
from edge_perception.testing.conformance import BuilderConformance
from edge_perception.testing.conformance import DecoderConformance
from edge_perception.testing.conformance import EngineConformance
from edge_perception.testing.conformance import StageConformance
from edge_perception.testing.conformance.clauses import clauses_of

SOURCES = Path(contract.__file__).parent
ALIASES = ('Tensor', 'Tensors')


def live_surface() -> dict[str, Any]:
    """Return names and hooks, described member by member, and the numbers of clauses."""
    names = {name: describe(name, getattr(contract, name)) for name in contract.__all__}
    del names['CONTRACT_VERSION']
    hooks = {
        name: signature_of(value)
        for name, value in vars(hookspecs).items()
        if inspect.isfunction(value) and hasattr(value, 'edge_perception_spec')
    }
    kits = (EngineConformance, DecoderConformance, BuilderConformance, StageConformance)
    # Their prose may be edited; authors name clauses by number, e.g. in known_failures.
    clauses = {number: kit.__name__ for kit in kits for number in clauses_of(kit)}
    return {'names': names, 'hooks': hooks, 'clauses': clauses}


def describe(name: str, value: object) -> object:
    if name in ALIASES:
        return f'alias of {alias_source(name)}'
    if isinstance(value, type):
        return describe_class(value)
    if inspect.isfunction(value):
        return f'function {signature_of(value)}'
    if isinstance(value, pluggy.HookimplMarker):
        return f'marker of hook implementations of {value.project_name!r}'
    return f'constant {value!r}'


def describe_class(kind: type) -> dict[str, str]:
    """Return every member that plugins use or override, with what has to stay as it is."""
    bases = ', '.join(base.__name__ for base in kind.__bases__)
    members = {'class': f'of {bases}'}
    if dataclasses.is_dataclass(kind):
        members |= {each.name: describe_field(each) for each in dataclasses.fields(kind)}
    for name, annotation in inspect.get_annotations(kind).items():
        if name not in members:
            default = f' = {in_text(vars(kind)[name])}' if name in vars(kind) else ''
            members[name] = f'attribute {annotation}{default}'
    for name, value in vars(kind).items():
        if name not in members and (described := describe_member(kind, name, value)):
            members[name] = described
    return members


def describe_field(each: dataclasses.Field[Any]) -> str:
    default = ''
    if each.default is not dataclasses.MISSING:
        default = f' = {in_text(each.default)}'
    elif each.default_factory is not dataclasses.MISSING:
        default = f' = {each.default_factory.__name__}()'
    return f'field {each.type}{default}'


def describe_member(kind: type, name: str, value: object) -> str:
    """Return nothing for what is private: it starts with an underscore and has no docstring."""
    if isinstance(value, property):
        return f'property {signature_of(value.fget)}'
    function = getattr(value, '__func__', value)
    if not inspect.isfunction(function):
        # The code of an error.
        return f'constant {value!r}' if not name.startswith('_') and isinstance(value, str) else ''
    special = name in ('__enter__', '__exit__', '__len__')
    constructor = name == '__init__' and not dataclasses.is_dataclass(kind)
    overridable = not name.startswith('__') and bool(function.__doc__)
    if name.startswith('_') and not (special or constructor or overridable):
        return ''
    words = {classmethod: 'class method', staticmethod: 'static method'}
    word = words.get(type(value), 'method')
    abstract = 'abstract ' if getattr(function, '__isabstractmethod__', False) else ''
    return f'{abstract}{word} {signature_of(function)}'


def signature_of(function: Any) -> str:
    """Return a signature; ``str`` of one quotes annotations, in some versions of Python only."""
    signature = inspect.signature(function)
    parts: list[str] = []
    for each in signature.parameters.values():
        if each.kind is each.KEYWORD_ONLY and '*' not in parts:
            parts.append('*')
        annotation = f': {each.annotation}' if each.annotation is not each.empty else ''
        default = f' = {in_text(each.default)}' if each.default is not each.empty else ''
        parts.append(f'{each.name}{annotation}{default}')
    result = signature.return_annotation
    arrow = f' -> {result}' if result is not signature.empty else ''
    return f'({", ".join(parts)}){arrow}'


def in_text(value: object) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)


def alias_source(name: str) -> str:
    """Return the right side of a type alias as it is written; its repr depends on NumPy."""
    for node in ast.parse((SOURCES / 'types.py').read_text(encoding='utf-8')).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.unparse(node.value)
    raise AssertionError(f'types.py assigns no {name}')
