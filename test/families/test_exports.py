# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Exports of Ultralytics are read as Ultralytics reads them: ``make test-families``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_perception.contract import Frame
from edge_perception.contract import Perception
from edge_perception.models.assembly import assemble
from edge_perception.models.drafting import draft_file
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from test.families.exporter import CASES
from test.families.exporter import SCORE
from test.families.exporter import SUPPRESS

VARIABLE = 'EDGE_PERCEPTION_TEST_FAMILIES'
ENGINES = ('onnxruntime', 'openvino')
# As the issue of a score or a pixel that rounding in another order makes.
PIXELS, SCORES = 1.0, 0.005
COMPARED = 50  # the best ones; behind them scores tie


@pytest.fixture(scope='module')
def exports() -> Path:
    folder = os.environ.get(VARIABLE)
    if not folder:
        pytest.skip('exports by Ultralytics need an environment of their own: make test-families')
    return Path(folder)


def perceive(folder: Path, name: str, engine: str) -> Perception:
    request = Request(
        model=str(folder / f'case_{name}.onnx'),
        engine=engine,
        score_threshold=SCORE - 2 * SCORES,
        iou_threshold=SUPPRESS,
        max_detections=2000,
    )
    host = PluginHost()
    assembled = assemble(host, request, model=find(host, request.model))
    image = cv2.imread(str(folder / 'image.png'))
    with assembled.pipeline.engine:
        found = assembled.pipeline.process(Frame(image), selection=assembled.selection)
    return found.perception


def find(host: PluginHost, path: str):
    from edge_perception.models.finding import find_model

    return find_model(path, draft=lambda each: draft_file(host, each))


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('name', CASES)
def test_what_ultralytics_finds_is_found(name, engine, exports):
    record = json.loads((exports / f'{name}.json').read_text())
    if record['problem']:
        pytest.skip(f'Ultralytics {record["version"]}: {record["problem"]}')
    seen = perceive(exports, name, engine)
    if 'classes' in record:
        scores = np.zeros(len(record['classes']))
        scores[seen.classes.class_id] = seen.classes.score
        known = scores > 0
        np.testing.assert_allclose(scores[known], np.array(record['classes'])[known], atol=SCORES)
        return
    assert len(record['score']) >= COMPARED
    ours, (height, width) = seen.detections, cv2.imread(str(exports / 'image.png')).shape[:2]
    # Ultralytics clips upright boxes and points to the image, and none of RT-DETR.
    clipped = ours.xyxy
    if 'rotated' not in record and 'rtdetr' not in name:
        clipped = np.clip(ours.xyxy, 0, [width, height] * 2)
    for row in range(COMPARED):
        near = ours.class_id == record['class_id'][row]
        near &= np.abs(clipped - record['xyxy'][row]).max(axis=1) < PIXELS
        near &= np.abs(ours.score - record['score'][row]) < SCORES
        assert near.any(), f'row {row}: {record["xyxy"][row]}'
        if 'rotated' in record:
            assert np.abs(ours.rotated[near] - record['rotated'][row]).max(axis=1).min() < PIXELS
        if 'keypoints' in record:
            points = np.array(record['keypoints'][row])
            places = np.clip(seen.keypoints.xy[near], 0, [width, height])
            apart = np.abs(places - points[:, :2]).max(axis=(1, 2))
            assert apart.min() < PIXELS


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('name', [name for name in CASES if 'seg' in name])
def test_masks_are_those_of_ultralytics(name, engine, exports):
    """Those of all objects together: with equal scores it is open whose is on top."""
    record = json.loads((exports / f'{name}.json').read_text())
    if record['problem']:
        pytest.skip(f'Ultralytics {record["version"]}: {record["problem"]}')
    height, width = record['masks']['shape']
    bits = np.frombuffer(bytes.fromhex(record['masks']['bits']), np.uint8)
    union = np.unpackbits(bits, count=height * width).reshape(height, width) > 0
    seen = perceive(exports, name, engine)
    assert (height, width) == seen.instances.shape
    ours = seen.instances > 0
    assert 0.02 < union.mean() < 0.95
    assert (union & ours).sum() / (union | ours).sum() > 0.97
