# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of truth and results as objects of a trial."""

from __future__ import annotations

from collections.abc import Mapping
import math
from typing import Any

import cv2
from geometry_msgs.msg import PoseStamped
import numpy as np
from sensor_msgs.msg import CameraInfo
from vision_msgs.msg import Detection2DArray

from edge_perception.simulation.camera import Camera
from edge_perception.simulation.trial import Box
from edge_perception.simulation.trial import FoundObject
from edge_perception.simulation.trial import Placement
from edge_perception.simulation.trial import TrueObject
from edge_perception.simulation.views import inside
from edge_perception.simulation.views import View


def truths(
    pose: PoseStamped | None,
    boxes: Detection2DArray | None,
    *,
    info: CameraInfo | None,
    object_size: float,
) -> tuple[TrueObject, ...] | None:
    """
    Return what is in an image; None where nothing is known about it.

    :param info: intrinsics, for the size of an object in the picture.
    :param object_size: longer side in metres.
    """
    if pose is None and boxes is None:
        return None
    objects = [] if pose is None else [_true_pose(_placement(pose.pose), info, object_size)]
    for each in [] if boxes is None else boxes.detections:
        size = max(each.bbox.size_x, each.bbox.size_y)
        label = each.results[0].hypothesis.class_id if each.results else ''
        objects.append(TrueObject(box=_box(each.bbox), size_px=size, label=label))
    return tuple(objects)


def found(results: Mapping[str, Any]) -> tuple[FoundObject, ...]:
    """
    Return what the messages say: poses and boxes apart, because either is scored alone.

    :param results: by the last part of their topic.
    """
    objects = []
    for each in results['detections_3d'].detections if 'detections_3d' in results else ():
        score = each.results[0].hypothesis.score
        objects.append(FoundObject(pose=_placement(each.bbox.center), score=score))
    for each in results['detections'].detections if 'detections' in results else ():
        said = each.results[0].hypothesis
        objects.append(FoundObject(box=_box(each.bbox), score=said.score, label=said.class_id))
    return tuple(objects)


def nanoseconds(time: Any) -> int:
    """Return a time of a message."""
    return int(time.sec) * 1_000_000_000 + int(time.nanosec)


def _true_pose(pose: Placement, info: CameraInfo | None, object_size: float) -> TrueObject:
    if info is None:
        return TrueObject(pose=pose)
    x, y, z, w = pose.orientation
    axis, length = np.array([x, y, z]), math.hypot(x, y, z)
    vector = axis / length * 2 * math.atan2(length, w) if length > 1e-12 else np.zeros(3)
    view = View(
        camera=Camera(width=info.width, height=info.height, focal=float(info.k[0])),
        rotation=np.asarray(cv2.Rodrigues(vector)[0], np.float64),
        position=np.array(pose.position),
        side=object_size,
    )
    return TrueObject(pose=pose, size_px=view.size, inside=inside(view))


def _box(box: Any) -> Box:
    x, y = box.center.position.x, box.center.position.y
    return (x - box.size_x / 2, y - box.size_y / 2, x + box.size_x / 2, y + box.size_y / 2)


def _placement(pose: Any) -> Placement:
    position, turned = pose.position, pose.orientation
    return Placement(
        (position.x, position.y, position.z), (turned.x, turned.y, turned.z, turned.w)
    )
