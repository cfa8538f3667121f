# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Run a model from image to results without ROS.

In step with the camera where its rate is given, because between two frames of a camera caches and
clocks cool down, and what ROS adds is to be compared with the same network under the same
conditions. As a process: ``python -m tools.benchmark.bare_loop ORDER``, the order in JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from itertools import count
from itertools import takewhile
import json
from pathlib import Path
import sys
import time

import numpy as np

from edge_perception.contract import Calibration
from edge_perception.contract import Frame
from edge_perception.models.assembly import assemble
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from edge_perception.simulation.playback import paced
from tools.benchmark.subjects import ENGINE
from tools.benchmark.subjects import frames_in
from tools.benchmark.subjects import LENS
from tools.benchmark.subjects import Subject
from tools.benchmark.subjects import THREADS

# Long enough for a figure, short enough to be repeated.
SECONDS = 2.0


@dataclass(slots=True)
class BareLoop:
    """
    What was measured, of each frame.

    :param counts: of detections.
    :param times_ns: of the stages, by name.
    """

    samples_ms: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    times_ns: list[Mapping[str, int]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Detections in a frame, on average."""
        return round(float(np.mean(self.counts)))

    @property
    def stages_ms(self) -> dict[str, float]:
        """Medians of the stages by name."""
        names = self.times_ns[0]
        return {name: float(np.median([ns[name] for ns in self.times_ns])) / 1e6 for name in names}


def run_bare(
    subject: Subject, *, seconds: float = SECONDS, rate_hz: float = 0.0, warm_up_s: float = 0.0
) -> BareLoop:
    """
    Preprocess, infer and decode frame by frame.

    :param rate_hz: 0 for back to back.
    :param warm_up_s: before what is measured, in step only.
    """
    options = {ENGINE: {'threads': THREADS}}
    request = Request(model=str(subject.folder), engine=ENGINE, engine_options=options)
    assembled = assemble(PluginHost(), request)
    pipeline = assembled.pipeline
    # What the node hears from the camera.
    lens = Calibration(LENS.width, LENS.height, k=tuple(LENS.matrix.ravel()), d=LENS.distortion)
    pipeline.suppliers = {'calibration': lambda frame: lens}
    frames = [Frame(image) for image in np.load(subject.images)]
    found, warm_up = BareLoop(), round(warm_up_s * rate_hz)
    end = time.monotonic() + seconds
    numbers: Iterator[int] = takewhile(
        lambda number: not number or time.monotonic() < end, count()
    )
    if rate_hz:
        numbers = paced(warm_up + frames_in(seconds, rate_hz), rate_hz=rate_hz)
    for number in numbers:
        began_ns = time.monotonic_ns()
        result = pipeline.process(frames[number % len(frames)], selection=assembled.selection)
        elapsed_ns = time.monotonic_ns() - began_ns
        if number >= warm_up:
            detections = result.perception.detections
            found.samples_ms.append(elapsed_ns / 1e6)
            found.counts.append(0 if detections is None else len(detections))
            found.times_ns.append(result.times)
    pipeline.engine.deactivate()
    return found


def typical_ms(subject: Subject) -> float:
    """Return how long a frame takes."""
    # Not the median: what else the machine does now and then is no part of the engine.
    return float(np.percentile(run_bare(subject).samples_ms, 20))


if __name__ == '__main__':
    order = json.loads(sys.argv[1])
    measured = run_bare(Subject('', Path(order.pop('folder')), Path(order.pop('images'))), **order)
    print(json.dumps(asdict(measured)))
