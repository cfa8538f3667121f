# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Print as tables what the gate says, and what was measured on several engines."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from statistics import median

from rich.text import Text

from edge_perception.cli.output.tables import new_table
from edge_perception.cli.output.tables import print_troubles
from edge_perception.tooling.engine_comparison import Column
from edge_perception.tooling.gate.comparison import GateVerdict
from edge_perception.tooling.notes import note
from edge_perception.tooling.progress import result_console
from edge_perception.tooling.variants import VariantFigures


def print_verdict(verdict: GateVerdict, *, whence: str = '') -> None:
    """
    Print every figure beside its limit.

    :param whence: how the precision was found, by which the limits were chosen.
    """
    console = result_console()
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
        f'{verdict.images} images, {agreement.reference} objects of the reference: '
        f'{agreement.counts()}',
        highlight=False,
    )


def print_measurements(
    rows: Sequence[VariantFigures], columns: Mapping[str, tuple[str, str]]
) -> None:
    """
    Print a row of figures for each variant, and why others have none.

    :param columns: name and format of a figure or fact, by heading.
    """
    table = new_table('engine', 'artifact', 'precision', *columns)
    for row in rows:
        variant, values = row.variant, {**row.facts, **row.figures}
        names = map(Text, (variant.engine, variant.shown, variant.precision))
        cells = [f'{values[n]:{how}}' if n in values else '' for n, how in columns.values()]
        table.add_row(*names, *cells)
    result_console().print(table)
    print_troubles((row.variant.engine, row.trouble) for row in rows)


def print_columns(columns: Sequence[Column]) -> None:
    """Print what every engine makes of the same frames, and why others could not."""
    table = new_table('engine', 'artifact', 'on', 'infer', 'found', 'against the first')
    for column in columns:
        if column.trouble:
            continue
        on = ' '.join(filter(None, (column.precision, column.device)))
        infer = f'{median(column.infer_ms):.1f} ms' if column.infer_ms else ''
        found = (column.engine, column.artifact, on, infer, str(column.found))
        table.add_row(*map(Text, (*found, _differences(column))))
    result_console().print(table)
    print_troubles((column.engine, column.trouble) for column in columns)


def _differences(column: Column) -> str:
    agreement = column.agreement
    if agreement is None or not column.infer_ms:
        return ''
    figures = {
        f'{agreement.missed} missed': agreement.missed,
        f'{agreement.false_positives} false positives': agreement.false_positives,
        f'{agreement.class_flips} of another class': agreement.class_flips,
        f'boxes {agreement.box_px:.2f} px': agreement.box_px,
        f'scores {agreement.score_drift:.4f}': agreement.score_drift,
        f'{agreement.keypoints_missed} keypoints missed': agreement.keypoints_missed,
        f'{agreement.keypoints_false} false keypoints': agreement.keypoints_false,
        f'keypoints {agreement.keypoint_px:.2f} px': agreement.keypoint_px,
        f'mask {agreement.mask_share:.2%}': agreement.mask_share,
        f'position {agreement.position_share:.2%}': agreement.position_share,
    }
    return ', '.join(words for words, figure in figures.items() if figure) or 'equal'
