# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A model file that says enough of itself runs without a manifest."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from test.cli.ultralytics_export import save_classifier
from test.cli.ultralytics_export import save_detector
from test.cli.ultralytics_export import save_end_to_end
from test.cli.ultralytics_export import save_pose


@pytest.fixture
def see(invoke, tmp_path):
    """Show a picture of one color, twice as large as the input, to a model."""

    def show(model: Path, *, blue=0, green=0, red=0, size=(128, 128)) -> dict:
        picture = np.empty((*size, 3), np.uint8)
        picture[:] = (blue, green, red)
        cv2.imwrite(str(tmp_path / 'picture.png'), picture)
        result = invoke('run', model, tmp_path / 'picture.png', '--json')
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return show


@pytest.mark.parametrize(
    ('color', 'label'),
    [({'red': 255}, 'red'), ({'green': 255}, 'green'), ({'blue': 204}, 'blue')],
)
def test_a_detector_gets_rgb_from_0_to_1(see, tmp_path, color, label):
    (found,) = see(save_detector(tmp_path / 'colors.onnx'), **color)['detections']
    assert found['label'] == label
    assert found['score'] == pytest.approx(max(color.values()) / 255, abs=0.001)
    assert found['xyxy'] == pytest.approx([44, 38, 84, 58], abs=0.1)


def test_a_detector_gets_a_centerd_letterbox_of_gray(see, tmp_path):
    """Half of the input is the picture, half is 114 of 255."""
    model = save_detector(tmp_path / 'colors.onnx')
    (found,) = see(model, red=255, size=(64, 128))['detections']
    assert found['score'] == pytest.approx((255 + 114) / 2 / 255, abs=0.002)
    # 32 rows of input in the middle: 16 rows of padding above.
    assert found['xyxy'] == pytest.approx([44, 38 - 32, 84, 58 - 32], abs=0.1)


def test_a_pose_model_names_its_keypoints(see, tmp_path):
    seen = see(save_pose(tmp_path / 'pose.onnx'), green=255)
    (instance,) = seen['keypoints']
    points = [(each['name'], each['x'], each['y']) for each in instance['points']]
    assert points == [('kp0', 60, 44), ('kp1', 68, 52)]
    named = save_pose(tmp_path / 'named.onnx', kpt_names={0: ['nose', 'tail']})
    (instance,) = see(named, green=255)['keypoints']
    assert [each['name'] for each in instance['points']] == ['nose', 'tail']


@pytest.mark.parametrize('marks', [{'end2end': True}, {'end2end': False, 'args': {'nms': True}}])
def test_a_network_with_suppression_inside(see, tmp_path, marks):
    (found,) = see(save_end_to_end(tmp_path / 'e2e.onnx', **marks), red=255)['detections']
    assert (found['label'], found['score']) == ('red', 1.0)
    assert found['xyxy'] == pytest.approx([44, 38, 84, 58], abs=0.1)


def test_a_classifier(see, tmp_path):
    seen = see(save_classifier(tmp_path / 'classes.onnx'), blue=255)
    assert seen['detections'] is None
    assert seen['classes'] == [{'class_id': 2, 'label': 'blue', 'score': 1.0}]


@pytest.mark.parametrize(
    ('metadata', 'said'),
    [
        ({'names': '{0: "red", 1'}, 'the class names'),
        ({'names': ['red', 'green']}, 'is not what 2 classes and 0 keypoints give'),
        ({'names': '__import__("os").abort()'}, 'the class names'),
    ],
)
def test_what_cannot_be_known_is_refused_and_said(invoke, street, tmp_path, metadata, said):
    result = invoke('run', save_detector(tmp_path / 'model.onnx', **metadata), street)
    assert result.exit_code == 2
    assert said in result.stderr
    assert 'edge-perception inspect' in result.stderr


@pytest.mark.parametrize('command', ['run', 'verify'])
def test_what_no_draft_can_help_with_is_refused_without_one(invoke, street, tmp_path, command):
    model = save_detector(tmp_path / 'model.onnx', task='depth')
    words = {
        'run': [model, street],
        'verify': [model, '--reference', model, '--images', street.parent],
    }
    result = invoke(command, *words[command])
    assert result.exit_code == 2
    assert "the task 'depth'" in result.stderr
    assert '--draft' not in result.stderr
    assert '--manifest' not in result.stderr


def test_the_draft_of_an_export_is_complete(invoke, see, tmp_path):
    model = save_detector(tmp_path / 'colors.onnx')
    result = invoke('inspect', model, '--draft')
    assert result.exit_code == 0, result.stderr
    assert 'does not say' not in result.stdout
    manifest = (tmp_path / 'model.yaml').read_text()
    assert 'AGPL-3.0' in manifest
    (found,) = see(tmp_path, red=255)['detections']
    assert found['label'] == 'red'
