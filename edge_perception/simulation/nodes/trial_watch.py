# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Listens to truth and results, and joins what belongs to one image to a trial."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
import queue
import threading
import time
from typing import Any

import cv2
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException
from rclpy.executors import SingleThreadedExecutor
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray
from vision_msgs.msg import Detection3DArray

from edge_perception.contract import EdgePerceptionError
from edge_perception.ros.input.raw_images import image_to_frame
from edge_perception.ros.input.raw_images import nanoseconds
from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.system import qos
from edge_perception.ros.system.rclpy_versions import informed
from edge_perception.simulation.nodes.trial_messages import found
from edge_perception.simulation.nodes.trial_messages import is_pose
from edge_perception.simulation.nodes.trial_messages import truths
from edge_perception.simulation.trial import Trial

# Images that are remembered; about 10 kB each, as JPEG.
PICTURES = 20000
JPEG_QUALITY = 80


@dataclass(slots=True)
class Heard:
    """What has come about one image, by a wall clock in seconds."""

    image_s: float | None = None
    result_s: float | None = None
    # Of the first result, by the system clock of the publisher.
    published_ns: int = 0
    truth: PoseStamped | None = None
    boxes: Detection2DArray | None = None
    results: dict[str, Any] = field(default_factory=dict)


class TrialWatch:
    """
    Subscribes in a thread and a context of its own; methods may be called from any thread.

    Topics: ``<camera>/image_raw`` and ``camera_info``, ``/ground_truth/pose`` and ``boxes``, and
    of the node ``detections`` and ``detections_3d``. The age of a result is that at the moment of
    its publication, which the middleware tells, so that a slow listener does not make it older.

    :param object_size: longer side of the true object in meters, for its size in the picture.
    :param keep_pictures: of all images, for ``picture``.
    """

    def __init__(
        self,
        *,
        camera: str = '/camera',
        node: str = '/perception',
        use_sim_time: bool = False,
        object_size: float = 1.0,
        keep_pictures: bool = True,
    ) -> None:
        self.image_topic = f'{camera}/image_raw'
        self._lock = threading.Lock()
        self._heard: dict[int, Heard] = {}
        self._pictures: dict[int, bytes] = {}
        self._order: deque[int] = deque()
        self._keep_pictures = keep_pictures
        # Apart, so that results do not wait until a picture is compressed.
        self._to_keep: queue.SimpleQueue[Image | None] = queue.SimpleQueue()
        self._keeper = threading.Thread(target=self._keep_all, name='keeper', daemon=True)
        self._keeper.start()
        self._object_size = object_size
        self._use_sim_time = use_sim_time
        self._ticks: list[tuple[int, int]] = []
        self._node_name = '/' + node.strip('/')
        self._info: CameraInfo | None = None
        self._counts: dict[str, int] = {}
        # What the node had counted before we listened.
        self._counts_before: dict[str, int] = {}
        self._no_poses = 0
        self._context = Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node('trial_watch', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._subscribe(camera)
        self._thread = threading.Thread(target=self._spin, name='trial_watch', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the subscriptions and the thread."""
        self._executor.shutdown()
        self._thread.join(5.0)
        self._to_keep.put(None)
        self._keeper.join()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    @property
    def images(self) -> int:
        """How many images have come."""
        with self._lock:
            return sum(each.image_s is not None for each in self._heard.values())

    @property
    def results(self) -> int:
        """For how many images something was published."""
        with self._lock:
            return sum(bool(each.results) for each in self._heard.values())

    @property
    def camera_info(self) -> CameraInfo | None:
        """The latest intrinsics."""
        return self._info

    @property
    def received(self) -> int:
        """Frames that the node has received since its first report, as it says itself."""
        return self._counted('received')

    @property
    def dropped(self) -> Mapping[str, int]:
        """Frames that the node has dropped since its first report, by reason."""
        prefix = 'dropped.'
        return {
            name.removeprefix(prefix): count
            for name in self._counts
            if name.startswith(prefix) and (count := self._counted(name))
        }

    @property
    def no_poses(self) -> int:
        """How many true poses were left out because nothing can be compared with them."""
        return self._no_poses

    def picture(self, stamp: int) -> bytes | None:
        """Return an image as JPEG; None when it is not remembered."""
        return self._pictures.get(stamp)

    def trials(self) -> list[Trial]:
        """Return a trial for each image, in the order of the stamps, from the first result on."""
        with self._lock:
            # A truth may come more often than the images.
            heard = sorted(
                (stamp, each)
                for stamp, each in self._heard.items()
                if each.image_s is not None or each.results
            )
        first = next((i for i, (_, each) in enumerate(heard) if each.results), len(heard))
        return [self._trial(stamp, each) for stamp, each in heard[first:]]

    def _subscribe(self, camera: str) -> None:
        subscribe = self._node.create_subscription
        subscribe(Image, self.image_topic, self._on_image, qos.EVERY)
        subscribe(CameraInfo, f'{camera}/camera_info', self._on_info, qos.CAMERA)
        subscribe(PoseStamped, '/ground_truth/pose', self._on_truth, qos.RECORD)
        subscribe(Detection2DArray, '/ground_truth/boxes', self._on_boxes, qos.EVERY)
        if self._use_sim_time:
            subscribe(Clock, '/clock', informed(self._on_clock), qos.EVERY)
        subscribe(DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.EVERY)
        results: dict[str, type] = {
            'detections': Detection2DArray,
            'detections_3d': Detection3DArray,
        }
        for name, kind in results.items():
            topic = f'{self._node_name}/{name}'
            subscribe(kind, topic, informed(self._on_result(name)), qos.RECORD)

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def _entry(self, message: Any) -> Heard:
        """Return the entry of an image; the lock is held."""
        return self._heard.setdefault(stamp_ns(message.header), Heard())

    def _on_image(self, message: Image) -> None:
        with self._lock:
            entry = self._entry(message)
            if entry.image_s is None:
                entry.image_s = time.monotonic()
        if self._keep_pictures:
            self._to_keep.put(message)

    def _keep_all(self) -> None:
        while (message := self._to_keep.get()) is not None:
            self._keep(message)

    def _keep(self, message: Image) -> None:
        try:
            frame = image_to_frame(message)
        except EdgePerceptionError:
            return  # the node says what is wrong with it
        pixels = frame.image
        if frame.encoding == 'rgb8':
            pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)
        data = cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
        stamp = stamp_ns(message.header)
        if self._pictures.setdefault(stamp, data) is data:
            self._order.append(stamp)
        if len(self._order) > PICTURES:
            del self._pictures[self._order.popleft()]

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message

    def _on_truth(self, message: PoseStamped) -> None:
        if not is_pose(message.pose):
            self._no_poses += 1
            return
        with self._lock:
            self._entry(message).truth = message

    def _on_boxes(self, message: Detection2DArray) -> None:
        with self._lock:
            self._entry(message).boxes = message

    def _on_result(self, name: str) -> Callable[[Any, Any], None]:
        def take(message: Any, information: Any) -> None:
            now_s = time.monotonic()
            with self._lock:
                entry = self._entry(message)
                if entry.result_s is None:
                    entry.result_s = now_s
                    entry.published_ns = int(information['source_timestamp'])
                entry.results[name] = message

        return take

    def _on_clock(self, message: Clock, information: Any) -> None:
        with self._lock:
            self._ticks.append((int(information['source_timestamp']), nanoseconds(message.clock)))

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

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        # One of several cameras has the name of its node, then its own.
        node, _, camera = self._node_name.rpartition('/')
        names = (f'{self._node_name}: camera', f'{node}: {camera} camera')
        for status in message.status:
            if status.name in names:
                self._take_counts(
                    {
                        each.key: int(each.value)
                        for each in status.values
                        if each.key == 'received' or each.key.startswith('dropped.')
                    }
                )

    def _take_counts(self, counts: dict[str, int]) -> None:
        if not self._counts:
            self._counts_before = counts
        elif counts.get('received', 0) < self._counts.get('received', 0):
            self._counts_before = {}  # configured anew, it counts from zero
        self._counts = counts

    def _counted(self, name: str) -> int:
        return self._counts.get(name, 0) - self._counts_before.get(name, 0)

    def _trial(self, stamp: int, heard: Heard) -> Trial:
        response = None
        if heard.result_s is not None and heard.image_s is not None:
            response = 1000 * (heard.result_s - heard.image_s)
        return Trial(
            stamp_ns=stamp,
            truths=truths(
                heard.truth, heard.boxes, info=self._info, object_size=self._object_size
            ),
            found=found(heard.results) if heard.results else None,
            age_ms=self._age_ms(stamp, heard.published_ns),
            response_ms=response,
        )
