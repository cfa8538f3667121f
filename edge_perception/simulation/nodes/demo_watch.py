# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Watches a camera and a perception node from outside, and joins what belongs to one image."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
import threading
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from geometry_msgs.msg import PoseWithCovarianceStamped
import rclpy
from rclpy.client import Client
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException
from rclpy.executors import SingleThreadedExecutor
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger
from vision_msgs.msg import Classification
from vision_msgs.msg import Detection2DArray

from edge_perception.contract import Frame
from edge_perception.ros.input.raw_images import image_to_frame
from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.system import qos
from edge_perception.simulation.nodes.readback import count_objects
from edge_perception.simulation.nodes.readback import placement
from edge_perception.simulation.trial import Placement

# Images that wait to be drawn; more are not needed where somebody draws, and nobody has to.
MAX_IMAGES = 24
START_SERVICE = '/rendered_camera/start'
ASK_AGAIN_S = 0.5
# Messages of a dozen boxes take tens of kilobytes, and a demonstration may take minutes.
MEMORY_NS = 3_000_000_000


@dataclass(slots=True)
class Seen:
    """
    What is known about one image; written by the thread of the watch.

    :param age_ms: from its stamp to the arrival of the first result; None without a result.
    :param arrival_s: of that result, by the monotonic clock.
    :param messages: results by topic, as they came; only of the latest images.
    :param objects: how many were found.
    """

    stamp_ns: int
    age_ms: float | None = None
    arrival_s: float | None = None
    messages: dict[str, Any] = field(default_factory=dict)
    objects: int = 0
    pose: Placement | None = None
    truth: Placement | None = None


@dataclass(frozen=True, slots=True)
class NodeReport:
    """
    The latest diagnostics of the node; numbers of frames, texts empty while none came.

    :param trouble: why the node cannot work; empty when it can.
    """

    received: int = 0
    published: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    trouble: str = ''


RESULTS: dict[str, type] = {
    'detections': Detection2DArray,
    'keypoints': Detection2DArray,
    'classification': Classification,
    'segmentation': Image,
    'pose': PoseWithCovarianceStamped,
}


class DemoWatch:
    """
    Subscribes in a thread and a context of its own; methods may be called from any thread.

    :param camera: namespace of the camera.
    :param node: name of the perception node.
    :param image_period_s: of the images, so many seconds apart are kept for drawing.
    """

    def __init__(
        self, *, camera: str = '/camera', node: str = '/perception', image_period_s: float = 1 / 15
    ) -> None:
        self._lock = threading.Lock()
        self._seen: dict[int, Seen] = {}
        self._with_messages: deque[int] = deque()
        self._images: dict[int, Image] = {}
        self._image_period_ns = int(image_period_s * 0.9e9)
        self._last_image_ns = 0
        self._info: CameraInfo | None = None
        self._report = NodeReport()
        self._node_name = node
        self._context = Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node('demo_watch', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._subscribe(camera)
        self._start: Client = self._node.create_client(Trigger, START_SERVICE)
        self._asked: list[Future] = []
        self._asked_s = float('-inf')
        self._thread = threading.Thread(target=self._spin, name='demo_watch', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the subscriptions and the thread."""
        self._executor.shutdown()
        self._thread.join(5.0)
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def seen(self) -> list[Seen]:
        """Return all images of which something is known, in the order of their stamps."""
        with self._lock:
            return [self._seen[stamp] for stamp in sorted(self._seen)]

    @property
    def report(self) -> NodeReport:
        """What the node said last about itself."""
        return self._report

    @property
    def camera_info(self) -> CameraInfo | None:
        """The latest intrinsics."""
        return self._info

    @property
    def has_results(self) -> bool:
        """Whether any result has arrived."""
        return bool(self._with_messages)

    def start_camera(self) -> None:
        """
        Ask the camera to begin with the approach; call it again and again.

        Asks anew from time to time until it has answered: a request right after discovery may be
        lost.
        """
        if any(answer.done() for answer in self._asked):
            return
        if time.monotonic() - self._asked_s > ASK_AGAIN_S:
            self._asked_s = time.monotonic()
            self._asked.append(self._start.call_async(Trigger.Request()))

    def take_images(self, *, older_than_s: float) -> list[tuple[Frame, Seen]]:
        """
        Return kept images with what is known about them, each once, in the order of the stamps.

        :param older_than_s: by then all results have come that will come.
        """
        limit = time.time_ns() - int(older_than_s * 1e9)
        with self._lock:
            due = sorted(stamp for stamp in self._images if stamp < limit)
            taken = [(self._images.pop(stamp), self._entry(stamp)) for stamp in due]
        return [(image_to_frame(image), seen) for image, seen in taken]

    def _subscribe(self, camera: str) -> None:
        subscribe = self._node.create_subscription
        for name, message_type in RESULTS.items():
            subscribe(message_type, f'{self._node_name}/{name}', self._on_result(name), qos.RESULT)
        subscribe(Image, f'{camera}/image_raw', self._on_image, qos.CAMERA)
        subscribe(CameraInfo, f'{camera}/camera_info', self._on_info, qos.CAMERA)
        subscribe(PoseStamped, '/ground_truth/pose', self._on_truth, qos.RESULT)
        subscribe(DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.RESULT)

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def _entry(self, stamp: int) -> Seen:
        """Return the entry of an image; the lock is held."""
        return self._seen.setdefault(stamp, Seen(stamp))

    def _on_result(self, name: str) -> Callable[[Any], None]:
        def take(message: Any) -> None:
            now_ns, now_s = time.time_ns(), time.monotonic()
            stamp = stamp_ns(message.header)
            with self._lock:
                seen = self._entry(stamp)
                if seen.age_ms is None:
                    self._with_messages.append(stamp)
                    seen.age_ms, seen.arrival_s = (now_ns - stamp) / 1e6, now_s
                seen.messages[name] = message
                seen.objects = count_objects(seen.messages)
                self._forget_messages(before_ns=stamp - MEMORY_NS)
                if name == 'pose':
                    seen.pose = placement(message.pose.pose)

        return take

    def _forget_messages(self, *, before_ns: int) -> None:
        """Let go of messages that nobody will draw any more; the lock is held."""
        while self._with_messages and self._with_messages[0] < before_ns:
            self._seen[self._with_messages.popleft()].messages = {}

    def _on_image(self, message: Image) -> None:
        stamp = stamp_ns(message.header)
        if stamp - self._last_image_ns < self._image_period_ns:
            return
        self._last_image_ns = stamp
        with self._lock:
            self._images[stamp] = message
            if len(self._images) > MAX_IMAGES:
                del self._images[min(self._images)]

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message

    def _on_truth(self, message: PoseStamped) -> None:
        with self._lock:
            self._entry(stamp_ns(message.header)).truth = placement(message.pose)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == f'{self._node_name}: engine':
                bad = status.level == DiagnosticStatus.ERROR
                self._update_report(trouble=status.message if bad else '')
            elif status.name == f'{self._node_name}: camera':
                values = {each.key: each.value for each in status.values}
                self._update_report(
                    received=int(values.get('received', 0)),
                    published=int(values.get('published', 0)),
                    dropped={
                        key.removeprefix('dropped.'): int(value)
                        for key, value in values.items()
                        if key.startswith('dropped.')
                    },
                )

    def _update_report(self, **changes: Any) -> None:
        self._report = replace(self._report, **changes)
