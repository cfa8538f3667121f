# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The verdict of the gate as one HTML file: what breaks, and the pictures side by side."""

from __future__ import annotations

from collections.abc import Iterable
import html

import cv2
import numpy as np

from edge_perception.contract import Frame
from edge_perception.contract import ModelManifest
from edge_perception.contract import Perception
from edge_perception.contract.types import UInt8Array
from edge_perception.runtime.drawing import draw
from edge_perception.tooling.gate.comparison import Comparison
from edge_perception.tooling.gate.comparison import GateVerdict
from edge_perception.tooling.gate.comparison import LimitCheck
from edge_perception.tooling.reports.page import document
from edge_perception.tooling.reports.page import embedded
from edge_perception.tooling.reports.page import facts_table

WIDEST = 640  # pixels of a picture in the report

STYLE = """
body { max-width: 84rem; }
tr.bad td { color: #b00020; font-weight: 600; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; margin: 1rem 0 2rem; }
.pair figure { margin: 0; }
.pair img { width: 100%; }
"""


def page(
    verdict: GateVerdict, *, title: str, rows: Iterable[tuple[str, str]], manifest: ModelManifest
) -> str:
    """
    Return the report as HTML; it needs no other file.

    :param rows: name and value of what is to be known of the two sides.
    :param manifest: has the names of classes, and the skeleton.
    """
    problems = ''.join(f'<li>{html.escape(each)}</li>\n' for each in verdict.problems)
    judgment = (
        f'<p><strong>Rejected.</strong></p>\n<ul>\n{problems}</ul>\n'
        if problems
        else '<p><strong>Passed.</strong></p>\n'
    )
    facts = facts_table([*rows, *(('note', note) for note in verdict.notes)])
    pairs = ''.join(_pair(each, manifest) for each in verdict.worst)
    body = (
        f'{judgment}{facts}<h2>Figures and limits</h2>\n{_checks(verdict.checks)}'
        f'<h2>The pictures that differ most</h2>\n{pairs}'
    )
    return document(title, body, style=STYLE)


def _checks(checks: Iterable[LimitCheck]) -> str:
    lines = ''.join(
        f'<tr{"" if check.passed else " class=bad"}><td>{html.escape(check.subject)}</td>'
        f'<td>{check.name}</td><td>{check.measured}</td><td>{check.limit:g}</td>'
        f'<td>{"passes" if check.passed else "fails"}</td></tr>\n'
        for check in checks
    )
    head = '<tr><th>of</th><th>figure</th><th>measured</th><th>limit</th><th></th></tr>\n'
    return f'<table>\n{head}{lines}</table>\n'


def _pair(comparison: Comparison, manifest: ModelManifest) -> str:
    agreement = comparison.agreement
    told = (
        f'{agreement.lost} lost, {agreement.invented} invented, '
        f'{agreement.class_flips} of another class'
    )
    if wrong := agreement.keypoints_lost + agreement.keypoints_invented:
        told += f', {wrong} of {agreement.keypoints} keypoints lost or invented'
    sides = (('reference', comparison.reference), ('candidate', comparison.candidate))
    figures = ''.join(
        f'<figure><img alt="{side}" src="{_picture(comparison.frame, seen, manifest)}">'
        f'<figcaption>{side}</figcaption></figure>\n'
        for side, seen in sides
    )
    name = html.escape(comparison.name)
    return f'<h3>{name}: {told}</h3>\n<div class="pair">\n{figures}</div>\n'


def _picture(frame: Frame, seen: Perception, manifest: ModelManifest) -> str:
    image: UInt8Array = draw(frame, seen, labels=manifest.labels, skeleton=manifest.skeleton)
    shrink = WIDEST / max(image.shape[:2])
    if shrink < 1:
        small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        image = np.asarray(small, np.uint8)
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return embedded(data.tobytes())
