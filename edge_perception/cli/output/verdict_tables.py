# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the gate says, as tables for people and as values for JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from edge_perception.cli.output.tables import new_table
from edge_perception.tooling.gate.comparison import GateVerdict
from edge_perception.tooling.notes import note


def as_values(
    verdict: GateVerdict, *, artifact: Path, engine: str, reference: str
) -> dict[str, Any]:
    """Return a verdict as JSON has it."""
    return {
        'artifact': str(artifact),
        'engine': engine,
        'precision': verdict.precision,
        'reference': reference,
        'passed': verdict.passed,
        'problems': list(verdict.problems),
        'notes': list(verdict.notes),
        **verdict.figures(),
    }


def print_verdict(console: Console, verdict: GateVerdict, *, whence: str = '') -> None:
    """
    Print every figure beside its limit.

    :param whence: how the precision was found, by which the limits were chosen.
    """
    table = new_table('of', 'figure', 'measured', 'limit', '')
    for check in verdict.checks:
        words = Text('passes', 'green') if check.passed else Text('fails', 'bold red')
        numbers = (check.measured, f'{check.limit:g}')
        table.add_row(Text(check.subject), check.name, *numbers, words)
    console.print(table)
    console.print(f'limits of {verdict.precision}{whence}', highlight=False)
    for each in verdict.notes:
        note(each)
    agreement = verdict.agreement
    console.print(
        f'{verdict.pictures} pictures, {agreement.reference} objects of the reference: '
        f'{agreement.lost} lost, {agreement.invented} invented, {agreement.class_flips} of '
        'another class',
        highlight=False,
    )
