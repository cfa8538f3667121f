# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``run --engine all``: the same frames on every engine, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
import json
from statistics import median
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from edge_perception.cli.output.failures import say
from edge_perception.cli.output.reporters import loading
from edge_perception.cli.output.tables import new_table
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.contract import Perception
from edge_perception.models.assembly import assemble
from edge_perception.models.assembly import Assembled
from edge_perception.models.engine_choice import AUTO
from edge_perception.models.engine_choice import engines_for
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from edge_perception.tooling.frame_sources import Source
from edge_perception.tooling.gate.agreement import Agreement
from edge_perception.tooling.gate.agreement import compare
from edge_perception.tooling.gate.agreement import generous
from edge_perception.tooling.progress import result_console

NS_PER_MS = 1e6


@dataclass
class Column:
    """
    What one engine made of all frames.

    :param trouble: why it could not; empty when it could.
    :param agreement: with the first engine that could.
    """

    engine: str
    artifact: str = ''
    precision: str = ''
    device: str = ''
    trouble: str = ''
    infer_ms: list[float] = field(default_factory=list)
    found: int = 0
    agreement: Agreement | None = None


@dataclass
class Frames:
    """
    The frames that every engine sees.

    :param unreadable: sources that cannot be read to their end; each is said once.
    """

    sources: Sequence[Source]
    every: int
    limit: int | None
    unreadable: list[Source] = field(default_factory=list)

    def __iter__(self) -> Iterator[Frame]:
        for source in self.sources:
            try:
                for _, frame in source.frames(every=self.every, limit=self.limit):
                    yield frame
            except ImageError as error:
                if source not in self.unreadable:
                    say(error.code, str(error))
                    self.unreadable.append(source)


def compare_engines(host: PluginHost, request: Request, frames: Frames, *, as_json: bool) -> bool:
    """
    Print what every engine makes of the frames, and return whether any could.

    The first engine that works is what the others are compared with, ONNX Runtime before others.
    """
    names = [each.name for each in engines_for(host, AUTO)]
    names.sort(key=lambda name: name != 'onnxruntime')
    columns = [Column(name) for name in names]
    reference: list[Perception] | None = None
    for column in columns:
        try:
            with loading(f'{request.model} on {column.engine}'):
                assembled = assemble(host, replace(request, engine=column.engine))
            seen = _run(assembled, frames, column)
        except EdgePerceptionError as error:
            column.trouble = ' '.join(sentence for _, sentence in error.sentences())
            continue
        if reference is None:
            reference = seen
        threshold = assembled.selection.score_threshold
        column.agreement = Agreement()
        for one, other in zip(reference, seen):
            column.agreement = column.agreement.merged(compare(one, other, threshold=threshold))
    if as_json:
        click.echo(json.dumps([_values(column) for column in columns], indent=2))
    else:
        _print(result_console(), columns)
    return reference is not None


def _run(assembled: Assembled, frames: Frames, column: Column) -> list[Perception]:
    column.artifact = assembled.artifact.path.name
    column.precision = assembled.artifact.precision
    column.device = assembled.pipeline.engine.device
    selection, threshold = generous(assembled.selection), assembled.selection.score_threshold
    seen = []
    try:
        for frame in frames:
            result = assembled.pipeline.process(frame, selection=selection)
            column.infer_ms.append(result.times['infer'] / NS_PER_MS)
            seen.append(result.perception)
            column.found += _count(result.perception, threshold)
    finally:
        assembled.pipeline.engine.deactivate()
    return seen


def _count(perception: Perception, threshold: float) -> int:
    if perception.detections is not None:
        return int((perception.detections.score >= threshold).sum())
    return len(perception.keypoints) if perception.keypoints is not None else 1


def _values(column: Column) -> dict[str, Any]:
    times = column.infer_ms
    return {
        'engine': column.engine,
        'artifact': column.artifact,
        'precision': column.precision,
        'device': column.device,
        'trouble': column.trouble,
        'frames': len(times),
        'infer_ms_p50': round(median(times), 3) if times else None,
        'found': column.found,
        'against_first': asdict(column.agreement) if column.agreement else None,
    }


def _print(console: Console, columns: Sequence[Column]) -> None:
    table = new_table('engine', 'artifact', 'on', 'infer', 'found', 'against the first')
    for column in columns:
        if column.trouble:
            continue
        on = ' '.join(filter(None, (column.precision, column.device)))
        infer = f'{median(column.infer_ms):.1f} ms' if column.infer_ms else ''
        cells = (column.engine, column.artifact, on, infer, str(column.found), _words(column))
        table.add_row(*map(Text, cells))
    console.print(table)
    for column in columns:
        if column.trouble:
            console.print(Text(f'{column.engine}: {column.trouble}'), soft_wrap=True)


def _words(column: Column) -> str:
    agreement = column.agreement
    if agreement is None or not column.infer_ms:
        return ''
    figures = [
        f'{agreement.lost} lost' if agreement.lost else '',
        f'{agreement.invented} invented' if agreement.invented else '',
        f'{agreement.class_flips} of another class' if agreement.class_flips else '',
        f'boxes {agreement.box_px:.2f} px' if agreement.box_px else '',
        f'scores {agreement.score_drift:.4f}' if agreement.score_drift else '',
        f'{agreement.keypoints_lost} keypoints lost' if agreement.keypoints_lost else '',
        f'{agreement.keypoints_invented} keypoints invented'
        if agreement.keypoints_invented
        else '',
        f'keypoints {agreement.keypoint_px:.2f} px' if agreement.keypoint_px else '',
        f'mask {agreement.mask_share:.2%}' if agreement.mask_share else '',
        f'position {agreement.position_share:.2%}' if agreement.position_share else '',
    ]
    return ', '.join(filter(None, figures)) or 'equal'
