# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Decoders whose real models exist only as TFLite files."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from test.decoders.network import LiteNetwork

pytest.importorskip(
    'ai_edge_litert.interpreter', reason='LiteRT (ai-edge-litert) is not installed'
)


@pytest.fixture
def goldens(shared_data):
    return json.loads((shared_data / 'golden' / 'classify_segment_ssd.json').read_text())


def test_ssd_finds_the_golden_cats_and_dogs(open_model, shared_data, goldens):
    (golden,) = (
        value['dets']
        for key, value in goldens.items()
        if key.startswith('ssd|') and 'no_metadata' not in key and key.endswith('|LINEAR')
    )
    network = open_model('ssd_mobilenet_v1', LiteNetwork)
    image = cv2.imread(str(shared_data / 'ssd_mobilenet_v1_coco' / 'cats_and_dogs.jpg'))
    found = network.perceive(image).detections
    labels = [network.manifest.labels.name(index) for index in found.class_id]
    assert labels == [each['label'] for each in golden]
    np.testing.assert_allclose(found.score, [each['score'] for each in golden], atol=0.005)
    boxes = np.array([each['xywh'] for each in golden])
    sizes = found.xyxy[:, 2:] - found.xyxy[:, :2]
    np.testing.assert_allclose(found.xyxy[:, :2], boxes[:, :2], atol=1)
    np.testing.assert_allclose(sizes, boxes[:, 2:], atol=1)


@pytest.mark.parametrize('picture', ['cat.bmp', 'grace_hopper.bmp'])
def test_classes_of_a_network_in_8_bits_are_the_golden_ones(
    picture, open_model, shared_data, goldens
):
    golden = goldens[f'cls|mobilenet_v2_1.0_224_quant.tflite|{picture}']['top']
    image = cv2.imread(str(shared_data / 'classifiers' / picture))
    found = open_model('mobilenet_v2_quant', LiteNetwork).perceive(image).classes
    assert found.class_id.tolist() == [index for index, _, _ in golden]
    assert found.score.tolist() == pytest.approx([score for _, _, score in golden], abs=0.0001)


def test_pose_is_the_golden_one(open_model, shared_data, goldens):
    golden = np.array(goldens['movenet|litert|squat.bmp']['keypoints_yx_score'])
    image = cv2.imread(str(shared_data / 'movenet_lightning' / 'squat.bmp'))
    found = open_model('movenet_lightning_tflite', LiteNetwork).perceive(image).keypoints
    size = [image.shape[1], image.shape[0]]
    np.testing.assert_allclose(found.xy[0] / size, golden[:, 1::-1], atol=0.04)


@pytest.mark.parametrize('rotation', [0, 90, 180, 270])
def test_mask_is_the_golden_picture(rotation, open_model, shared_data):
    folder = shared_data / 'deeplab'
    image = cv2.imread(str(folder / 'segmentation_input_rotation0.jpg'))
    golden = cv2.imread(str(folder / 'segmentation_golden_rotation0.png'), cv2.IMREAD_GRAYSCALE)
    # The camera is turned the other way, so that the network sees the picture upright.
    image, golden = (
        np.ascontiguousarray(np.rot90(each, rotation // 90)) for each in (image, golden)
    )
    mask = open_model('deeplab_v3', LiteNetwork, rotation=rotation).perceive(image).mask
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask * 10, golden)
