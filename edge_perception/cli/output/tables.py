# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What was perceived as tables for people: one for each picture, one for each video."""

from __future__ import annotations

from collections import defaultdict
from statistics import median

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_perception.cli.output.records import keypoint_name
from edge_perception.cli.output.records import mask_shares
from edge_perception.cli.output.records import milliseconds
from edge_perception.contract import LabelMap
from edge_perception.contract import ModelManifest
from edge_perception.contract import Perception
from edge_perception.runtime.pipeline import Result
from edge_perception.tooling.frame_sources import Source

NUMBER_COLUMNS = frozenset({'score', 'x', 'y', 'x1', 'y1', 'x2', 'y2', 'pixels', 'share'})


def new_table(*columns: str) -> Table:
    """Return an empty table; columns of numbers are aligned to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        right = column in NUMBER_COLUMNS
        table.add_column(column, justify='right' if right else 'left', overflow='fold')
    return table


class Tables:
    """Prints a table for each picture at once, and for each video when it has ended."""

    def __init__(self, console: Console, manifest: ModelManifest) -> None:
        self._console = console
        self.bar_console: Console | None = console
        if not console.is_terminal:
            self.bar_console = Console(stderr=True)
        self._manifest = manifest
        self._times: list[dict[str, float]] = []
        self._summary = Summary(manifest.labels)

    def add(self, result: Result, *, source: Source, index: int) -> None:
        """Take one frame."""
        self._times.append(milliseconds(result.times))
        if source.moving:
            self._summary.add(index, result.perception)
            return
        title = f'{source.name}  {result.frame.width}x{result.frame.height}'
        self._console.print(Text(title, style='bold'), soft_wrap=True)
        for table in perception_tables(result.perception, self._manifest):
            self._console.print(table)

    def end_source(self, source: Source) -> None:
        """Print what is known when a source has ended."""
        if source.moving and self._summary.frames:
            title = f'{source.name}  {self._summary.frames} frames'
            self._console.print(Text(title, style='bold'), soft_wrap=True)
            self._console.print(self._summary.table())
            self._summary = Summary(self._manifest.labels)

    def finish(self) -> None:
        """Print how long it took."""
        if self._times:
            stages = ', '.join(
                f'{stage} {median(times[stage] for times in self._times):.1f} ms'
                for stage in self._times[0]
            )
            count = len(self._times)
            what = '1 frame' if count == 1 else f'{count} frames, median'
            self._console.print(f'{what}: {stages}', highlight=False)


class Summary:
    """What was seen in a video: for each class in how many frames, how well, from when to when."""

    def __init__(self, labels: LabelMap) -> None:
        self._labels = labels
        self._seen: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self.frames = 0

    def add(self, index: int, perception: Perception) -> None:
        """Take one frame."""
        self.frames += 1
        best: dict[str, float] = {}
        for label, score in _found(perception, self._labels):
            best[label] = max(score, best.get(label, 0.0))
        for label, score in best.items():
            self._seen[label].append((index, score))

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


def perception_tables(perception: Perception, manifest: ModelManifest) -> list[Table]:
    """Return a table for each thing that the model says."""
    makers = (_detection_table, _keypoint_table, _class_table, _mask_table)
    tables = [table for maker in makers if (table := maker(perception, manifest))]
    for table in tables:
        if not table.rows:
            table.add_row('nothing', *[''] * (len(table.columns) - 1))
    return tables


def _detection_table(perception: Perception, manifest: ModelManifest) -> Table | None:
    if perception.detections is None:
        return None
    table = new_table('object', 'score', 'x1', 'y1', 'x2', 'y2')
    found = perception.detections
    for class_id, score, box_ in zip(found.class_id, found.score, found.xyxy):
        name = Text(manifest.labels.name(int(class_id)))
        table.add_row(name, f'{score:.3f}', *(f'{value:.1f}' for value in box_))
    return table


def _keypoint_table(perception: Perception, manifest: ModelManifest) -> Table | None:
    if perception.keypoints is None:
        return None
    table = new_table('instance', 'keypoint', 'score', 'x', 'y')
    for instance, points in enumerate(perception.keypoints.xy):
        for index, (x, y) in enumerate(points):
            name = Text(keypoint_name(manifest.keypoint_names, index))
            score = perception.keypoints.score[instance, index]
            where = (f'{x:.1f}', f'{y:.1f}') if score > 0 else ('unseen', '')
            table.add_row(str(instance), name, f'{score:.3f}', *where)
    return table


def _class_table(perception: Perception, manifest: ModelManifest) -> Table | None:
    if perception.classes is None:
        return None
    table = new_table('class', 'score')
    for class_id, score in zip(perception.classes.class_id, perception.classes.score):
        table.add_row(Text(manifest.labels.name(int(class_id))), f'{score:.3f}')
    return table


def _mask_table(perception: Perception, manifest: ModelManifest) -> Table | None:
    if perception.mask is None:
        return None
    table = new_table('class', 'pixels', 'share')
    for row in mask_shares(perception.mask, manifest.labels):
        table.add_row(Text(row['label']), str(row['pixels']), f'{row["share"]:.1%}')
    return table


def _found(perception: Perception, labels: LabelMap) -> list[tuple[str, float]]:
    """Return label and score of everything in a frame that can be counted."""
    found: list[tuple[str, float]] = []
    for each in (perception.detections, perception.classes):
        if each is not None:
            found += [(labels.name(int(c)), float(s)) for c, s in zip(each.class_id, each.score)]
    if perception.keypoints is not None and perception.detections is None:
        found += [('keypoints', float(scores.max())) for scores in perception.keypoints.score]
    if perception.mask is not None:
        found += [(row['label'], row['share']) for row in mask_shares(perception.mask, labels)]
    return found
