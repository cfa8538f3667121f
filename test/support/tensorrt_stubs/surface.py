# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Print the classes of the installed TensorRT as a Python stub file (``.pyi``); run as a program.

mypy then tells of each attribute that the plugin uses whether it is there: types come from what
pybind11 writes into docstrings, ``name(self: Class, argument: int) -> Class``.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
import enum
import keyword
import re
import sys

BASIC = {'int', 'str', 'bool', 'float', 'None', 'bytes'}


def stub_file(module) -> str:
    """Return the text of the stub file."""
    # A pooling layer has another type than the layers that it is one of.
    lines = ['# mypy: disable-error-code=override']
    lines += ['from __future__ import annotations', 'import builtins', 'from typing import Any']
    classes = {name: kind for name, kind in vars(module).items() if isinstance(kind, type)}
    for name, kind in classes.items():
        lines += _class(name, kind, set(classes), '')
    for name, value in vars(module).items():
        if name not in classes and not name.startswith('_') and callable(value):
            lines.append(f'def {name}(*args: Any, **kwargs: Any) -> Any: ...')
    lines.append('__version__: str')
    return '\n'.join(lines) + '\n'


def _class(name: str, kind: type, classes: set[str], indent: str) -> Iterator[str]:
    bases = [base.__name__ for base in kind.__bases__ if base.__name__ in classes - {name}]
    yield f'{indent}class {name}({", ".join(bases)}):'
    inner = f'{indent}    '
    if hasattr(kind, '__members__') or issubclass(kind, enum.Enum):
        yield f'{inner}name: str'
        yield f'{inner}value: int'
        yield f'{inner}def __int__(self) -> int: ...'
        for member in kind.__members__:
            yield f'{inner}{member}: {name}' if not indent else f'{inner}{member}: Any'
        return
    if hasattr(kind, '__len__') and name == 'Dims':
        yield f'{inner}def __iter__(self) -> Any: ...'
        yield f'{inner}def __len__(self) -> int: ...'
    if name == 'IHostMemory':
        yield f'{inner}def __bytes__(self) -> bytes: ...'
    for member, value in vars(kind).items():
        if member == '__init__':
            yield f'{inner}{_function(member, value, classes)}'
        elif member.startswith('_'):
            continue
        elif isinstance(value, property):
            yield from _property(member, value, classes, inner)
        elif isinstance(value, type):
            yield from _class(member, value, classes, inner)
        elif callable(value):
            yield f'{inner}{_function(member, value, classes)}'
        else:
            yield f'{inner}{member}: Any'
    yield f'{inner}...'


def _property(name: str, value: property, classes: set[str], indent: str) -> Iterator[str]:
    result = _type_in(value.fget.__doc__ or '', classes) if value.fget else 'Any'
    yield f'{indent}@builtins.property'
    yield f'{indent}def {name}(self) -> {result}: ...'
    if value.fset:
        yield f'{indent}@{name}.setter'
        yield f'{indent}def {name}(self, value: Any) -> None: ...'


def _function(name: str, value, classes: set[str]) -> str:
    doc = value.__doc__ or ''
    first = doc.split('\n', maxsplit=1)[0]
    overloaded = 'Overloaded function' in doc
    names = re.findall(r'(\w+): ', first[first.find('(') : first.rfind(' -> ')])
    result = 'None' if name == '__init__' else _type_in(doc, classes)
    plain = names and names[0] == 'self' and not any(map(keyword.iskeyword, names))
    if overloaded or not plain:
        return f'def {name}(self, *args: Any, **kwargs: Any) -> {result}: ...'
    arguments, default = '', ''
    for each in names[1:]:
        default = ' = ...' if default or re.search(rf'\b{each}: [^,()]*=', first) else ''
        arguments += f', {each}: Any{default}'
    return f'def {name}(self{arguments}) -> {result}: ...'


def _type_in(doc: str, classes: set[str]) -> str:
    found = re.search(r'\) -> ([\w.:]+(?:\[[\w.:]+)?)', doc)
    if found is None:
        return 'Any'
    text = found[1].lower() if found[1].startswith('List') else found[1]
    if text.startswith('list['):
        return f'list[{_named(found[1].split("[")[1], classes)}]'
    return _named(text, classes)


def _named(text: str, classes: set[str]) -> str:
    name = re.split(r'[.:]', text)[-1]
    if name in BASIC:
        return f'builtins.{name}' if hasattr(builtins, name) and name != 'None' else name
    known = {'IParserError': 'ParserError'}.get(name, name)
    return known if known in classes and 'Severity' not in text else 'Any'


if __name__ == '__main__':
    import tensorrt

    sys.stdout.write(stub_file(tensorrt))
