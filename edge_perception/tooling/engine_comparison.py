# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Show the same frames to every engine, and compare what each makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from statistics import median
from typing import Any

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
from edge_perception.tooling.notes import say
from edge_perception.tooling.progress import loading
from edge_perception.tooling.variants import REFERENCE_ENGINE
from edge_perception.tooling.variants import told

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

    def values(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            'engine': self.engine,
            'artifact': self.artifact,
            'precision': self.precision,
            'device': self.device,
            'trouble': self.trouble,
            'frames': len(self.infer_ms),
            'infer_ms_p50': round(median(self.infer_ms), 3) if self.infer_ms else None,
            'found': self.found,
            'against_first': asdict(self.agreement) if self.agreement else None,
        }


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


def compare_engines(host: PluginHost, request: Request, frames: Frames) -> list[Column]:
    """
    Show the frames to every engine, and return what each made of them.

    The first engine that works is what the others are compared with, ONNX Runtime before others.
    """
    columns = [Column(each.name) for each in engines_for(host, AUTO)]
    columns.sort(key=lambda column: column.engine != REFERENCE_ENGINE)
    reference: list[Perception] | None = None
    for column in columns:
        try:
            with loading(f'{request.model} on {column.engine}'):
                assembled = assemble(host, replace(request, engine=column.engine))
            seen = _run(assembled, frames, column)
        except EdgePerceptionError as error:
            column.trouble = told(error)
            continue
        reference = reference or seen
        threshold = assembled.selection.score_threshold
        column.agreement = Agreement()
        for one, other in zip(reference, seen):
            column.agreement = column.agreement.merged(compare(one, other, threshold=threshold))
    return columns


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
