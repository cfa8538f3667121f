# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
What a real node makes of a camera with a defect, over DDS: rendered camera, injector, node.

The images go one by one: each is sent when the one before it is done with. Fault after fault hits
the images 3 to 6 of 9; the ones around them have to be as if nothing had happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import queue
from typing import Any

from edge_perception_onnxruntime.engine import OnnxRuntimeEngineType
import pytest
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection3DArray

from edge_perception.contract import Engine
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Tensors
from edge_perception.models.plugin_host import PluginHost
from edge_perception.pose.solver import quaternion
from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.node import PerceptionNode
from edge_perception.ros.output.image_messages import image_message
from edge_perception.ros.system import qos
from edge_perception.simulation.approach import Approach
from edge_perception.simulation.faults import KINDS
from edge_perception.simulation.nodes.fault_injector import FaultInjector
from edge_perception.simulation.nodes.rendered_camera import camera_info_message
from edge_perception.simulation.pose_errors import pose_error
from edge_perception.simulation.rendering.pinhole import PinholeCamera
from edge_perception.simulation.rendering.quick_renderer import QuickRenderer
from edge_perception.simulation.views import FIELD_OF_VIEW
from edge_perception.testing import FakeClock
from test.support.graph import PATIENCE_S
from test.support.graph import Spinner
from test.support.graph import Tester
from test.support.graph import until

CAMERA = PinholeCamera.from_field_of_view(FIELD_OF_VIEW)
IMAGES, FIRST, COUNT = 9, 3, 4
HIT = range(FIRST, FIRST + COUNT)
PERIOD_MS = 33.0
BUDGET_MS, LATE_MS = 700, 800
# Meters; near enough for a pose of a few tenths of a percent.
VIEWS = Approach(CAMERA, start=4.0, end=2.0, duration=IMAGES * 0.2, seed=2)


@pytest.fixture(scope='module')
def pictures() -> list[tuple[Any, Any]]:
    """Return the views of an approach and what the rendered camera sees."""
    render = QuickRenderer(CAMERA, seed=2)
    views = [VIEWS.view(index * 0.2) for index in range(IMAGES)]
    return [(view, render(view)) for view in views]


class FaultyEngineType(OnnxRuntimeEngineType):
    """ONNX Runtime with a behavior before each inference, once it is armed."""

    def __init__(self, behavior: Callable[[], object]) -> None:
        self._behavior = behavior
        # Set when the node is active: until then the engine is warmed up.
        self.armed = False

    def create(self, manifest: ModelManifest, artifact: Path, options: Options) -> Engine:
        engine = super().create(manifest, artifact, options)
        infer = engine._infer

        def faulty(tensors: Tensors) -> Tensors:
            if self.armed:
                self._behavior()
            return infer(tensors)

        engine._infer = faulty  # type: ignore[method-assign]
        return engine


