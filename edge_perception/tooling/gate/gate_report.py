# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The verdict of the gate as one HTML file: what breaks, and the pictures side by side."""

from __future__ import annotations

import base64
from collections.abc import Iterable
import html

import cv2
import numpy as np

from edge_perception.contract import Frame
from edge_perception.contract import ModelManifest
from edge_perception.contract import Perception
from edge_perception.contract.types import UInt8Array
from edge_perception.runtime.drawing import draw
from edge_perception.tooling.gate.comparison import Check
from edge_perception.tooling.gate.comparison import Comparison
from edge_perception.tooling.gate.comparison import Verdict

WIDEST = 640  # pixels of a picture in the report

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 84rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .2rem 1.2rem .2rem 0; border-bottom: 1px solid #ddd; }
th { font-weight: 600; }
tr.bad td { color: #b00020; font-weight: 600; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; margin: 1rem 0 2rem; }
figure { margin: 0; }
img { width: 100%; height: auto; }
figcaption { color: #555; }
"""


def page(
    verdict: Verdict, *, title: str, rows: Iterable[tuple[str, str]], manifest: ModelManifest
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
    facts = ''.join(
        f'<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>\n'
        for name, value in (*rows, *(('note', note) for note in verdict.notes))
    )
    pairs = ''.join(_pair(each, manifest) for each in verdict.worst)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n'
        f'<h1>{html.escape(title)}</h1>\n{judgment}<table>\n{facts}</table>\n'
        f'<h2>Figures and limits</h2>\n{_checks(verdict.checks)}'
        f'<h2>The pictures that differ most</h2>\n{pairs}</body>\n</html>\n'
    )


def _checks(checks: Iterable[Check]) -> str:
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
    return 'data:image/jpeg;base64,' + base64.b64encode(data.tobytes()).decode('ascii')
