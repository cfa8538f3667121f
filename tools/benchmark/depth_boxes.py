# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Measure what the stage ``depth`` costs a frame: ``python -m tools.benchmark.depth_boxes``."""

from __future__ import annotations

from collections.abc import Iterator
import time

import numpy as np

from edge_perception import contract
from edge_perception.depth import DepthStage

WIDTH, HEIGHT, RUNS = 640, 480, 300


def table() -> Iterator[str]:
    """Return milliseconds by number and side of boxes, and multiples of one box, in Markdown."""
    recipe = contract.InputRecipe(width=WIDTH, height=HEIGHT)
    manifest = contract.ModelManifest(name='n', source='n.onnx', input=recipe, decoder='none')
    options = contract.parse_options(DepthStage.options_type, {'depth_topic': 'x'}, owner='depth')
    stage, one = DepthStage(manifest, options=options), 0.0
    yield '| boxes | side, pixels | p50 ms | p95 ms | of one box |\n|---|---|---|---|---|'
    for count, side in ((1, 40), (20, 40), (20, 200), (20, 640), (100, 200)):
        inputs, times = inputs_of(count, side), []
        for _ in range(RUNS):
            started = time.perf_counter()
            stage.run(inputs)
            times.append((time.perf_counter() - started) * 1e3)
        p50, p95 = np.percentile(times, (50, 95))
        one = one or p50
        yield f'| {count} | {side} | {p50:.2f} | {p95:.2f} | {p50 / one:.1f} |'


def inputs_of(count: int, side: int) -> contract.StageInputs:
    """Return boxes of a side somewhere in the image of a wall."""
    random = np.random.default_rng(0)
    corners = random.uniform(0, (WIDTH - 40, HEIGHT - 40), (count, 2))
    boxes = np.hstack([corners, corners + side]).astype(np.float32)
    score, class_id = np.ones(count, np.float32), np.zeros(count, np.int32)
    frame = contract.Frame(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    depth = random.normal(3000, 30, (HEIGHT, WIDTH)).astype(np.uint16)
    return contract.StageInputs(
        frame,
        contract.Perception(detections=contract.Detections(boxes, score, class_id)),
        contract.ImageTransform(WIDTH, HEIGHT, WIDTH, HEIGHT),
        calibration=contract.Calibration.guessed(frame),
        images={'depth': contract.SideImage(depth, '16UC1', 0, '')},
    )


if __name__ == '__main__':
    print(*table(), sep='\n')
