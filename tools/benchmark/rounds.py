# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Measure bare loop, node and echo in turns: what the node adds to the model."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
import json
from typing import Any

import numpy as np

from tools.benchmark.bare_loop import BareLoop
from tools.benchmark.figures import Figures
from tools.benchmark.figures import latencies_ms
from tools.benchmark.figures import overhead_figures
from tools.benchmark.figures import rounded
from tools.benchmark.harness import Harness
from tools.benchmark.harness import ImageStream
from tools.benchmark.harness import Observed
from tools.benchmark.report import say
from tools.benchmark.subjects import BenchmarkError
from tools.benchmark.subjects import Subject

# With more images unanswered than this share, a median says nothing.
LOST_AT_MOST = 0.1


@dataclass(frozen=True, slots=True)
class Round:
    """What was measured with one model in a round."""

    bare: BareLoop
    node: Observed
    echo: Observed

    @property
    def samples_ms(self) -> dict[str, list[float]]:
        """Milliseconds from image to result, in the order in which they were measured."""
        node, echo = (
            [value for shown in seen.shown.values() for value in latencies_ms(shown)]
            for seen in (self.node, self.echo)
        )
        return {'bare': self.bare.samples_ms, 'node': node, 'echo': echo}

    @property
    def lost(self) -> dict[str, int]:
        """Images that were not answered."""
        return {
            who: sum(each.answered_ns is None for each in chain(*seen.shown.values()))
            for who, seen in (('node', self.node), ('echo', self.echo))
        }


def measure_round(
    harness: Harness,
    subject: Subject,
    streams: Sequence[ImageStream],
    *,
    seconds: float,
    warm_up_s: float = 0.0,
    idle_s: float = 0.0,
    answer_size: int = 0,
) -> Round:
    """
    Measure bare loop, node and echo once.

    :param seconds: each of them.
    :param warm_up_s: before each of them.
    :param idle_s: how long an active node without images is watched.
    :param answer_size: of the echo; 0 for as many boxes as the model finds.
    :raises BenchmarkError: one of them could not be measured.
    """
    say(f'{subject.name}: bare loop')
    paths = {'folder': str(subject.folder), 'images': str(subject.images)}
    pace = {'rate_hz': sum(each.rate_hz for each in streams), 'warm_up_s': warm_up_s}
    order = json.dumps({**paths, **pace, 'seconds': seconds})
    bare = BareLoop(**json.loads(harness.finished('tools.benchmark.bare_loop', order)))
    say(f'{subject.name}: node')
    node = harness.run(subject, streams, seconds=seconds, warm_up_s=warm_up_s, idle_s=idle_s)
    say(f'{subject.name}: echo')
    size = answer_size or bare.count
    echo = harness.run(subject, streams, seconds=seconds, warm_up_s=warm_up_s, echo=size)
    return Round(bare, node, echo)


def require_answers(subject: Subject, measured: Round) -> None:
    """
    Check that the medians of a round say something.

    :raises BenchmarkError: too many images were left unanswered.
    """
    for who, lost in measured.lost.items():
        frames = lost + len(measured.samples_ms[who])
        if lost > LOST_AT_MOST * frames:
            raise BenchmarkError(
                f'{subject.name}: {who} left {lost} of {frames} images unanswered, expected '
                'nearly all of them answered; give the machine less to do'
            )


def samples_of(rounds: Sequence[Round]) -> dict[str, list[float]]:
    """Return milliseconds of all rounds together."""
    every = [each.samples_ms for each in rounds]
    return {who: [value for each in every for value in each[who]] for who in every[0]}


def round_figures(models: Mapping[str, Sequence[Round]]) -> Figures:
    """Return all figures by name; those of the node are of the worst round of any model."""
    values = {
        f'{name}.{figure}': value
        for name, rounds in models.items()
        for figure, value in overhead_figures(samples_of(rounds)).items()
    }
    nodes = [each.node for rounds in models.values() for each in rounds]
    values['node.rss_mb'] = max(each.rss_mb[-1][1] for each in nodes)
    values['node.idle_cpu_percent'] = max(each.idle_cpu_percent for each in nodes)
    return rounded(values)


def model_report(rounds: Sequence[Round]) -> dict[str, Any]:
    """Return all that was measured with one model; lists have a value for each round."""

    def by_who(of: Callable[[list[float]], Any]) -> dict[str, list[Any]]:
        return {who: [of(each.samples_ms[who]) for each in rounds] for who in rounds[0].samples_ms}

    return {
        'round_p50_ms': by_who(lambda samples: round(float(np.median(samples)), 3)),
        'boxes': [each.bare.count for each in rounds],
        'bare_stages_p50_ms': [rounded(each.bare.stages_ms) for each in rounds],
        'lost': {who: [each.lost[who] for each in rounds] for who in rounds[0].lost},
        'rss_mb': [round(each.node.rss_mb[-1][1], 3) for each in rounds],
        'idle_cpu_percent': [round(each.node.idle_cpu_percent, 3) for each in rounds],
        'samples_ms': by_who(lambda samples: [round(value, 3) for value in samples]),
    }
