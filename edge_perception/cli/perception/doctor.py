# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception doctor``: check everything that perception needs, and change nothing."""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.console import Console
from rich.text import Text

from edge_perception.cli import arguments
from edge_perception.cli.output.failures import FAILED
from edge_perception.cli.output.tables import new_table
from edge_perception.cli.perception.ros_trial import ros_checks
from edge_perception.runtime.findings import Check
from edge_perception.runtime.findings import Level
from edge_perception.tooling.machine_checks import examine
from edge_perception.tooling.machine_checks import machine_checks
from edge_perception.tooling.plugin_survey import survey
from edge_perception.tooling.progress import result_console

EXAMPLES = """\b
Examples:
  edge-perception doctor
  edge-perception doctor --json

Exit status: 1 when something is red.
"""


@click.command('doctor', epilog=EXAMPLES)
@arguments.json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """
    Look at machine, libraries, engines, devices, models, ROS, nodes and topics.

    Each line is green, yellow or red; yellow and red ones say how to fix them. Nothing is changed.
    """
    report = [*examine(machine_checks(survey())), *ros_checks()]
    if as_json:
        arguments.print_json([{**asdict(check), 'level': check.level.value} for check in report])
    else:
        _print(result_console(), report)
    ctx.exit(FAILED if any(check.level is Level.RED for check in report) else 0)


def _print(console: Console, report: list[Check]) -> None:
    table = new_table('', 'what', 'found')
    for check in report:
        found = check.found + (f'\n→ {check.remedy}' if check.remedy else '')
        mark = Text(check.level.value, style=check.level.value)
        table.add_row(mark, Text(check.subject), Text(found))
    console.print(table)
    counts = [sum(check.level is level for check in report) for level in Level]
    words = ', '.join(f'{count} {level.value}' for count, level in zip(counts, Level))
    console.print(words, highlight=False)
