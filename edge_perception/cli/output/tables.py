# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Tables for people: of what was perceived in an image, of a video, and empty ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from edge_perception.tooling.progress import result_console

NUMBER_COLUMNS = frozenset({'score', 'x', 'y', 'x1', 'y1', 'x2', 'y2', 'pixels', 'share'})


def new_table(*columns: str) -> Table:
    """Return an empty table; columns of numbers are aligned to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        right = column in NUMBER_COLUMNS
        table.add_column(column, justify='right' if right else 'left', overflow='fold')
    return table


def print_troubles(troubles: Iterable[tuple[str, str]]) -> None:
    """Print a line for each engine that failed, with the reason; none where that is empty."""
    for engine, trouble in troubles:
        if trouble:
            result_console().print(Text(f'{engine}: {trouble}'), soft_wrap=True)


class Summary:
    """What was seen in a video: for each class in how many frames, how well, from when to when."""

    def __init__(self) -> None:
        self._seen: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self.frames = 0

    def add(self, values: Mapping[str, Any]) -> None:
        """Take the record of one frame."""
        self.frames += 1
        best: dict[str, float] = {}
        for label, score in _found(values):
            best[label] = max(score, best.get(label, 0.0))
        for label, score in best.items():
            self._seen[label].append((values['frame'], score))

    def table(self) -> Table:
        """Return what was seen, most often first."""
        table = new_table('seen', 'in frames', 'first', 'last', 'best score')
        for label, frames in sorted(self._seen.items(), key=lambda item: -len(item[1])):
            score = max(score for _, score in frames)
            row = (len(frames), frames[0][0], frames[-1][0], f'{score:.3f}')
            table.add_row(Text(label), *map(str, row))
        if not self._seen:
            table.add_row('nothing', '', '', '', '')
        return table


def perception_tables(values: Mapping[str, Any]) -> list[Table]:
    """Return a table for each thing that the model says in the record of a frame."""
    tables = []
    for name, (columns, cells) in TABLES.items():
        if values[name] is None:
            continue
        table = new_table(*columns)
        for row in values[name]:
            for each in cells(row):
                table.add_row(*map(Text, each))
        if not table.rows:
            table.add_row('nothing', *[''] * (len(columns) - 1))
        tables.append(table)
    return tables


def _keypoint_rows(row: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for point in row['points']:
        seen = point['x'] is not None and point['y'] is not None
        where = (f'{point["x"]:.1f}', f'{point["y"]:.1f}') if seen else ('unseen', '')
        yield str(row['instance']), point['name'], f'{point["score"]:.3f}', *where


# Columns, and what gives the cells of an entry of a record, for each thing that models say.
TABLES: Mapping[
    str, tuple[Sequence[str], Callable[[Mapping[str, Any]], Iterable[Sequence[str]]]]
] = {
    'detections': (
        ('object', 'score', 'x1', 'y1', 'x2', 'y2'),
        lambda row: [(row['label'], f'{row["score"]:.3f}', *(f'{v:.1f}' for v in row['xyxy']))],
    ),
    'keypoints': (('instance', 'keypoint', 'score', 'x', 'y'), _keypoint_rows),
    'classes': (('class', 'score'), lambda row: [(row['label'], f'{row["score"]:.3f}')]),
    'mask': (
        ('class', 'pixels', 'share'),
        lambda row: [(row['label'], str(row['pixels']), f'{row["share"]:.1%}')],
    ),
}


def _found(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Give label and score of everything in the record of a frame that can be counted."""
    for name, score in (('detections', 'score'), ('classes', 'score'), ('mask', 'share')):
        for row in values[name] or ():
            yield row['label'], row[score]
    if values['detections'] is None:
        for row in values['keypoints'] or ():
            yield 'keypoints', max(point['score'] for point in row['points'])
