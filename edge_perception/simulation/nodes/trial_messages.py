# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of truth and results as objects of a trial."""

from __future__ import annotations

from collections.abc import Mapping
import math
from typing import Any

from geometry_msgs.msg import PoseStamped
import numpy as np
from sensor_msgs.msg import CameraInfo
from vision_msgs.msg import Detection2DArray

from edge_perception.pose import rotation_matrix
from edge_perception.simulation.nodes.readback import placement
from edge_perception.simulation.rendering.pinhole import Camera
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
    :param object_size: longer side in meters.
    """
    if pose is None and boxes is None:
        return None
    objects = [] if pose is None else [_true_pose(placement(pose.pose), info, object_size)]
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
        objects.append(FoundObject(pose=placement(each.bbox.center), score=score))
    for each in results['detections'].detections if 'detections' in results else ():
        said = each.results[0].hypothesis
        objects.append(FoundObject(box=_box(each.bbox), score=said.score, label=said.class_id))
    return tuple(objects)


def is_pose(pose: Any) -> bool:
    """Tell whether it can be compared: finite, not in the camera itself, with an orientation."""
    place = placement(pose)
    lengths = math.hypot(*place.position), math.hypot(*place.orientation)
    return all(0 < length < math.inf for length in lengths)


def _true_pose(pose: Placement, info: CameraInfo | None, object_size: float) -> TrueObject:
    if info is None:
        return TrueObject(pose=pose)
    view = View(
        camera=Camera(width=info.width, height=info.height, focal=float(info.k[0])),
        rotation=rotation_matrix(pose.orientation),
        position=np.array(pose.position),
        side=object_size,
    )
    return TrueObject(pose=pose, size_px=view.size, inside=inside(view))


def _box(box: Any) -> Box:
    x, y = box.center.position.x, box.center.position.y
    return (x - box.size_x / 2, y - box.size_y / 2, x + box.size_x / 2, y + box.size_y / 2)
