# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Make the HTML report of a gate verdict: figures, limits, and the worst images side by side."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge_perception.contract import ModelManifest
from edge_perception.runtime.drawing import draw
from edge_perception.tooling.gate.comparison import Comparison
from edge_perception.tooling.gate.comparison import GateVerdict
from edge_perception.tooling.reports.page import page

WIDEST = 640  # pixels of an image in the report


def gate_page(
    verdict: GateVerdict, *, title: str, rows: Sequence[tuple[str, str]], manifest: ModelManifest
) -> str:
    """
    Return the report as HTML; it needs no other file.

    :param rows: name and value of what is to be known of the two sides.
    :param manifest: has the names of classes, and the skeleton.
    """
    judgment = [('verdict', 'Passed.' if verdict.passed else 'Rejected.')]
    figures = [
        (
            f'{check.subject}: {check.name}',
            f'{check.measured}, limit {check.limit:g}: {"passes" if check.passed else "FAILS"}',
        )
        for check in verdict.checks
    ]
    pairs = [(_caption(each), _side_by_side(each, manifest)) for each in verdict.worst]
    facts, notes = [*judgment, *rows, *figures], (*verdict.problems, *verdict.notes)
    return page(title=title, rows=facts, plots={}, images=pairs, notes=notes)


def _caption(comparison: Comparison) -> str:
    agreement = comparison.agreement
    told = f'{comparison.name}, reference left, candidate right: {agreement.counts()}'
    if wrong := agreement.keypoints_missed + agreement.keypoints_false:
        told += f', {wrong} of {agreement.keypoints} keypoints missed or false'
    return told


def _side_by_side(comparison: Comparison, manifest: ModelManifest) -> bytes:
    """Return what reference and candidate see, drawn into the image, as one JPEG."""
    frame, labels, skeleton = comparison.frame, manifest.labels, manifest.skeleton
    shrink = min(1.0, WIDEST / max(frame.width, frame.height))
    sides = [
        cv2.resize(
            draw(frame, seen, labels=labels, skeleton=skeleton),
            None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA,
        )
        for seen in (comparison.reference, comparison.candidate)
    ]  # fmt: skip
    gap = np.full((sides[0].shape[0], WIDEST // 40, 3), 255, np.uint8)
    both = np.hstack([sides[0], gap, sides[1]])
    _, data = cv2.imencode('.jpg', both, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return data.tobytes()
