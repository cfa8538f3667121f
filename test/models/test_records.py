# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import numpy as np

from edge_perception.contract import Classes
from edge_perception.contract import Frame
from edge_perception.contract import InputRecipe
from edge_perception.contract import Keypoints
from edge_perception.contract import LabelMap
from edge_perception.contract import ModelManifest
from edge_perception.contract import ObjectPose
from edge_perception.contract import Perception
from edge_perception.ros.output.saved_frame import save
from edge_perception.runtime.pipeline import Result

MANIFEST = ModelManifest(
    name='fake',
    source='net.onnx',
    decoder='fake',
    input=InputRecipe(width=4, height=4),
    labels=LabelMap(('person', 'car')),
    keypoint_names=('nose', 'eye'),
)


def test_a_saved_frame_has_everything_of_every_instance(tmp_path):
    perception = Perception(
        keypoints=Keypoints(
            xy=np.array([[[1, 2], [np.nan, np.nan]], [[5, 6], [7, 8]]], np.float32),
            score=np.array([[0.5, 0], [0.25, 0.75]], np.float32),
        ),
        classes=Classes(class_id=np.array([1]), score=np.array([0.5], np.float32)),
        mask=np.array([[0, 1], [1, 1]], np.uint8),
        poses=(ObjectPose(np.ones(3), np.array([0.0, 0, 0, 1]), np.eye(6), instance=1),),
    )
    result = Result(Frame(np.zeros((2, 2, 3), np.uint8)), perception, {})
    _, sidecar = save(result, folder=str(tmp_path), camera='', manifest=MANIFEST)
    values = json.loads(sidecar.read_text())
    assert [each['instance'] for each in values['keypoints']] == [0, 1]
    assert [len(each['points']) for each in values['keypoints']] == [2, 2]
    nose, eye = values['keypoints'][0]['points']
    assert nose == {'name': 'nose', 'x': 1.0, 'y': 2.0, 'score': 0.5}
    assert (eye['x'], eye['y']) == (None, None)
    assert values['classes'] == [{'class_id': 1, 'label': 'car', 'score': 0.5}]
    assert [each['pixels'] for each in values['mask']] == [3, 1]
    assert values['detections'] is None
    (pose,) = values['poses']
    assert pose['instance'] == 1 and pose['covariance'] == np.eye(6).tolist()
