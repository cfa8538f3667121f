# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Take every frame of some sources through the pipeline, to a reporter and into drawn files."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import ExitStack
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from edge_perception.contract import ImageError
from edge_perception.models.assembly import Assembled
from edge_perception.runtime.accounts import BoxDoubts
from edge_perception.runtime.drawing import draw
from edge_perception.runtime.drawing import Tails
from edge_perception.runtime.findings import not_finite_scores
from edge_perception.runtime.pipeline import Result
from edge_perception.tooling.drawn_frames import DrawnFrames
from edge_perception.tooling.frame_sources import Source
from edge_perception.tooling.notes import note
from edge_perception.tooling.notes import say
from edge_perception.tooling.progress import progress_bar


class Reporter(ABC):
    """
    Takes results as they come.

    :param bar_console: where a progress bar does not get between the results; None for nowhere.
    """

    bar_console: Console | None = None

    @abstractmethod
    def add(self, result: Result, *, source: Source, index: int) -> None:
        """Take one frame."""

    def end_source(self, source: Source) -> None:
        """Take note that a source has ended."""

    def finish(self) -> None:
        """Take note that all sources have ended."""


@dataclass(frozen=True)
class FrameRun:
    """
    Process sources one after the other.

    :param outputs: where drawn frames go, by source; nothing is drawn of others.
    :param every: only every n-th frame of videos.
    :param limit: at most N frames of each source; None for all.
    """

    assembled: Assembled
    reporter: Reporter
    outputs: Mapping[Source, Path]
    every: int
    limit: int | None

    def run(self, sources: list[Source]) -> bool:
        """Process all sources; say which cannot be read, and return whether all could."""
        complete, dim, not_finite = True, '', ''
        doubts = BoxDoubts(self.assembled.model.manifest.input)
        with progress_bar(self.reporter.bar_console, total=self._count(sources)) as advance:
            for source in sources:
                with ExitStack() as stack:
                    drawn = None
                    if source in self.outputs:
                        drawn = DrawnFrames(self.outputs[source], source, every=self.every)
                        stack.enter_context(drawn.finishing())
                    done, share = self._process(source, drawn, advance, doubts)
                    complete &= done
                if share:
                    not_finite = not_finite or f'{source.name}: {not_finite_scores(share)}'
                self.reporter.end_source(source)
                dim = dim or (source.problem and f'{source.name}: {source.problem}')
        self.reporter.finish()
        if doubts.problem:
            note(doubts.problem)
        if dim:
            note(f'{dim}; use --mono16-range percentile')
        if not_finite:
            note(not_finite)
        return complete

    def _process(
        self,
        source: Source,
        drawn: DrawnFrames | None,
        advance: Callable[[], object],
        doubts: BoxDoubts,
    ) -> tuple[bool, float]:
        """
        Process one source as far as it can be read, and return whether all of it could.

        :return: that, and the largest share of scores in one frame that were not finite.
        """
        manifest, not_finite = self.assembled.model.manifest, 0.0
        tails = Tails()
        self.assembled.pipeline.reset()
        try:
            for index, frame in source.frames(every=self.every, limit=self.limit):
                result = self.assembled.pipeline.process(frame, selection=self.assembled.selection)
                not_finite = max(not_finite, result.perception.not_finite)
                doubts.look(result)
                self.reporter.add(result, source=source, index=index)
                if drawn is not None:
                    labels, skeleton = manifest.labels, manifest.skeleton
                    seen = result.perception
                    drawn.add(draw(frame, seen, labels=labels, skeleton=skeleton, tails=tails))
                advance()
        except ImageError as error:
            say(error.code, str(error))
            return False, not_finite
        except KeyboardInterrupt:
            if not source.live:
                raise
        if source.remark:
            note(f'{source.name}: {source.remark}')
        return True, not_finite

    def _count(self, sources: list[Source]) -> int | None:
        """Return how many frames to expect, None when that is unknown."""
        total = 0
        for source in sources:
            with suppress(ImageError):  # it is said when the source has its turn
                count = source.count(every=self.every, limit=self.limit)
                if count is None:
                    return None
                total += count
        return total