class Rig:
    """Camera, injector and node; remembers what the node said about each image."""

    def __init__(self, pictures: list[tuple[Any, Any]], faults: list[str]) -> None:
        self.pictures = pictures
        self.clock = FakeClock()
        self.engine: Callable[[], object] = lambda: None
        host = PluginHost()
        self._engine_type = FaultyEngineType(lambda: self.engine())
        host.engines['onnxruntime'] = self._engine_type
        self._spinners = [Spinner(), Spinner(), Spinner()]
        self.node: PerceptionNode = self._spinners[0].add(
            lambda context: PerceptionNode(
                host=host,
                clock=self.clock,
                context=context,
                parameter_overrides=[
                    Parameter('model', value='landing_pad'),
                    Parameter('image_topic', value='/faulty/image_raw'),
                    Parameter('image_transport', value='raw'),
                    Parameter('latency_budget_ms', value=float(BUDGET_MS)),
                ],
            )
        )
        self.injector: FaultInjector = self._spinners[1].add(
            lambda context: FaultInjector(
                context=context, parameter_overrides=[Parameter('faults', value=faults)]
            )
        )
        self.tester = Tester(self._spinners[2])
        self.tester.meet(self.node)
        self._results = self.tester.collect(Detection3DArray, '/perception/detections_3d')
        self._camera = self.tester.publisher(Image, '/camera/image_raw', qos.CAMERA)
        self._info = self.tester.publisher(CameraInfo, '/camera/camera_info', qos.RESULT)
        self.stamps: list[int] = []

    def start(self) -> None:
        assert self.tester.transition('configure')
        assert self.tester.transition('activate')
        self._engine_type.armed = True
        self._camera.wait(self.injector)
        self._info.wait(self.injector)
        self._results.wait(self.node)
        self.meet()

    def close(self) -> None:
        for spinner in self._spinners:
            spinner.close()

    def meet(self) -> None:
        """Wait until injector and node know each other."""
        until(lambda: self.injector.listeners, bool)
        until(lambda: self.node.count_publishers('/faulty/image_raw'), bool)

    def send(self, index: int, *, with_info: bool = True) -> None:
        """Send an image and wait until the injector has passed it on, or swallowed it."""
        self.clock.advance_ms(PERIOD_MS)
        header = Header(frame_id='camera_optical_frame')
        header.stamp = self.tester.node.get_clock().now().to_msg()
        self.stamps.append(stamp_ns(header))
        if with_info:
            self._info.publish(camera_info_message(CAMERA, header=header))
        taken = self.injector.taken
        pixels = self.pictures[index][1]
        self._camera.publish(image_message(pixels, encoding='bgr8', header=header))
        until(lambda: self.injector.taken, lambda now: now > taken)

    def result(self) -> Detection3DArray:
        try:
            return self._results.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise AssertionError(f'no result came; {self.counts}') from None

    def error(self, index: int, message: Detection3DArray) -> float:
        """Return the error of the position as a share of the distance."""
        view = self.pictures[index][0]
        pose = message.detections[0].bbox.center
        turned = pose.orientation
        return pose_error(
            position=(pose.position.x, pose.position.y, pose.position.z),
            orientation=(turned.x, turned.y, turned.z, turned.w),
            true_position=view.position,
            true_orientation=quaternion(view.rotation),
        ).share

    @property
    def counts(self) -> Any:
        return self.node.session.cameras[0].channel.accounts.counts()

    @property
    def dropped(self) -> dict[str, int]:
        """What the node has dropped so far, by reason."""
        return {str(reason): count for reason, count in self.counts.dropped.items() if count}

    def wait_dropped(self, expected: Counter[str]) -> None:
        until(lambda: self.dropped, lambda now: now == dict(expected))

    def nothing_more(self, *, published: int, dropped: Counter[str]) -> None:
        """Every image is accounted for, and nothing else was published."""
        counts = until(lambda: self.counts, lambda now: now.in_flight == 0)
        assert self.dropped == dict(dropped)
        assert (counts.published, counts.received) == (published, published + dropped.total())
        assert self._results.empty()


@contextmanager
def rig(pictures, *faults: str) -> Iterator[Rig]:
    made = Rig(pictures, list(faults))
    try:
        made.start()
        yield made
    finally:
        made.close()


def good(made: Rig, index: int) -> None:
    """Send an image that has to get a pose near the truth, under its own stamp."""
    made.send(index)
    message = made.result()
    assert stamp_ns(message.header) == made.stamps[-1]
    assert len(message.detections) == 1
    assert made.error(index, message) < 0.02


# The reason under which each of the hit images is dropped.
DROPPED = {
    'delay': ['stale'] * COUNT,
    'bad_encoding': ['bad_image'] * COUNT,
    'stamp_jump': ['bad_stamp'] * COUNT,
}


@pytest.mark.parametrize('kind', sorted(DROPPED))
def test_a_fault_that_spoils_images_is_counted_and_over_with_the_next_good_one(pictures, kind):
    amount = f':{LATE_MS}' if kind == 'delay' else ''
    with rig(pictures, f'{kind}:{FIRST}:{COUNT}{amount}') as made:
        dropped: Counter[str] = Counter()
        for index in range(IMAGES):
            if index in HIT:
                made.send(index)
                dropped[DROPPED[kind][index - FIRST]] += 1
                made.wait_dropped(dropped)
            else:
                good(made, index)
        made.nothing_more(published=IMAGES - COUNT, dropped=dropped)


