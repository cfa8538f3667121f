# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The detectors find in the pictures of coco_cc20 what was found there before."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from edge_perception.contract import Selection
from test.decoders.network import ONNX_ENGINES

pytestmark = pytest.mark.parametrize('engine', ONNX_ENGINES, indirect=True)

GOLDENS = {
    'yolox_nano': 'yolox_nano.onnx',
    'nanodet_m': 'nanodet_m_416.onnx',
    'light_person_detector': 'light_person_detector/model.onnx',
}


@pytest.mark.parametrize('model', GOLDENS)
def test_boxes_scores_and_classes_are_the_golden_ones(model, open_model, shared_data):
    golden = json.loads((shared_data / 'golden' / 'detections.json').read_text())[GOLDENS[model]]
    network = open_model(model)
    assert network.manifest.selection.score_threshold == golden['score_threshold']
    assert network.manifest.selection.iou_threshold == golden['nms_iou']
    assert len(golden['images']) == 20
    for name, expected in golden['images'].items():
        image = cv2.imread(str(shared_data / 'coco_cc20' / 'images' / name))
        found = network.perceive(image).detections
        assert found.class_id.tolist() == [each['class_id'] for each in expected], name
        labels = [network.manifest.labels.name(index) for index in found.class_id]
        assert labels == [each['label'] for each in expected], name
        if expected:
            boxes = [each['xyxy'] for each in expected]
            np.testing.assert_allclose(found.xyxy, boxes, rtol=0, atol=1, err_msg=name)
            scores = [each['score'] for each in expected]
            np.testing.assert_allclose(found.score, scores, rtol=0, atol=0.005, err_msg=name)


def average_precision(network, folder) -> float:
    """
    Return the AP of COCO (IoU 0.50 to 0.95) on the pictures of coco_cc20.

    The goldens were made with a score threshold of 0.001, suppression at 0.65 and at most 300
    boxes in a picture; of these the evaluation takes the best 100 of each class.
    """
    coco = pytest.importorskip('pycocotools.coco', reason='pycocotools is not installed')
    evaluation = pytest.importorskip('pycocotools.cocoeval')
    truth = coco.COCO(str(folder / 'instances_val2017_cc20.json'))
    # The networks know the 80 classes of the list without its gaps.
    categories = sorted(truth.getCatIds())
    selection = Selection(score_threshold=0.001, iou_threshold=0.65, max_detections=300)
    rows = []
    for number, picture in truth.imgs.items():
        image = cv2.imread(str(folder / 'images' / picture['file_name']))
        found = network.perceive(image, selection).detections
        sizes = found.xyxy[:, 2:] - found.xyxy[:, :2]
        boxes = np.concatenate([found.xyxy[:, :2], sizes], axis=1)
        rows += [
            [number, *box, score, categories[class_id]]
            for box, score, class_id in zip(boxes, found.score, found.class_id)
        ]
    judge = evaluation.COCOeval(truth, truth.loadRes(np.array(rows)), 'bbox')
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return float(judge.stats[0])


@pytest.mark.parametrize('model', ['yolox_nano', 'nanodet_m'])
def test_average_precision_is_the_golden_one(model, open_model, shared_data):
    golden = json.loads((shared_data / 'golden' / 'coco_cc20_ap.json').read_text())
    expected = golden[f'{GOLDENS[model]}|onnxruntime']['AP']
    got = average_precision(open_model(model), shared_data / 'coco_cc20')
    assert got == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize('rotation', [90, 180, 270])
def test_a_camera_that_is_mounted_turned_gives_the_same_boxes(rotation, open_model, shared_data):
    turn = {
        90: cv2.ROTATE_90_COUNTERCLOCKWISE,
        180: cv2.ROTATE_180,
        270: cv2.ROTATE_90_CLOCKWISE,
    }[rotation]
    upright = cv2.imread(str(shared_data / 'coco_cc20' / 'images' / '000000252219.jpg'))
    expected = open_model('yolox_nano').perceive(upright).detections
    turned = cv2.rotate(upright, turn)
    found = open_model('yolox_nano', rotation=rotation).perceive(turned).detections
    assert found.class_id.tolist() == expected.class_id.tolist()
    width, height = upright.shape[1], upright.shape[0]
    x1, y1, x2, y2 = expected.xyxy.T
    where = {
        90: [y1, width - x2, y2, width - x1],
        180: [width - x2, height - y2, width - x1, height - y1],
        270: [height - y2, x1, height - y1, x2],
    }[rotation]
    np.testing.assert_allclose(found.xyxy, np.stack(where, axis=1), atol=0.5)
