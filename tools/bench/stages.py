# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Where the time of a frame goes: ``python -m tools.bench.stages``.

Camera and node use the same monotonic clock, so the moments of both make one line.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from collections.abc import Sequence
import json
from pathlib import Path
import sys

import numpy as np

from tools.bench.children import BenchmarkError
from tools.bench.children import Surroundings
from tools.bench.command import WORKSPACE
from tools.bench.figures import Times
from tools.bench.rounds import camera_arguments
from tools.bench.rounds import node_arguments
from tools.bench.settings import Settings
from tools.bench.subjects import MODELS
from tools.bench.subjects import prepare
from tools.bench.subjects import Subject

# What happens between two stations.
STAGES = {
    ('published', 'woken'): 'camera serializes, DDS carries, executor wakes up',
    ('woken', 'received'): 'image taken and made a message',
    ('received', 'served'): 'admission, hand-off to the worker',
    ('served', 'process'): 'message to frame',
    ('process', 'deliver'): 'preprocess, infer, decode, later stages',
    ('deliver', 'delivered'): 'detections to message, published',
    ('delivered', 'answered'): 'DDS carries, observer wakes up and takes',
    ('published', 'answered'): 'all',
}


def main() -> int:
    parser = argparse.ArgumentParser(prog='python -m tools.bench.stages', description=__doc__)
    parser.add_argument('--model', choices=sorted(MODELS), default='yolox_nano')
    parser.add_argument('--seconds', type=float, default=20.0)
    wanted = parser.parse_args()
    subject = prepare(wanted.model, WORKSPACE / 'work')
    if not isinstance(subject, Subject):
        print(f'error: {subject.reason}', file=sys.stderr)
        return 1
    settings = Settings(seconds=wanted.seconds)
    try:
        frames = trace(subject, settings)
    except BenchmarkError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    for line in table(frames):
        print(line)
    return 0


def trace(subject: Subject, settings: Settings) -> list[dict[str, int]]:
    """
    Return the moments of each frame that came all the way.

    :raises BenchmarkError: a process failed.
    """
    surroundings = Surroundings(WORKSPACE / 'logs')
    stations, times = WORKSPACE / 'work' / 'stations.json', WORKSPACE / 'work' / 'output.json'
    arguments = [stations, *node_arguments(subject, surroundings)]
    with surroundings.running('tools.bench.traced_node', arguments) as child:
        child.wait_until_it_says('active, ')
        film = camera_arguments(
            subject, settings, surroundings, results=surroundings.detections, output=times
        )
        surroundings.run('tools.bench.camera', film, camera=True)
    return join(json.loads(times.read_text()), _stations(stations))


def join(
    times: Sequence[Times], stations: Mapping[int, Mapping[str, int]]
) -> list[dict[str, int]]:
    """Put the moments of camera and node together, for frames that have all of them."""
    return [
        {'published': published, **stations[stamp], 'answered': answered}
        for stamp, published, answered in times
        if answered is not None and 'delivered' in stations.get(stamp, {})
    ]


def table(frames: Sequence[Mapping[str, int]]) -> list[str]:
    """Return the table of the stages in Markdown."""
    lines = ['| stage | p50 ms | p95 ms | p99 ms |', '|---|---|---|---|']
    for (start, end), name in STAGES.items():
        spans = np.array([(frame[end] - frame[start]) / 1e6 for frame in frames])
        cells = ' | '.join(f'{value:.2f}' for value in np.percentile(spans, (50, 95, 99)))
        lines.append(f'| {name} | {cells} |')
    return lines


def _stations(path: Path) -> dict[int, dict[str, int]]:
    return {int(stamp): moments for stamp, moments in json.loads(path.read_text()).items()}


if __name__ == '__main__':
    sys.exit(main())
