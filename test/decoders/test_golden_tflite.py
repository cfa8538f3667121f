# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Real TFLite files through the engine ``litert``, the pipeline and their decoders."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from edge_perception.contract import Frame
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.assembly import assemble
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from test.decoders.network import LiteNetwork

pytest.importorskip(
    'ai_edge_litert.interpreter', reason='LiteRT (ai-edge-litert) is not installed'
)


@pytest.fixture
def goldens(shared_data):
    return json.loads((shared_data / 'golden' / 'classify_segment_ssd.json').read_text())


MARGIN = 0.02
# Of a score in 8 bits. Kernels for Arm round some sums the other way: the last layer may be one
# step off, and a score of SSD, behind a sigmoid and another scale, three.
STEP, CLASSIFIER_STEPS, SSD_STEPS = 1 / 256, 1, 3


def without_partner(found, golden, network) -> list:
    """Return what only one side sees, but for what lies right at the threshold."""
    found = [
        (network.manifest.labels.name(class_id), score, xyxy)
        for class_id, score, xyxy in zip(found.class_id, found.score, found.xyxy)
    ]
    golden = [(each['label'], each['score'], np.array(each['xyxy'])) for each in golden]
    sure = network.manifest.selection.score_threshold + MARGIN
    return [
        (label, score, xyxy)
        for wanted, given in ((golden, found), (found, golden))
        for label, score, xyxy in wanted
        if score >= sure
        and not any(
            each[0] == label
            and abs(each[1] - score) < MARGIN / 2
            and np.abs(each[2] - xyxy).max() < 1
            for each in given
        )
    ]


@pytest.mark.parametrize(
    ('model', 'key', 'shape', 'allowed'),
    [
        (
            'light_person_detector_tflite',
            'light_person_detector/model.tflite',
            (1, 3, 192, 192),
            0,
        ),
        # Weights in half precision move one pair of boxes over the threshold of the suppression.
        ('yolox_nano_fp16', 'yolox_nano.onnx', (1, 3, 416, 416), 2),
    ],
)
def test_detectors_find_the_golden_boxes(model, key, shape, allowed, open_model, shared_data):
    golden = json.loads((shared_data / 'golden' / 'detections.json').read_text())[key]['images']
    network = open_model(model, LiteNetwork)
    assert network.engine.inputs[0].shape == shape  # TFLite does not always mean NHWC
    lonely = []
    for name, expected in golden.items():
        image = cv2.imread(str(shared_data / 'coco_cc20' / 'images' / name))
        lonely += without_partner(network.perceive(image).detections, expected, network)
    assert len(lonely) <= allowed, lonely
    assert sum(map(len, golden.values())) > 5


@pytest.mark.parametrize('model', ['ssd_mobilenet_v1', 'ssd_mobilenet_v1_no_metadata'])
def test_ssd_finds_the_golden_cats_and_dogs(model, open_model, shared_data, goldens):
    (golden,) = (
        value['dets']
        for key, value in goldens.items()
        if key.startswith('ssd|')
        and ('no_metadata' in key) == ('no_metadata' in model)
        and key.endswith('|LINEAR')
    )
    network = open_model(model, LiteNetwork)
    image = cv2.imread(str(shared_data / 'ssd_mobilenet_v1_coco' / 'cats_and_dogs.jpg'))
    found = network.perceive(image).detections
    labels = [network.manifest.labels.name(index) for index in found.class_id]
    assert labels == [each['label'] for each in golden]
    expected = [each['score'] for each in golden]
    np.testing.assert_allclose(found.score, expected, atol=SSD_STEPS * STEP + 1e-4)
    boxes = np.array([each['xywh'] for each in golden])
    sizes = found.xyxy[:, 2:] - found.xyxy[:, :2]
    np.testing.assert_allclose(found.xyxy[:, :2], boxes[:, :2], atol=1)
    np.testing.assert_allclose(sizes, boxes[:, 2:], atol=1)


@pytest.mark.parametrize('picture', ['cat.bmp', 'grace_hopper.bmp'])
@pytest.mark.parametrize(
    ('model', 'file'),
    [
        ('mobilenet_v1_quant', 'mobilenet_v1_0.25_128_quant.tflite'),
        ('mobilenet_v2_quant', 'mobilenet_v2_1.0_224_quant.tflite'),
    ],
)
def test_classes_of_a_network_in_8_bits_are_the_golden_ones(
    model, file, picture, open_model, shared_data, goldens
):
    golden = goldens[f'cls|{file}|{picture}']['top']
    image = cv2.imread(str(shared_data / 'classifiers' / picture))
    found = open_model(model, LiteNetwork).perceive(image).classes
    assert found.class_id[0] == golden[0][0]
    seen = dict(zip(found.class_id.tolist(), found.score.tolist()))
    assert seen == pytest.approx(
        {index: score for index, _, score in golden}, abs=CLASSIFIER_STEPS * STEP + 1e-4
    )


def test_a_manifest_in_real_numbers_gives_the_same_classes(open_model, shared_data, tmp_path):
    """The host quantizes what the manifest normalizes."""
    in_bytes = open_model('mobilenet_v2_quant', LiteNetwork)
    manifest = tmp_path / 'mobilenet_v2_quant' / 'model.yaml'
    text = manifest.read_text().replace('dtype: uint8', 'mean: 127.5\n  std: 127.5')
    manifest.write_text(text)
    in_real_numbers = LiteNetwork(manifest.parent)
    assert in_real_numbers.manifest.input.dtype == 'float32'
    image = cv2.imread(str(shared_data / 'classifiers' / 'cat.bmp'))
    expected = in_bytes.perceive(image).classes
    found = in_real_numbers.perceive(image).classes
    assert found.class_id.tolist() == expected.class_id.tolist()
    assert found.score.tolist() == pytest.approx(expected.score.tolist(), abs=0.03)


@pytest.mark.parametrize(
    'file', ['mobilenet_v1_0.25_224_quant.tflite', 'mobilenet_v1_0.25_224_1_metadata_1.tflite']
)
def test_a_bare_file_with_metadata_is_a_whole_model(file, shared_data, goldens):
    """Nothing but the file is given; labels, normalization and decoder come out of it."""
    folder = shared_data / 'tflite_metadata'
    request = Request(
        model=str(folder / file),
        engine='litert',
        artifact=ArtifactRequest(allow_unverified=True),
        score_threshold=0.0,
        max_detections=3,
    )
    assembled = assemble(PluginHost(), request)
    with assembled.pipeline.engine:
        image = cv2.imread(str(folder / 'burger.jpg'))
        selection = assembled.selection
        found = assembled.pipeline.process(Frame(image), selection=selection).perception.classes
    golden = goldens[f'cls|{file}|burger.jpg']['top']
    names = [assembled.model.manifest.labels.name(index) for index in found.class_id]
    # In 8 bits the third place is shared.
    assert names[:2] == [name for _, name, _ in golden[:2]]
    assert found.score.tolist() == pytest.approx([score for _, _, score in golden], abs=0.005)


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
