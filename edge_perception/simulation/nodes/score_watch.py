# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Subscribe to images, truth, results and diagnostics, and join them by image."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
import threading
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image
from vision_msgs.msg import Classification
from vision_msgs.msg import Detection2DArray
from vision_msgs.msg import Detection3DArray

from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import Frame
from edge_perception.contract import IntrinsicsError
from edge_perception.contract import LabelMap
from edge_perception.contract import Perception
from edge_perception.pose import Intrinsics
from edge_perception.ros.input.raw_images import image_to_frame
from edge_perception.ros.input.raw_images import nanoseconds
from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.system import qos
from edge_perception.ros.system.rclpy_versions import informed
from edge_perception.ros.system.spinning import Spinner
from edge_perception.simulation.matching import FoundObject
from edge_perception.simulation.matching import Placement
from edge_perception.simulation.matching import ScoredImage
from edge_perception.simulation.matching import TrueObject
from edge_perception.simulation.nodes import readback
from edge_perception.simulation.scoring import Score

RESULTS: dict[str, type] = {
    'detections': Detection2DArray,
    'detections_3d': Detection3DArray,
    'keypoints': Detection2DArray,
    'classification': Classification,
    'segmentation': Image,
    'instances': Image,
}
# By then the results of an image have come, as far as they are to be drawn.
RESULT_DELAY_S = 0.5
# Images that wait to be drawn; the oldest are left out where drawing is slower than the camera.
MAX_WAITING = 60


@dataclass(slots=True)
class Heard:
    """
    What has come about one image.

    :param image_s: arrival of the image, monotonic; ``result_s`` that of its first result.
    :param published_ns: of the first result, by the system clock of the publisher.
    :param messages: results by the last part of their topic, until they are drawn.
    :param scored: made of all this; None while something is new.
    """

    image_s: float | None = None
    result_s: float | None = None
    published_ns: int = 0
    truth: Placement | None = None
    boxes: tuple[TrueObject, ...] | None = None
    found: dict[str, tuple[FoundObject, ...]] = field(default_factory=dict)
    messages: dict[str, Any] = field(default_factory=dict)
    scored: ScoredImage | None = None


