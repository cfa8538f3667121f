# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Listens to truth and results, and joins what belongs to one image to a trial."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
import math
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
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray
from vision_msgs.msg import Detection3DArray

from edge_perception.contract import EdgePerceptionError
from edge_perception.ros import qos
from edge_perception.ros.images import image_to_frame
from edge_perception.ros.images import stamp_ns
from edge_perception.simulation.camera import Camera
from edge_perception.simulation.trial import Box
from edge_perception.simulation.trial import FoundObject
from edge_perception.simulation.trial import Placement
from edge_perception.simulation.trial import Trial
from edge_perception.simulation.trial import TrueObject
from edge_perception.simulation.views import inside
from edge_perception.simulation.views import View

# Images that are remembered; about 10 kB each, as JPEG.
PICTURES = 20000
JPEG_QUALITY = 80


@dataclass(slots=True)
class Heard:
    """What has come about one image, by a wall clock in seconds."""

    image_s: float | None = None
    result_s: float | None = None
    age_ms: float | None = None
    truth: PoseStamped | None = None
    boxes: Detection2DArray | None = None
    results: dict[str, Any] = field(default_factory=dict)


class TrialWatch:
    """
    Subscribes in a thread and a context of its own; methods may be called from any thread.

    Topics: ``<camera>/image_raw`` and ``camera_info``, ``/ground_truth/pose`` and ``boxes``, and of
    the node ``detections`` and ``detections_3d``. Ages are read from the clock of ROS.

    :param object_size: longer side of the true object in metres, for its size in the picture.
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
        self._lock = threading.Lock()
        self._heard: dict[int, Heard] = {}
        self._pictures: dict[int, bytes] = {}
        self._order: deque[int] = deque()
        self._keep_pictures = keep_pictures
        self._object_size = object_size
        self._node_name = node
        self._info: CameraInfo | None = None
        self._counts: dict[str, int] = {}
        self._context = Context()
        rclpy.init(context=self._context)
        clock = [Parameter('use_sim_time', value=use_sim_time)]
        self._node = rclpy.create_node(
            'trial_watch', context=self._context, parameter_overrides=clock
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._subscribe(camera)
        self._thread = threading.Thread(target=self._spin, name='trial_watch', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the subscriptions and the thread."""
        self._executor.shutdown()
        self._thread.join(5.0)
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
        """Frames that the node has received, as it says itself."""
        return self._counts.get('received', 0)

    @property
    def dropped(self) -> Mapping[str, int]:
        """Frames that the node has dropped, by reason."""
        prefix = 'dropped.'
        return {
            name.removeprefix(prefix): count
            for name, count in self._counts.items()
            if name.startswith(prefix) and count
        }

    def picture(self, stamp: int) -> bytes | None:
        """Return an image as JPEG; None when it is not remembered."""
        return self._pictures.get(stamp)

    def trials(self) -> list[Trial]:
        """Return a trial for each image, in the order of the stamps, from the first result on."""
        with self._lock:
            heard = sorted(self._heard.items())
        first = next((i for i, (_, each) in enumerate(heard) if each.results), len(heard))
        return [self._trial(stamp, each) for stamp, each in heard[first:]]

    def _subscribe(self, camera: str) -> None:
        subscribe = self._node.create_subscription
        subscribe(Image, f'{camera}/image_raw', self._on_image, qos.EVERY)
        subscribe(CameraInfo, f'{camera}/camera_info', self._on_info, qos.CAMERA)
        subscribe(PoseStamped, '/ground_truth/pose', self._on_truth, qos.EVERY)
        subscribe(Detection2DArray, '/ground_truth/boxes', self._on_boxes, qos.EVERY)
        subscribe(DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.EVERY)
        results: dict[str, type] = {
            'detections': Detection2DArray,
            'detections_3d': Detection3DArray,
        }
        for name, kind in results.items():
            topic = f'{self._node_name}/{name}'
            subscribe(kind, topic, self._on_result(name), qos.EVERY)

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
        with self._lock:
            self._entry(message).truth = message

    def _on_boxes(self, message: Detection2DArray) -> None:
        with self._lock:
            self._entry(message).boxes = message

    def _on_result(self, name: str) -> Callable[[Any], None]:
        def take(message: Any) -> None:
            now_ns, now_s = int(self._node.get_clock().now().nanoseconds), time.monotonic()
            with self._lock:
                entry = self._entry(message)
                if entry.result_s is None:
                    entry.result_s = now_s
                    entry.age_ms = (now_ns - stamp_ns(message.header)) / 1e6
                entry.results[name] = message

        return take

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.startswith(self._node_name) and status.name.endswith('camera'):
                self._counts = {
                    each.key: int(each.value)
                    for each in status.values
                    if each.key == 'received' or each.key.startswith('dropped.')
                }

    def _trial(self, stamp: int, heard: Heard) -> Trial:
        response = None
        if heard.result_s is not None and heard.image_s is not None:
            response = 1000 * (heard.result_s - heard.image_s)
        return Trial(
            stamp_ns=stamp,
            truths=self._truths(heard),
            found=_found(heard.results) if heard.results else None,
            age_ms=heard.age_ms,
            response_ms=response,
        )

    def _truths(self, heard: Heard) -> tuple[TrueObject, ...] | None:
        if heard.truth is None and heard.boxes is None:
            return None
        truths = []
        if heard.truth is not None:
            truths.append(self._true_pose(_placement(heard.truth.pose)))
        if heard.boxes is not None:
            for each in heard.boxes.detections:
                size = max(each.bbox.size_x, each.bbox.size_y)
                label = each.results[0].hypothesis.class_id if each.results else ''
                truths.append(TrueObject(box=_box(each.bbox), size_px=size, label=label))
        return tuple(truths)

    def _true_pose(self, pose: Placement) -> TrueObject:
        info = self._info
        if info is None:
            return TrueObject(pose=pose)
        camera = Camera(width=info.width, height=info.height, focal=float(info.k[0]))
        x, y, z, w = pose.orientation
        axis, length = np.array([x, y, z]), math.hypot(x, y, z)
        vector = axis / length * 2 * math.atan2(length, w) if length > 1e-12 else np.zeros(3)
        view = View(
            camera=camera,
            rotation=np.asarray(cv2.Rodrigues(vector)[0], np.float64),
            position=np.array(pose.position),
            side=self._object_size,
        )
        return TrueObject(pose=pose, size_px=view.size, inside=inside(view))


def _found(results: Mapping[str, Any]) -> tuple[FoundObject, ...]:
    """Return what the messages say: poses and boxes apart, because either is scored alone."""
    found = []
    if 'detections_3d' in results:
        for each in results['detections_3d'].detections:
            hypothesis = each.results[0].hypothesis
            found.append(
                FoundObject(pose=_placement(each.bbox.center), score=hypothesis.score)
            )
    if 'detections' in results:
        for each in results['detections'].detections:
            hypothesis = each.results[0].hypothesis
            found.append(
                FoundObject(
                    box=_box(each.bbox), score=hypothesis.score, label=hypothesis.class_id
                )
            )
    return tuple(found)


def _box(box: Any) -> Box:
    x, y = box.center.position.x, box.center.position.y
    return (x - box.size_x / 2, y - box.size_y / 2, x + box.size_x / 2, y + box.size_y / 2)


def _placement(pose: Any) -> Placement:
    position, turned = pose.position, pose.orientation
    return Placement(
        (position.x, position.y, position.z), (turned.x, turned.y, turned.z, turned.w)
    )
