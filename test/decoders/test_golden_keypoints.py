# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Faces and poses are where they were found before."""

from __future__ import annotations

import csv
import json

import cv2
import numpy as np
import pytest

from edge_perception.contract import Selection
from test.decoders.network import ONNX_ENGINES

pytestmark = pytest.mark.parametrize('engine', ONNX_ENGINES, indirect=True)

FACES = [
    ('yunet_320', 'yunet_n_320_320.onnx', 'grace_hopper.bmp'),
    ('yunet_320', 'yunet_n_320_320.onnx', 'coco/000000252219.jpg'),
    ('yunet_dynamic', 'yunet_n_dynamic.onnx', 'grace_hopper.bmp'),
    ('yunet_dynamic', 'yunet_n_dynamic.onnx', 'coco/000000252219.jpg'),
]
PICTURES = {
    'grace_hopper.bmp': 'classifiers/grace_hopper.bmp',
    'coco/000000252219.jpg': 'coco_cc20/images/000000252219.jpg',
}


def face_rows(perception, scale: np.ndarray) -> np.ndarray:
    """Return x, y, width, height, five points and score of each face, in pixels of the input."""
    boxes = perception.detections.xyxy * np.tile(scale, 2)
    columns = [
        boxes[:, :2],
        boxes[:, 2:] - boxes[:, :2],
        (perception.keypoints.xy * scale).reshape(-1, 10),
        perception.detections.score[:, None],
    ]
    return np.concatenate(columns, axis=1)


@pytest.mark.parametrize('model, file, picture', FACES)
def test_faces_and_landmarks_are_the_golden_ones(model, file, picture, open_model, shared_data):
    goldens = json.loads((shared_data / 'golden' / 'faces.json').read_text())
    golden = goldens[f'face|{file}|cv2.FaceDetectorYN|{picture}']
    size = golden['input']
    image = cv2.imread(str(shared_data / PICTURES[picture]))
    scale = np.array([size[0] / image.shape[1], size[1] / image.shape[0]])
    found = face_rows(open_model(model, size=size).perceive(image), scale)
    assert len(found) == golden['n']
    np.testing.assert_allclose(found[0, :-1], golden['first'][:-1], atol=0.1)
    assert found[0, -1] == pytest.approx(golden['first'][-1], abs=0.005)


@pytest.mark.parametrize('model, file, picture', FACES)
def test_faces_are_those_of_opencv(model, file, picture, open_model, shared_data):
    size = (320, 320) if model == 'yunet_320' else (512, 416)
    image = cv2.imread(str(shared_data / PICTURES[picture]))
    scale = np.array([size[0] / image.shape[1], size[1] / image.shape[0]])
    # What OpenCV finds depends on its own threshold for suppression, 0.3, as in our manifest.
    try:
        opencv = cv2.FaceDetectorYN.create(str(shared_data / 'yunet' / file), '', size, 0.6, 0.3)
        _, expected = opencv.detect(cv2.resize(image, size))
    except (AttributeError, cv2.error):
        pytest.skip(f'OpenCV {cv2.__version__} cannot read this version of YuNet')
    expected = expected[np.argsort(-expected[:, -1])]
    found = face_rows(open_model(model, size=size).perceive(image), scale)
    np.testing.assert_allclose(found, expected, atol=0.01)


def read_reference(path) -> np.ndarray:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return np.array([[float(row['keypoint_x']), float(row['keypoint_y'])] for row in rows])


def test_pose_is_that_of_the_reference(open_model, shared_data):
    folder = shared_data / 'movenet_lightning'
    image = cv2.imread(str(folder / 'squat.bmp'))
    found = open_model('movenet_lightning').perceive(image).keypoints
    assert found.xy.shape == (1, 17, 2)
    reference = read_reference(folder / 'movenet_single_pose_lightning_ptq_reference.csv')
    size = [image.shape[1], image.shape[0]]
    # Positions only: scores of 8-bit runtimes differ by up to 0.56.
    np.testing.assert_allclose(found.xy[0] / size, reference, atol=0.04)
    assert ((found.score > 0.1) & (found.score <= 1)).all()


def test_keypoints_below_the_threshold_are_unseen(open_model, shared_data):
    image = cv2.imread(str(shared_data / 'movenet_lightning' / 'squat.bmp'))
    network = open_model('movenet_lightning')
    every = network.perceive(image, Selection(score_threshold=0)).keypoints
    middle = float(np.median(every.score))
    found = network.perceive(image, Selection(score_threshold=middle)).keypoints
    unseen = every.score < middle
    assert unseen.any()
    assert np.isnan(found.xy[unseen]).all()
    assert (found.score[unseen] == 0).all()
    np.testing.assert_array_equal(found.xy[~unseen], every.xy[~unseen])
    nobody = network.perceive(image, Selection(score_threshold=1)).keypoints
    assert nobody.xy.shape == (0, 17, 2)
