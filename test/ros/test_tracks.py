# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Ids and tracks over DDS."""

from __future__ import annotations

import numpy as np
import pytest
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from edge_perception.contract import Detections
from edge_perception.contract import Perception
from edge_perception.simulation.nodes import readback
from edge_perception.testing import FakeDecoder
from edge_perception.tracking import TrackingStage
from test.support.fake_node import fake_node
from test.support.fake_node import picture
from test.support.graph import graph
from test.support.graph import PATIENCE_S


class Standing(FakeDecoder):
    """Sees two objects; from the third frame on the second is below every usual threshold."""

    frames = 0

    def _decode(self, tensors, transform, selection):
        self.frames += 1
        scores = np.array([0.9, 0.8 if self.frames < 3 else 0.15], np.float32)
        kept = scores >= selection.score_threshold
        boxes = np.array([[0, 0, 10, 10], [20, 20, 40, 40]], np.float32)
        found = Detections(
            xyxy=boxes[kept], score=scores[kept], class_id=np.zeros(kept.sum(), np.int32)
        )
        return Perception(detections=found)


def look(camera, second: int) -> None:
    message: Image = picture(None)
    message.header.stamp.sec = second // 10
    message.header.stamp.nanosec = second % 10 * 100_000_000
    camera.publish(message)


@pytest.fixture
def tracking(tmp_path):
    parameters = {'stage_options.tracking.enabled': True}
    make = fake_node(tmp_path, decoder=Standing, stages=[TrackingStage], **parameters)
    with graph(make) as (node, tester, _):
        assert tester.transition('configure')
        topics = [
            tester.collect(Detection2DArray, f'/perception/{name}')
            for name in ('detections', 'tracks')
        ]
        camera = tester.publisher(Image, '/image_raw')
        assert tester.transition('activate')
        for each in (camera, *topics):
            each.wait(node)

        def see(second: int) -> list[Detection2DArray]:
            look(camera, second)
            return [each.get(timeout=PATIENCE_S) for each in topics]

        yield see, tester, (node, camera, *topics)


def ids(message: Detection2DArray) -> list[str]:
    return [each.id for each in message.detections]


def test_detections_carry_ids_and_tracks_go_on_below_the_threshold(tracking):
    see, tester, everybody = tracking
    detections, tracks = see(1)
    assert (ids(detections), ids(tracks)) == (['', ''], [])
    detections, tracks = see(2)
    first, second = ids(detections)
    assert (first[-2:], second[-2:], ids(tracks)) == ('-1', '-2', [first, second])
    detections, tracks = see(3)
    assert (ids(detections), ids(tracks)) == ([first], [first, second])
    assert tracks.header == detections.header
    assert tracks.detections[1].results[0].hypothesis.score == pytest.approx(0.15)
    read = readback.perception({'detections': tracks}, labels=readback.LabelMap(('thing',)))
    assert read.detections.ids() == [first, second]
    assert tester.transition('deactivate') and tester.transition('activate')
    for each in everybody[1:]:
        each.wait(everybody[0])
    see(4)
    detections, _ = see(5)
    assert ids(detections)[0][-2:] == '-1' and ids(detections)[0] != first
