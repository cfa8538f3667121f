# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
What all conformance tests share: numbered clauses, known failures, facts for the summary.

A clause is a test whose name starts with its number, ``test_e01_...``; its docstring is the text
of the clause. ``plugins/README.md`` lists all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from edge_perception.contract.options import OptionSpec

PROPERTY = 'edge_perception.conformance'
NOT_APPLICABLE = 'not applicable'
# Names of engines, decoders, builders and options become parts of ROS parameters.
NAME = re.compile(r'[a-z][a-z0-9_]*')
_CLAUSE = re.compile(r'test_([a-z]\d\d)_')


class Conformance:
    """
    Base of the conformance tests of engines, decoders, builders and stages.

    :param known_failures: clauses that are not kept, each with the reason, e.g. ``{'E34': 'the
        driver of ... returns'}``; ``'E30[int8]'`` names one case. They are expected to fail: the
        run fails when they pass.
    """

    known_failures: ClassVar[Mapping[str, str]] = {}
    # Attributes that have no default.
    _needed: ClassVar[tuple[str, ...]] = ()

    facts: dict[str, Any]

    @pytest.fixture(autouse=True)
    def _clause(self, request: pytest.FixtureRequest) -> None:
        """Tell the summary what this test is about, and expect what is known to fail."""
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
        """Demand once, before there are any tests, what all of them need."""
        missing = [name for name in self._needed if not hasattr(self, name)]
        kit = next(each for each in type(self).__mro__ if each.__module__.startswith(__package__))
        assert not missing, (
            f'{type(self).__name__} does not set {", ".join(missing)}, without which nothing can '
            f'be tested; the docstring of {kit.__name__} shows how'
        )

    def subject(self) -> str:
        """Return who is tested, for the summary, e.g. ``engine onnxruntime``."""
        raise NotImplementedError


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
    """Demand that options are typed, described, and keep their own bounds."""
    for spec in option_specs(options_type):
        assert NAME.fullmatch(spec.name), f'{spec.name}: cannot be a part of a ROS parameter'
        assert spec.kind in (bool, int, float, str, tuple), f'{spec.name}: {spec.kind}'
        assert len(spec.description.split()) > 1, f'{spec.name}: has no description'
        assert spec.check(spec.default) == spec.default


def other_value(spec: OptionSpec) -> Any:
    """Return a value that an option of this kind never takes."""
    return 'no number' if spec.kind is not str else 7


def check_sentence(error: EdgePerceptionError) -> None:
    """Demand an error that users can read: one line, lower case, no full stop."""
    text = str(error)
    assert text and '\n' not in text, f'expected one line: {text!r}'
    assert not text.endswith('.'), f'a sentence without its full stop: {text!r}'


def each_once(values: Iterator[str]) -> list[str]:
    """Return values in their order, without repetitions."""
    return list(dict.fromkeys(values))
