# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The landing pad of the zoo in the node, with a real engine; over DDS."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

from geometry_msgs.msg import PoseWithCovarianceStamped
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header
from vision_msgs.msg import Detection3DArray

from edge_perception.ros.output.image_messages import image_message
from edge_perception.simulation.approach import Approach
from edge_perception.simulation.nodes.rendered_camera import camera_info_message
from edge_perception.simulation.rendering.pinhole import PinholeCamera
from edge_perception.simulation.rendering.quick_renderer import QuickRenderer
from edge_perception.simulation.views import FIELD_OF_VIEW
from edge_perception.tooling.pad_model import MODEL
from edge_perception.tooling.pad_model import new_model
from test.support.graph import PATIENCE_S
from test.support.graph import until
from test.support.world import installed_node
from test.support.world import World
from test.support.world import worlds

SIZE = 0.6


@pytest.fixture
def node() -> Iterator[Callable[[str], World]]:
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
    values = {'engine': 'onnxruntime', 'latency_budget_ms': 0.0}
    with worlds() as make:
        yield lambda model: make(installed_node({**values, 'model': model}))


@pytest.mark.parametrize('size', [1.0, SIZE])
def test_the_log_says_for_how_large_the_object_is_taken(node, tmp_path, size):
    model = MODEL if size == 1.0 else tmp_path / 'pad'
    if model != MODEL:
        with new_model(model, size=size):
            pass
    here = node(str(model))
    assert here.tester.transition('configure')
    # With its folder: the log may still give what the node of the test before has said.
    line = here.logged(f'configured: model landing_pad from {model}, ')
    assert f', object {size:g} m wide, engine onnxruntime' in line


def test_a_pad_of_another_size_has_its_name_and_its_distance(node, tmp_path):
    with new_model(tmp_path / 'pad', size=SIZE):
        pass
    here = node(str(tmp_path / 'pad'))
    poses = here.tester.collect(PoseWithCovarianceStamped, '/perception/pose')
    objects = here.tester.collect(Detection3DArray, '/perception/detections_3d')
    infos = here.tester.publisher(CameraInfo, '/camera_info')
    images = here.start()
    for each in (poses, objects, infos):
        each.wait(here.node)
    camera = PinholeCamera.from_field_of_view(FIELD_OF_VIEW)
    view = Approach(camera, start=8.8 * SIZE, end=0.9 * SIZE, side=SIZE).view(12.0)
    header = Header(stamp=here.now(), frame_id='camera_optical_frame')
    infos.publish(camera_info_message(camera, header=header))
    ours = here.node.session.cameras[0]
    until(lambda: ours.stage_topics.complete(ours.stages[0]), bool)
    picture = QuickRenderer(camera, side=SIZE, seed=1)(view)
    images.publish(image_message(picture, encoding='bgr8', header=header))
    at = poses.get(timeout=PATIENCE_S).pose.pose.position
    assert np.linalg.norm([at.x, at.y, at.z]) == pytest.approx(view.distance, rel=0.01)
    solid = objects.get(timeout=PATIENCE_S).detections
    size = solid[0].bbox.size
    assert (size.x, size.y, size.z) == pytest.approx((SIZE, SIZE, 0))
    for (found,) in (here.result().detections, solid):
        assert found.results[0].hypothesis.class_id == 'landing_pad'
