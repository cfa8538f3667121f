# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a score hears of truth, images, results and reports, over real DDS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import math
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_msgs.msg import KeyValue
from geometry_msgs.msg import Point
from geometry_msgs.msg import Pose
from geometry_msgs.msg import PoseStamped
from geometry_msgs.msg import Quaternion
import numpy as np
import pytest
from rich.console import Console
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection3D
from vision_msgs.msg import Detection3DArray
from vision_msgs.msg import ObjectHypothesisWithPose

from edge_perception.cli.simulation.score import _report
from edge_perception.ros.output.image_messages import image_message
from edge_perception.ros.system import qos
from edge_perception.simulation.nodes.score_watch import ScoreWatch
from edge_perception.simulation.scoring import Threshold
from edge_perception.tooling.reports.annotated_images import AnnotatedImages
from test.support.graph import Spinner
from test.support.graph import Tester
from test.support.graph import until

NAN = math.nan
PERIOD_NS = 10_000_000
AHEAD = Pose(position=Point(z=2.0), orientation=Quaternion(x=1.0, w=0.0))
NO_POSES = [
    Pose(position=Point(), orientation=Quaternion(w=1.0)),
    Pose(position=Point(x=NAN, y=0.0, z=2.0), orientation=Quaternion(w=1.0)),
    Pose(position=Point(z=2.0), orientation=Quaternion(x=0.0, y=0.0, z=0.0, w=0.0)),
    Pose(position=Point(z=math.inf), orientation=Quaternion(w=1.0)),
]
ANSWERED = Threshold('answered', minimum=1.0)
RECALL = Threshold('recall', minimum=1.0)


def header(index: int) -> Header:
    made = Header()
    made.stamp.nanosec = (index + 1) * PERIOD_NS
    return made


class Rig:
    """A watch, and somebody who publishes what it listens to."""

    def __init__(self, node: str) -> None:
        self.watch = ScoreWatch(node=node)
        self._spinner = Spinner()
        publisher = Tester(self._spinner).publisher
        self._publishers = {
            'image': publisher(Image, '/camera/image_raw', qos.RESULT),
            'truth': publisher(PoseStamped, '/ground_truth/pose', qos.RECORD),
            'result': publisher(Detection3DArray, f'{node}/detections_3d', qos.RECORD),
            'report': publisher(DiagnosticArray, '/diagnostics', qos.RECORD),
        }
        for each in self._publishers.values():
            each.wait(self.watch.node)

    def close(self) -> None:
        self.watch.close()
        self._spinner.close()

    def answer(self, index: int) -> None:
        """Publish an image and its result."""
        image = image_message(np.zeros((4, 4), np.uint8), encoding='mono8', header=header(index))
        found = Detection3D(results=[ObjectHypothesisWithPose()])
        found.bbox.center = AHEAD
        result = Detection3DArray(header=header(index), detections=[found])
        self._publishers['image'].publish(image)
        self._publishers['result'].publish(result)
        until(lambda: (self.watch.images, self.watch.results), lambda now: min(now) > index)

    def truth(self, index: int, pose: Pose = AHEAD) -> None:
        self._publishers['truth'].publish(PoseStamped(header=header(index), pose=pose))

    def report(self, **statuses: dict[str, int]) -> None:
        """Publish the counts of cameras by the name of their status."""
        made = [
            DiagnosticStatus(
                name=name,
                values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
            )
            for name, values in statuses.items()
        ]
        self._publishers['report'].publish(DiagnosticArray(status=made))


@contextmanager
def listening(node: str = '/perception') -> Iterator[Rig]:
    rig = Rig(node)
    try:
        yield rig
    finally:
        rig.close()


def check(rig: Rig, threshold: Threshold) -> Any:
    (made,) = rig.watch.score().judge([threshold])
    return made


def test_a_truth_that_is_no_pose_is_left_out_and_said(tmp_path, capsys):
    with listening() as rig:
        for index, pose in enumerate([AHEAD, *NO_POSES, AHEAD]):
            rig.truth(index, pose)
            rig.answer(index)
        until(lambda: check(rig, RECALL).count, lambda count: count == 2)
        console = Console(width=300)
        assert _report(rig.watch, AnnotatedImages(), [RECALL], tmp_path, console)
    said = capsys.readouterr().err
    assert f'{len(NO_POSES)} poses on /ground_truth/pose were left out: not finite' in said


def test_a_truth_that_comes_more_often_than_the_images_is_no_image_without_a_result():
    with listening() as rig:
        for index in range(20):
            rig.truth(index)
            if index < 5:
                rig.answer(index)
        until(lambda: len(rig.watch._heard), lambda count: count == 20)
        made = check(rig, ANSWERED)
    assert made.passed and made.count == 5


def counts(received: int, stale: int = 0) -> dict[str, int]:
    return {'received': received, 'published': received - stale, 'dropped.stale': stale}


def heard(rig: Rig, received: int, dropped: dict[str, int]) -> None:
    """Wait until the watch has these figures."""
    expected = (received, dropped)
    until(lambda: (rig.watch.counted('received'), rig.watch.dropped), lambda now: now == expected)


def test_what_the_node_had_counted_before_is_not_scored():
    with listening() as rig:
        rig.report(**{'/perception: camera': counts(100, stale=40)})
        rig.report(**{'/perception: camera': counts(108, stale=42)})
        heard(rig, 8, {'stale': 2})
        # Configured anew, the node counts from zero.
        rig.report(**{'/perception: camera': counts(3, stale=1)})
        heard(rig, 3, {'stale': 1})


@pytest.mark.parametrize(
    ('node', 'own', 'others'),
    [
        ('/perception', '/perception: camera', ['/perception_rear: camera', '/x: camera']),
        ('/perception/front', '/perception: front camera', ['/perception: rear camera']),
        ('/a/perception', '/a/perception: camera', ['/perception: camera']),
        ('perception', '/perception: camera', ['/perception: front camera']),
    ],
)
def test_the_counts_are_those_of_the_one_camera(node, own, others):
    with listening(node) as rig:
        for received in (0, 4):
            strangers = {name: counts(1000 + 50 * received, stale=received) for name in others}
            rig.report(**{own: counts(received), **strangers})
        heard(rig, 4, {})
