# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import cv2
import pytest

from edge_perception.contract import Selection
from test.decoders.network import ONNX_ENGINES

pytestmark = pytest.mark.parametrize('engine', ONNX_ENGINES, indirect=True)


def test_classes_are_the_golden_ones(open_model, shared_data):
    # The ONNX file was converted from the float network whose golden this is.
    goldens = json.loads((shared_data / 'golden' / 'classify_segment_ssd.json').read_text())
    golden = goldens['cls|mobilenet_v1_0.25_224_1_metadata_1.tflite|burger.jpg']['top']
    network = open_model('mobilenet_v1')
    image = cv2.imread(str(shared_data / 'tflite_metadata' / 'burger.jpg'))
    found = network.perceive(image).classes
    assert found.class_id.tolist() == [index for index, _, _ in golden]
    assert found.score.tolist() == pytest.approx([score for _, _, score in golden], abs=0.005)
    assert network.manifest.labels.name(int(found.class_id[0])) == 'cheeseburger'


def test_only_the_classes_that_were_asked_for_are_told(open_model, shared_data):
    network = open_model('mobilenet_v1')
    image = cv2.imread(str(shared_data / 'classifiers' / 'cat.bmp'))
    every = network.perceive(image, Selection(score_threshold=0.1)).classes
    assert every.class_id.tolist() == [286, 282, 283]
    some = Selection(score_threshold=0.0, class_ids=frozenset({283, 286, 1}), max_detections=2)
    found = network.perceive(image, some).classes
    assert found.class_id.tolist() == [286, 283]
    assert found.score.tolist() == [every.score[0], every.score[2]]
    nothing = network.perceive(image, Selection(score_threshold=0.99)).classes
    assert nothing.class_id.shape == nothing.score.shape == (0,)
