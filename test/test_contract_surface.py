# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
What plugins see of the contract changes only together with ``CONTRACT_VERSION``.

``contract_surface.json`` holds the surface and the version under which it was written. After a
change raise ``CONTRACT_VERSION`` in ``edge_perception/contract/hookspecs.py`` and run, in the root
of the repository::

    python -m test.test_contract_surface --write

It refuses another surface under the same version. Only for a version that nobody has ever got, add
``--unreleased``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
import dataclasses
import inspect
import json
from pathlib import Path
import re
import sys
from typing import Any

import pluggy
import pytest

from edge_perception import contract
from edge_perception.contract import errors
from edge_perception.contract import hookspecs
from edge_perception.testing.conformance import BuilderConformance
from edge_perception.testing.conformance import DecoderConformance
from edge_perception.testing.conformance import EngineConformance
from edge_perception.testing.conformance import StageConformance
from edge_perception.testing.conformance.clauses import clauses_of

SNAPSHOT = Path(__file__).with_suffix('').with_name('contract_surface.json')
COMMAND = 'python -m test.test_contract_surface --write'

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


def differences(old: Any, new: Any, where: str = '') -> Iterator[str]:
    """Return a line for each member that was added, removed or changed."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        if old != new:
            yield f'{where}: was {old}, is {new}'
        return
    for name in sorted({*old, *new}):
        place = f'{where}.{name}' if where else name
        if name not in new:
            yield f'{place}: removed'
        elif name not in old:
            yield f'{place}: added'
        else:
            yield from differences(old[name], new[name], place)


def complaint(snapshot: dict[str, Any], *, surface: dict[str, Any], version: str) -> str:
    """Return what is wrong between the snapshot and the live contract; empty when nothing is."""
    changes = '\n  '.join(differences(snapshot['surface'], surface))
    if changes and version == snapshot['contract_version']:
        return (
            f'the surface of the contract changed under version {version}; raise '
            f'CONTRACT_VERSION in edge_perception/contract/hookspecs.py, then run {COMMAND}\n'
            f'  {changes}'
        )
    if version != snapshot['contract_version']:
        return (
            f'the snapshot of the contract is of version {snapshot["contract_version"]}, '
            f'CONTRACT_VERSION is {version}; run {COMMAND}'
        )
    return ''


def write(path: Path, *, surface: dict[str, Any], version: str, unreleased: bool) -> str:
    """Write the snapshot, or return why not."""
    if path.exists() and not unreleased:
        snapshot = json.loads(path.read_text(encoding='utf-8'))
        if version == snapshot['contract_version']:
            return complaint(snapshot, surface=surface, version=version)
    text = json.dumps(
        {'contract_version': version, 'surface': surface},
        indent=2,
        sort_keys=True,
        ensure_ascii=False,
    )
    path.write_text(text + '\n', encoding='utf-8')
    return ''


def drawn_error_tree() -> dict[str, tuple[str, str]]:
    """Return parent and code of each error in the drawing at the top of ``errors.py``."""
    tree: dict[str, tuple[str, str]] = {}
    above: list[str] = []
    drawing = str(errors.__doc__).partition('::')[2].partition('\n\nTo catch')[0]
    for line in filter(str.strip, drawing.splitlines()):
        match = re.fullmatch(r'([ │├└─]*)(\w+)(?: +(\w+).*)?', line)
        assert match, f'cannot read the line {line!r} of the error tree'
        depth = (len(match[1]) - 4) // 4
        above[depth:] = [match[2]]
        tree[match[2]] = (above[depth - 1] if depth else '', match[3] or '')
    return tree


def live_error_tree() -> dict[str, tuple[str, str]]:
    """Return parent and own code of each error class."""
    root = errors.EdgePerceptionError
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, root)
    ]
    return {
        kind.__name__: ('', '')
        if kind is root
        else (kind.__bases__[0].__name__, vars(kind).get('code', ''))
        for kind in kinds
    }


def test_the_surface_is_the_one_that_this_version_promises():
    snapshot = json.loads(SNAPSHOT.read_text(encoding='utf-8'))
    problem = complaint(snapshot, surface=live_surface(), version=contract.CONTRACT_VERSION)
    assert not problem, problem


def test_all_names_are_listed_in_order():
    public = {
        name
        for name, value in vars(contract).items()
        if not name.startswith('_') and not inspect.ismodule(value) and name != 'annotations'
    }
    assert contract.__all__ == sorted(public)


def test_every_error_is_drawn_where_it_stands_and_with_its_code():
    assert drawn_error_tree() == live_error_tree()


def test_no_two_errors_share_a_code_and_whatever_is_raised_has_one():
    tree = live_error_tree()
    codes = [code for _, code in tree.values() if code]
    assert len(codes) == len(set(codes))
    parents = {parent for parent, _ in tree.values()}
    assert {name for name, (_, code) in tree.items() if not code} <= parents


def test_every_error_can_be_imported_from_the_contract():
    assert set(live_error_tree()) <= set(contract.__all__)


def changed(**members: str) -> dict[str, Any]:
    surface = live_surface()
    surface['names']['Engine'] = {**surface['names']['Engine'], **members}
    return surface


def test_a_change_under_the_same_version_names_what_to_do():
    snapshot = {'contract_version': '0.1', 'surface': live_surface()}
    surface = changed(infer='method (self)', added='method ()')
    del surface['names']['Engine']['warm_up'], surface['hooks']['register_builders']
    problem = complaint(snapshot, surface=surface, version='0.1')
    first, *lines = problem.splitlines()
    assert first == (
        'the surface of the contract changed under version 0.1; raise CONTRACT_VERSION in '
        'edge_perception/contract/hookspecs.py, then run '
        'python -m test.test_contract_surface --write'
    )
    assert lines == [
        '  hooks.register_builders: removed',
        '  names.Engine.added: added',
        '  names.Engine.infer: was method (self, tensors: Tensors) -> Tensors, is method (self)',
        '  names.Engine.warm_up: removed',
    ]


def test_a_new_version_asks_for_a_new_snapshot():
    snapshot = {'contract_version': '0.1', 'surface': live_surface()}
    for surface in (live_surface(), changed(added='method ()')):
        assert complaint(snapshot, surface=surface, version='0.2') == (
            'the snapshot of the contract is of version 0.1, CONTRACT_VERSION is 0.2; '
            'run python -m test.test_contract_surface --write'
        )


def test_a_changed_surface_is_not_written_under_the_same_version(tmp_path):
    path = tmp_path / 'surface.json'
    assert write(path, surface=live_surface(), version='0.1', unreleased=False) == ''
    before = path.read_text(encoding='utf-8')
    other = changed(added='method ()')
    assert 'raise CONTRACT_VERSION' in write(path, surface=other, version='0.1', unreleased=False)
    assert path.read_text(encoding='utf-8') == before
    assert write(path, surface=other, version='0.2', unreleased=False) == ''
    assert complaint(json.loads(path.read_text('utf-8')), surface=other, version='0.2') == ''
    assert write(path, surface=live_surface(), version='0.2', unreleased=True) == ''


@pytest.mark.parametrize(
    ('name', 'member', 'described'),
    [
        ('Engine', '_infer', 'abstract method (self, tensors: Tensors) -> Tensors'),
        ('Engine', '_deactivate', 'method (self) -> None'),
        ('Engine', 'active', 'property (self) -> bool'),
        ('EngineType', 'options_type', 'attribute ClassVar[type[Options]] = Options'),
        ('Selection', 'score_threshold', 'field float = 0.3'),
        ('Detections', 'empty', 'class method () -> Detections'),
        ('InferenceError', 'code', "constant 'engine_failed'"),
    ],
)
def test_the_surface_covers_what_authors_write_against(name, member, described):
    text = live_surface()['names'][name][member]
    assert text.replace('(cls)', '()') == described


def test_the_surface_leaves_out_what_is_private():
    assert not {'_one_thread', '_require_active'} & set(live_surface()['names']['Engine'])


def main(arguments: list[str]) -> str | None:
    """Write the snapshot; return a sentence when that failed."""
    if '--write' not in arguments or not set(arguments) <= {'--write', '--unreleased'}:
        return f'usage: {COMMAND} [--unreleased]'
    return (
        write(
            SNAPSHOT,
            surface=live_surface(),
            version=contract.CONTRACT_VERSION,
            unreleased='--unreleased' in arguments,
        )
        or None
    )


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
