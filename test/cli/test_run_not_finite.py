# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Scores that are no numbers are told by ``run``, as the node tells them."""

from __future__ import annotations

import json

import cv2
import numpy as np

from edge_perception.cli.perception import run
from edge_perception.contract import dump_manifest
from edge_perception.models.plugin_host import PluginHost
from edge_perception.testing import FakeDecoder
from edge_perception.testing import FakeEngineType
from test.support.networks import manifest_for


class Scores(FakeDecoder):
    """Takes what the engine gives for scores of 10 cells, the box stays."""

    def _decode(self, tensors, transform, selection):
        self.usable(tensors['scores'])
        return super()._decode(tensors, transform, selection)


def test_their_share_is_said_once_and_stands_in_every_frame(invoke, monkeypatch, tmp_path):
    scores = np.full(10, 0.5, np.float32)
    scores[:4] = np.nan
    host = PluginHost(candidates=[])
    host.engines['fake'] = FakeEngineType(outputs={'scores': scores})
    host.decoders['fake'] = Scores
    monkeypatch.setattr(run, 'PluginHost', lambda: host)
    manifest = dump_manifest(manifest_for()) | {'decoder': {'name': 'fake'}}
    (tmp_path / 'net.onnx').touch()
    (tmp_path / 'model.yaml').write_text(json.dumps(manifest))
    images = [tmp_path / f'{name}.png' for name in 'ab']
    for image in images:
        cv2.imwrite(str(image), np.zeros((8, 8, 3), np.uint8))
    result = invoke('run', tmp_path, *images, '--engine', 'fake', '--json')
    assert result.exit_code == 0, result.stderr
    frames = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(each['not_finite'], len(each['detections'])) for each in frames] == [(0.4, 1)] * 2
    assert result.stderr.count('40% of the scores are not finite') == 1
    assert 'a.png: 40%' in result.stderr
