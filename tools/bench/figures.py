# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""From samples to figures, and from figures to bars that are met or missed."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import TypeAlias

import numpy as np

# What issue and documentation promise; the figure may be equal to the limit.
MODEL_BARS = {
    'overhead_ratio': 1.15,
    'overhead_over_echo_ms': 0.3,
    'p99_over_p50': 1.3,
    'infer_ratio': 1.03,
}
NODE_BARS = {'node.rss_mb': 250.0, 'node.idle_cpu_percent': 3.0}


# Of a picture: stamp, moment of publishing, moment of the answer or None; nanoseconds.
Times: TypeAlias = tuple[int, int, int | None]


@dataclass(frozen=True, slots=True)
class Samples:
    """Milliseconds, in the order in which they were measured, each inner list being a round."""

    bare: list[list[float]] = field(default_factory=list)
    node: list[list[float]] = field(default_factory=list)
    echo: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit and the figure that it is about."""

    name: str
    value: float
    limit: float

    @property
    def met(self) -> bool:
        return self.value <= self.limit


def answers_ms(times: Sequence[Times]) -> list[float]:
    """Return how long the answers took; pictures without an answer are left out."""
    return [
        (answered - published) / 1e6 for _, published, answered in times if answered is not None
    ]


def model_figures(samples: Samples) -> dict[str, float]:
    """Return the figures of one model; medians and percentiles are taken over all rounds."""
    bare, node, echo = (
        np.concatenate([np.asarray(each, np.float64) for each in rounds])
        for rounds in (samples.bare, samples.node, samples.echo)
    )
    a, b, c = (float(np.median(each)) for each in (bare, node, echo))
    p99 = float(np.percentile(node, 99))
    return {
        'bare_p50_ms': a,
        'node_p50_ms': b,
        'node_p99_ms': p99,
        'echo_p50_ms': c,
        'overhead_ratio': b / a,
        'overhead_over_echo_ms': (b - a) - c,
        'p99_over_p50': p99 / b,
    }


def bars(figures: Mapping[str, float]) -> list[Bar]:
    """Return the bar of each figure that has one."""
    limits = {
        name: NODE_BARS.get(name, MODEL_BARS.get(name.rpartition('.')[2])) for name in figures
    }
    return [
        Bar(name, value=figures[name], limit=limit)
        for name, limit in limits.items()
        if limit is not None
    ]
