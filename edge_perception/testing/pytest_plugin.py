# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
A plugin of pytest: says in the closing lines which clauses each plugin keeps.

Load it with ``-p edge_perception.testing.pytest_plugin``, or by ``pytest_plugins`` in the
``conftest.py`` beside the tests.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
import re
from typing import Any

import pytest

# Asserts of the kit explain themselves like those of a test; before it is imported.
pytest.register_assert_rewrite('edge_perception.testing.conformance')

PROPERTY = 'edge_perception.conformance'
NOT_APPLICABLE = 'not applicable'
FACTS = ('runtime', 'device', 'latency')


@dataclass
class Record:
    """
    What one test class found out.

    :param outcomes: of each clause, the worst of its cases.
    :param notes: for everything else than kept, and its reason, the clauses.
    """

    subject: str = ''
    facts: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    notes: dict[str, dict[str, None]] = field(default_factory=dict)

    def take(self, report: pytest.TestReport, facts: dict[str, str], category: str) -> None:
        """Add what one test says."""
        clause = facts['clause']
        self.subject = facts['subject']
        self.facts |= {name: facts[name] for name in FACTS if facts.get(name)}
        outcome, reason = _judge(report, category)
        # Beside a case that counts, one that does not apply says nothing.
        known = self.outcomes.get(clause, NOT_APPLICABLE)
        order = (NOT_APPLICABLE, 'not run', 'kept', 'known failure', 'broken')
        self.outcomes[clause] = max(known, outcome, key=order.index)
        if reason:
            self.notes.setdefault(f'{outcome}: {reason}', {})[clause] = None

    def lines(self) -> Iterable[str]:
        """Give the summary of this class."""
        counts = {
            outcome: sum(each == outcome for each in self.outcomes.values())
            for outcome in ('kept', 'broken', 'known failure', 'not run', NOT_APPLICABLE)
        }
        clauses = ', '.join(
            f'{count} {outcome}' for outcome, count in counts.items() if count or outcome == 'kept'
        )
        where = ', '.join(self.facts[name] for name in FACTS[:2] if name in self.facts)
        yield f'{self.subject}{where and f" ({where})"}: of {len(self.outcomes)} clauses {clauses}'
        if 'latency' in self.facts:
            yield f'    {self.facts["latency"]}'
        for note, numbers in sorted(self.notes.items(), key=lambda each: min(each[1])):
            first, *others = sorted(numbers)
            yield f'    {first}{f" and {len(others)} others" if others else ""} {note}'


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write a paragraph for each class of conformance tests."""
    records = _records(terminalreporter.stats)
    if records:
        terminalreporter.section('conformance')
    for name in sorted(records):
        for line in records[name].lines():
            terminalreporter.write_line(line)


def _records(stats: dict[str, list[Any]]) -> dict[str, Record]:
    records: dict[str, Record] = {}
    for category in ('passed', 'failed', 'error', 'skipped', 'xfailed', 'xpassed'):
        for report in stats.get(category, []):
            facts = dict(getattr(report, 'user_properties', ())).get(PROPERTY)
            if facts:  # only reports of tests have some
                name = report.nodeid.rpartition('::')[0]
                records.setdefault(name, Record()).take(report, facts, category)
    return records


def _judge(report: pytest.TestReport, category: str) -> tuple[str, str]:
    """Return the outcome of a test, and the reason where it is not a plain one."""
    if category == 'passed':
        return 'kept', ''
    if category == 'xfailed':
        return 'known failure', report.wasxfail.removeprefix('reason: ')
    if category == 'skipped':
        found = report.longrepr[2] if isinstance(report.longrepr, tuple) else ''
        reason = re.sub(r'^Skipped: ', '', found)
        if reason.startswith(NOT_APPLICABLE):
            return NOT_APPLICABLE, reason.partition(': ')[2]
        return 'not run', reason
    return 'broken', report.nodeid.rpartition('::')[2]