class ScoreWatch:
    """
    Subscribes in a thread and a context of its own; methods may be called from any thread.

    Topics: ``<camera>/image_raw`` and ``camera_info``, ``/ground_truth/pose`` and ``boxes``,
    ``/diagnostics``, and the results of the node. The age of a result is that at the moment of
    its publication, which the middleware tells, so that a slow listener does not make it older.

    :param object_size: longer side of the true object in meters, for its size in the image.
    :param image_period_s: images that are closer together are not handed out for drawing.
    :param labels: of the model, for drawing; names that are not among them are added.
    :param new_node: all that the node has counted belongs to this run, not only what it counts
        from its first report on.
    """

    def __init__(
        self,
        *,
        camera: str = '/camera',
        node: str = '/perception',
        use_sim_time: bool = False,
        object_size: float = 1.0,
        image_period_s: float = 0.0,
        labels: LabelMap | None = None,
        new_node: bool = False,
    ) -> None:
        self.image_topic = f'{camera}/image_raw'
        self.labels = LabelMap() if labels is None else labels
        # How many images have come, and for how many of them something was published.
        self.images = self.results = 0
        # How many true poses were left out because nothing can be compared with them.
        self.no_poses = 0
        # Why the node cannot work; empty when it can.
        self.trouble = ''
        self._lock = threading.Lock()
        self._heard: dict[int, Heard] = {}
        self._waiting: deque[tuple[float, Image]] = deque(maxlen=MAX_WAITING)
        self._with_messages: deque[tuple[float, Heard]] = deque()
        self._image_period_ns = int(image_period_s * 0.9e9)
        self._last_image_ns = 0
        self._object_size = object_size
        self._use_sim_time = use_sim_time
        self._ticks: list[tuple[int, int]] = []
        self._node_name = '/' + node.strip('/')
        self._info: CameraInfo | None = None
        self._counts: dict[str, int] = {}
        # What the node had counted before we listened.
        self._counts_before: dict[str, int] = {}
        self._new_node = new_node
        self._spinner = Spinner()
        self.node: Node = self._spinner.add(lambda context: Node('score_watch', context=context))
        self._subscribe(camera)

    def close(self) -> None:
        """End the subscriptions and the thread."""
        self._spinner.close()

    @property
    def intrinsics(self) -> Intrinsics | None:
        """The latest ones; None where there are none, or none that can be used."""
        info = self._info
        if info is None:
            return None
        try:
            return Intrinsics.from_camera_info(
                width=info.width,
                height=info.height,
                k=info.k,
                d=info.d,
                model=info.distortion_model,
            )
        except IntrinsicsError:
            return None  # the node says why it gives no pose

    @property
    def dropped(self) -> Mapping[str, int]:
        """Frames that the node has dropped since its first report, by reason."""
        prefix = 'dropped.'
        return {
            name.removeprefix(prefix): count
            for name in self._counts
            if name.startswith(prefix) and (count := self.counted(name))
        }

    def counted(self, name: str) -> int:
        """
        Return a count of the node since its first report.

        :param name: as in its diagnostics, e.g. ``received``.
        """
        return self._counts.get(name, 0) - self._counts_before.get(name, 0)

    def scored(self) -> list[ScoredImage]:
        """Return each image with truth and result, ordered by stamp, from the first result on."""
        with self._lock:
            # A truth may come more often than the images.
            heard = sorted(
                (stamp, each)
                for stamp, each in self._heard.items()
                if each.image_s is not None or each.found
            )
            first = next((i for i, (_, each) in enumerate(heard) if each.found), len(heard))
            return [self._scored(stamp, each) for stamp, each in heard[first:]]

    def score(self) -> Score:
        """Return the score of all that has come so far."""
        return Score(self.scored(), dropped=self.dropped, received=self.counted('received'))

    def take_images(
        self, *, older_than_s: float = RESULT_DELAY_S
    ) -> list[tuple[Frame, Perception, ScoredImage]]:
        """
        Return images with what was perceived in them, each once, in the order of arrival.

        To be called again and again: results are kept until then.

        :param older_than_s: by then all results have come that are to be drawn.
        """
        limit = time.monotonic() - older_than_s
        taken = []
        with self._lock:
            while self._waiting and self._waiting[0][0] < limit:
                message = self._waiting.popleft()[1]
                stamp = stamp_ns(message.header)
                heard = self._heard[stamp]
                taken.append((message, heard.messages, self._scored(stamp, heard)))
            while self._with_messages and self._with_messages[0][0] < limit:
                self._with_messages.popleft()[1].messages = {}
        made = []
        for message, results, image in taken:
            try:
                frame = image_to_frame(message)
            except EdgePerceptionError:
                continue  # the node says what is wrong with it
            new = {each for each in readback.names_in(results) if self.labels.index(each) is None}
            self.labels = LabelMap((*self.labels.names, *sorted(new)))
            made.append((frame, readback.perception(results, labels=self.labels), image))
        return made

    def _subscribe(self, camera: str) -> None:
        subscribe = self.node.create_subscription
        subscribe(Image, self.image_topic, self._on_image, qos.EVERY)
        subscribe(CameraInfo, f'{camera}/camera_info', self._on_info, qos.CAMERA)
        subscribe(PoseStamped, '/ground_truth/pose', self._on_truth, qos.RECORD)
        subscribe(Detection2DArray, '/ground_truth/boxes', self._on_boxes, qos.EVERY)
        if self._use_sim_time:
            subscribe(Clock, '/clock', informed(self._on_clock), qos.EVERY)
        subscribe(DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.EVERY)
        for name, kind in RESULTS.items():
            topic = f'{self._node_name}/{name}'
            subscribe(kind, topic, informed(self._on_result(name)), qos.RECORD)

    def _entry(self, message: Any) -> Heard:
        """Return the entry of an image, to be changed; the lock is held."""
        entry = self._heard.setdefault(stamp_ns(message.header), Heard())
        entry.scored = None
        return entry

    def _on_image(self, message: Image) -> None:
        stamp, now_s = stamp_ns(message.header), time.monotonic()
        with self._lock:
            entry = self._entry(message)
            if entry.image_s is not None:
                return
            entry.image_s = now_s
            self.images += 1
            if abs(stamp - self._last_image_ns) >= self._image_period_ns:
                self._last_image_ns = stamp
                self._waiting.append((now_s, message))

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message

    def _on_truth(self, message: PoseStamped) -> None:
        truth = readback.placement(message.pose)
        if not readback.is_comparable(truth):
            self.no_poses += 1
            return
        with self._lock:
            self._entry(message).truth = truth

    def _on_boxes(self, message: Detection2DArray) -> None:
        with self._lock:
            self._entry(message).boxes = readback.true_boxes(message)

    def _on_result(self, name: str) -> Callable[[Any, Any], None]:
        def take(message: Any, information: Any) -> None:
            now_s = time.monotonic()
            found = readback.found_objects(name, message)
            with self._lock:
                entry = self._entry(message)
                if entry.result_s is None:
                    entry.result_s = now_s
                    entry.published_ns = int(information['source_timestamp'])
                    self.results += 1
                entry.found[name] = found
                entry.messages[name] = message
                self._with_messages.append((now_s, entry))

        return take

    def _on_clock(self, message: Clock, information: Any) -> None:
        with self._lock:
            self._ticks.append((int(information['source_timestamp']), nanoseconds(message.clock)))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        # One of several cameras has the name of its node, then its own.
        node, _, camera = self._node_name.rpartition('/')
        names = (f'{self._node_name}: camera', f'{node}: {camera} camera')
        for status in message.status:
            if status.name == f'{self._node_name}: engine':
                self.trouble = status.message if status.level == DiagnosticStatus.ERROR else ''
            elif status.name in names:
                self._take_counts(
                    {
                        each.key: int(each.value)
                        for each in status.values
                        if each.key in ('received', 'published') or each.key.startswith('dropped.')
                    }
                )

    def _take_counts(self, counts: dict[str, int]) -> None:
        if not self._counts and not self._new_node:
            self._counts_before = counts
        elif counts.get('received', 0) < self._counts.get('received', 0):
            self._counts_before = {}  # configured again, it counts from zero
        self._counts = counts

    def _age_ms(self, stamp: int, published_ns: int) -> float | None:
        """Return the age by the clock of ROS when a result was published."""
        if not published_ns:
            return None
        if self._use_sim_time:
            # The last tick of the simulated clock before that moment.
            after = bisect_right(self._ticks, (published_ns, 2**63))
            if not after:
                return None
            published_ns = self._ticks[after - 1][1]
        return (published_ns - stamp) / 1e6

    def _scored(self, stamp: int, heard: Heard) -> ScoredImage:
        """Return an image with what is known about it so far; the lock is held."""
        if heard.scored is not None:
            return heard.scored
        truths = heard.boxes
        if heard.truth is not None:
            pose = readback.true_pose(heard.truth, info=self._info, object_size=self._object_size)
            truths = (pose, *(truths or ()))
        response = None
        if heard.result_s is not None and heard.image_s is not None:
            response = 1000 * (heard.result_s - heard.image_s)
        made = ScoredImage(
            stamp_ns=stamp,
            truths=truths,
            found=tuple(each for part in heard.found.values() for each in part)
            if heard.found
            else None,
            age_ms=self._age_ms(stamp, heard.published_ns),
            response_ms=response,
            result_s=heard.result_s,
        )
        # Not while something about it may still come: intrinsics, or ticks of a simulated clock.
        if not self._use_sim_time and (self._info is not None or heard.truth is None):
            heard.scored = made
        return made
