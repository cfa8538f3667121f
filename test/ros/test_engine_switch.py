# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The same node with one engine after the other: one parameter changes, the boxes do not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter

from edge_perception.ros.output.image_messages import image_message
from test.support.world import installed_node
from test.support.world import World
from test.support.world import worlds
from tools.model_folders import model_folder

# Edges in pixels and scores, as far from those of ONNX Runtime as an engine may be: LiteRT has
# weights in float16.
TOLERANCES = {'onnxruntime': (1e-3, 1e-5), 'openvino': (0.05, 1e-3), 'litert': (5.0, 0.03)}
PICTURES = 8


@pytest.fixture
def pictures(shared_data):
    paths = sorted((shared_data / 'coco_cc20' / 'images').glob('*.jpg'))[:PICTURES]
    return [cv2.imread(str(path)) for path in paths]


@pytest.fixture
def yolox(shared_data, tmp_path):
    pytest.importorskip('ai_edge_litert.interpreter', reason='LiteRT is not installed')
    pytest.importorskip('openvino', reason='OpenVINO is not installed')
    folder = model_folder('yolox_nano', shared_data, tmp_path)
    (folder / 'artifacts').mkdir()
    artifact = shared_data / 'yolox_nano' / 'yolox_nano_float16_quantize.tflite'
    (folder / 'artifacts' / artifact.name).symlink_to(artifact)
    return folder


def switch(here: World, engine: str) -> None:
    """Set the parameter, as ``ros2 param set`` does, and configure anew."""
    if here.tester.state() == 'active':
        assert here.tester.transition('deactivate')
        assert here.tester.transition('cleanup')
    client = here.tester.node.create_client(SetParameters, '/perception/set_parameters')
    parameter = Parameter('engine', value=engine).to_parameter_msg()
    (result,) = here.tester.call(client, SetParameters.Request(parameters=[parameter])).results
    assert result.successful, result.reason


def results(here: World, pictures) -> list[np.ndarray]:
    """Return rows x1, y1, x2, y2, score, class of each picture, in a stable order."""
    camera, rows = here.start(), []
    for picture in pictures:
        message = image_message(picture, encoding='bgr8')
        message.header.stamp = here.now()
        camera.publish(message)
        found = here.detections.get(timeout=30)
        assert found.header == message.header
        rows.append(np.array([_row(each) for each in found.detections]).reshape(-1, 6))
    return [each[np.lexsort(each.round(0).T[[1, 0, 5]])] for each in rows]


def _row(detection):
    center, hypothesis = detection.bbox.center.position, detection.results[0].hypothesis
    half_x, half_y = detection.bbox.size_x / 2, detection.bbox.size_y / 2
    corners = (center.x - half_x, center.y - half_y, center.x + half_x, center.y + half_y)
    return (*corners, hypothesis.score, float(hypothesis.class_id))


def test_one_parameter_changes_the_engine_and_not_the_boxes(yolox, pictures):
    values = {
        'model': str(yolox),
        'class_id_format': 'index',
        'latency_budget_ms': 0.0,
        'allow_unverified': True,
    }
    with worlds() as make:
        here = make(installed_node(values))
        seen = {}
        for engine in TOLERANCES:
            switch(here, engine)
            seen[engine] = results(here, pictures)
            assert here.node.session.engine_name == engine
    assert sum(map(len, seen['onnxruntime'])) > 5
    for engine, (pixels, score) in TOLERANCES.items():
        for ours, reference in zip(seen[engine], seen['onnxruntime']):
            assert ours.shape == reference.shape, engine
            np.testing.assert_array_equal(ours[:, 5], reference[:, 5])
            np.testing.assert_allclose(ours[:, :4], reference[:, :4], rtol=0, atol=pixels)
            np.testing.assert_allclose(ours[:, 4], reference[:, 4], rtol=0, atol=score)