def test_stamps_of_the_past_are_dropped_and_the_next_good_one_is_not(pictures):
    with rig(pictures, f'stamp_jump:{FIRST}:{COUNT}:-5000') as made:
        # Only the first one is older than the one before it.
        reasons = ['bad_stamp', *['stale'] * (COUNT - 1)]
        for index in range(IMAGES):
            if index in HIT:
                made.send(index)
                made.wait_dropped(Counter(reasons[: index - FIRST + 1]))
            else:
                good(made, index)
        made.nothing_more(published=IMAGES - COUNT, dropped=Counter(reasons))


def test_of_two_images_in_the_wrong_order_the_older_one_is_dropped(pictures):
    with rig(pictures, f'reorder:{FIRST}:{COUNT}') as made:
        dropped: Counter[str] = Counter()
        for index in range(IMAGES):
            if index not in HIT:
                good(made, index)
                continue
            made.send(index)
            if (index - FIRST) % 2:
                message = made.result()
                assert stamp_ns(message.header) == made.stamps[-1]
                dropped['bad_stamp'] += 1
                made.wait_dropped(dropped)
        made.nothing_more(published=IMAGES - COUNT // 2, dropped=dropped)


@pytest.mark.parametrize('kind', ['drop', 'restart'])
def test_without_images_nothing_is_published_and_the_first_one_after_it_is_good(pictures, kind):
    with rig(pictures, f'{kind}:{FIRST}:{COUNT}') as made:
        lost = 0
        for index in range(IMAGES):
            if index in HIT:
                made.send(index)
            elif kind == 'restart' and index == FIRST + COUNT:
                # Sent by a publisher that the node may not know yet.
                made.send(index)
                made.meet()
                lost = 1
            else:
                _good_after_restart(made, index) if lost else good(made, index)
        _nothing_more_after_restart(made, sent=IMAGES - COUNT, unknown=lost)


def _good_after_restart(made: Rig, index: int) -> None:
    """As ``good``, but the result of the image before it may be there as well."""
    made.send(index)
    message = made.result()
    if stamp_ns(message.header) == made.stamps[-2]:
        message = made.result()
    assert stamp_ns(message.header) == made.stamps[-1]
    assert made.error(index, message) < 0.02


def _nothing_more_after_restart(made: Rig, *, sent: int, unknown: int) -> None:
    """As ``nothing_more``; images of a publisher that was not known yet may not have come."""
    counts = until(lambda: made.counts, lambda now: now.in_flight == 0)
    # Two that wait at once, at a new publisher, are one result.
    superseded = counts.dropped['superseded'] if unknown else 0
    assert sent - unknown <= counts.published + superseded <= sent
    dropped = Counter({'superseded': superseded} if superseded else {})
    made.nothing_more(published=counts.published, dropped=dropped)


def test_a_publisher_of_the_other_reliability_is_listened_to(pictures):
    with rig(pictures, f'qos:{FIRST}:{COUNT}') as made:
        for index in range(IMAGES):
            if index in (FIRST, FIRST + COUNT):
                made.send(index)  # sent by a publisher that the node may not know yet
                made.meet()
            else:
                _good_after_restart(made, index) if index else good(made, index)
        _nothing_more_after_restart(made, sent=IMAGES, unknown=2)


@pytest.mark.parametrize('kind', ['black', 'overexposed', 'blur'])
def test_where_nothing_can_be_seen_results_are_empty(pictures, kind):
    with rig(pictures, f'{kind}:{FIRST}:{COUNT}') as made:
        for index in range(IMAGES):
            if index in HIT:
                made.send(index)
                message = made.result()
                assert stamp_ns(message.header) == made.stamps[-1]
                assert not message.detections
            else:
                good(made, index)
        made.nothing_more(published=IMAGES, dropped=Counter())


@pytest.mark.parametrize('kind', ['encoding', 'size'])
def test_another_encoding_or_size_changes_nothing(pictures, kind):
    with rig(pictures, f'{kind}:{FIRST}:{COUNT}') as made:
        for index in range(IMAGES):
            good(made, index)
        made.nothing_more(published=IMAGES, dropped=Counter())


def test_a_picture_of_another_shape_has_no_pose_and_the_node_says_why(pictures):
    with rig(pictures, f'crop:{FIRST}:{COUNT}') as made:
        for index in range(IMAGES):
            if index in HIT:
                made.send(index)
                assert not made.result().detections
                assert 'expected the same shape' in problem(made)
            else:
                good(made, index)
                assert not problem(made)
        made.nothing_more(published=IMAGES, dropped=Counter())


def problem(made: Rig) -> str:
    """Return why there is no pose, as diagnostics have it."""
    camera = made.node.session.cameras[0]
    return camera.stage_topics.problem(camera.stages[0])


def test_a_frozen_picture_is_repeated_and_only_the_truth_tells(pictures):
    with rig(pictures, f'freeze:{FIRST}:{COUNT}') as made:
        frozen = []
        for index in range(IMAGES):
            if index in HIT:
                made.send(index)
                frozen.append(made.result())
                assert stamp_ns(frozen[-1].header) == made.stamps[-1]
            else:
                good(made, index)
        poses = [message.detections[0].bbox.center for message in frozen]
        assert all(pose == poses[0] for pose in poses)
        assert made.error(FIRST, frozen[0]) < 0.02 < made.error(FIRST + COUNT - 1, frozen[-1])
        made.nothing_more(published=IMAGES, dropped=Counter())


def test_the_last_intrinsics_stay_when_camera_info_stops(pictures):
    with rig(pictures, f'info_lost:{FIRST}:{COUNT}') as made:
        for index in range(IMAGES):
            good(made, index)
        made.nothing_more(published=IMAGES, dropped=Counter())


def test_without_any_camera_info_there_is_no_pose_and_the_node_says_why(pictures):
    with rig(pictures) as made:
        for index in HIT:
            made.send(index, with_info=False)
            assert not made.result().detections
            assert 'no CameraInfo has come on /faulty/camera_info' in problem(made)
        made.nothing_more(published=COUNT, dropped=Counter())


def test_a_raising_engine_is_counted_and_nothing_invented(pictures):
    with rig(pictures) as made:
        dropped: Counter[str] = Counter()
        for index in range(IMAGES):
            if index in HIT:
                made.engine = _raise
                made.send(index)
                dropped['engine_failed'] += 1
                made.wait_dropped(dropped)
                made.engine = lambda: None
            else:
                good(made, index)
        made.nothing_more(published=IMAGES - COUNT, dropped=dropped)


def _raise() -> None:
    raise RuntimeError('the accelerator is gone')


def test_a_slow_engine_publishes_nothing_late_and_is_tried_again(pictures):
    with rig(pictures) as made:
        for index in range(FIRST):
            good(made, index)
        made.engine = lambda: made.clock.advance_ms(BUDGET_MS + 50)
        made.send(FIRST)
        made.wait_dropped(Counter(overrun=1))
        made.engine = lambda: None
        # The node expects the next ones to be as slow, until it has tried one of them.
        refused = 0
        while made.counts.published == FIRST:
            assert refused < 1 + 1000 / PERIOD_MS
            made.send(FIRST + 1)
            until(lambda: made.counts, lambda now: now.in_flight == 0)
            refused = made.counts.received - FIRST - 1
        assert made.dropped['overrun'] == 1
        assert set(made.dropped) - {'overrun'} <= {'stale'}
        assert made.error(FIRST + 1, made.result()) < 0.02
        good(made, FIRST + 2)


def test_every_kind_of_fault_is_tried_here(repository):
    text = (repository / 'test' / 'simulation' / 'test_fault_scenarios.py').read_text()
    assert [kind for kind in KINDS if f"'{kind}" not in text and f'{kind}:' not in text] == []
