# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
What all conformance tests share: numbered clauses, known failures, facts for the summary.

A clause is a test whose name starts with its number, ``test_e01_...``; its docstring is the text
of the clause. ``plugins/README.md`` lists all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
import inspect
import re
from typing import Any
from typing import ClassVar
from typing import NoReturn

import pytest

from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import option_specs
from edge_perception.contract import Options
from edge_perception.testing.conformance.child import load_in_child
from edge_perception.testing.conformance.child import Loaded

PROPERTY = 'edge_perception.conformance'
NOT_APPLICABLE = 'not applicable'
# Names of engines, decoders, builders and options become parts of ROS parameters.
NAME = re.compile(r'[a-z][a-z0-9_]*')
_CLAUSE = re.compile(r'test_([a-z]\d\d)_')


class Conformance:
    """
    Base of the conformance tests of engines, decoders, builders and stages.

    :param plugin_module: as the entry point names it; empty stands for the package of the type.
    :param vendor_modules: what the plugin imports of its vendor, and must not import by itself.
    :param known_failures: clauses that are not kept, each with the reason, e.g. ``{'E34': 'the
        driver of ... returns'}``; ``'E30[int8]'`` names one case. They are expected to fail: the
        run fails when they pass.
    """

    plugin_module: ClassVar[str] = ''
    vendor_modules: ClassVar[tuple[str, ...]] = ()
    known_failures: ClassVar[Mapping[str, str]] = {}
    # Attributes that have no default, that which is tested first.
    _needed: ClassVar[tuple[str, ...]] = ()

    facts: dict[str, Any]

    @pytest.fixture(autouse=True)
    def _clause(self, request: pytest.FixtureRequest) -> None:
        """Tell the summary what this test is about, and mark known failures."""
        self.facts = {}
        number = clause_of(request.node.name)
        if not number:
            return
        case = request.node.name.partition('[')[2]
        self.facts |= {'subject': self.subject(), 'clause': number}
        request.node.user_properties.append((PROPERTY, self.facts))
        for known in (number, f'{number}[{case}'):
            if known in self.known_failures:
                reason = self.known_failures[known]
                request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Assert once, before there are any tests, what all of them need."""
        missing = [name for name in self._needed if not hasattr(self, name)]
        kit = next(each for each in type(self).__mro__ if each.__module__.startswith(__package__))
        assert not missing, (
            f'{type(self).__name__} does not set {", ".join(missing)}, without which nothing can '
            f'be tested; the docstring of {kit.__name__} shows how'
        )

    @property
    def _tested(self) -> Any:
        return getattr(self, self._needed[0])

    @property
    def _kind(self) -> str:
        return self._needed[0].removesuffix('_type')

    @property
    def module(self) -> str:
        """Module that the entry point of the plugin names."""
        kind = self._tested if isinstance(self._tested, type) else type(self._tested)
        return self.plugin_module or kind.__module__.partition('.')[0]

    def subject(self) -> str:
        """Return what is tested, for the summary, e.g. ``engine onnxruntime``."""
        return f'{self._kind} {self._tested.name}'

    def _check_registered_without_vendor(self) -> None:
        loaded = self._load_in_child('missing')
        assert not loaded.trouble
        assert loaded.imported == ()

    def _check_probe_without_vendor(self, how: str) -> None:
        if not self.vendor_modules:
            not_applicable('no vendor_modules are declared')
        found = self._load_in_child(how).probe
        assert 'raised' not in found, found
        assert found['available'] is False
        assert found['reason'] and found['remedy']
        assert '\n' not in found['reason'] + found['remedy']

    def _load_in_child(self, how: str) -> Loaded:
        return load_in_child(
            self.module,
            kind=self._kind,
            name=self._tested.name,
            vendor_modules=self.vendor_modules,
            how=how,
        )


def clause_of(test_name: str) -> str:
    """Return the number of the clause that a test proves; empty where it proves none."""
    found = _CLAUSE.match(test_name)
    return found[1].upper() if found else ''


def clauses_of(kind: type[Conformance]) -> Mapping[str, str]:
    """Return number and text of all clauses of one kind of plugin, in order."""
    tests = {clause_of(name): test for name, test in inspect.getmembers(kind, inspect.isfunction)}
    return {
        number: ' '.join((inspect.getdoc(tests[number]) or '').split())
        for number in sorted(tests)
        if number
    }


def not_applicable(why: str) -> NoReturn:
    """End a test whose clause has nothing to say about this plugin."""
    pytest.skip(f'{NOT_APPLICABLE}: {why}')


def check_options(options_type: type[Options]) -> None:
    """Assert that options are typed, described, and keep their own bounds."""
    for spec in option_specs(options_type):
        assert NAME.fullmatch(spec.name), f'{spec.name}: cannot be a part of a ROS parameter'
        assert spec.kind in (bool, int, float, str, tuple), f'{spec.name}: {spec.kind}'
        assert len(spec.description.split()) > 1, f'{spec.name}: has no description'
        assert spec.check(spec.default) == spec.default


def check_sentence(error: EdgePerceptionError) -> None:
    """Assert an error that users can read: one line, lower case, no full stop."""
    text = str(error)
    assert text and '\n' not in text, f'expected one line: {text!r}'
    assert not text.endswith('.'), f'a sentence without its full stop: {text!r}'
