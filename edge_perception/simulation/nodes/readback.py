# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Convert messages of the node and of the truth to detections, poses and boxes."""

from __future__ import annotations

from collections.abc import Mapping
import math
from typing import Any

from geometry_msgs.msg import Pose
import numpy as np
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image
from vision_msgs.msg import Classification
from vision_msgs.msg import Detection2DArray

from edge_perception.contract import Classes
from edge_perception.contract import Detections
from edge_perception.contract import Keypoints
from edge_perception.contract import LabelMap
from edge_perception.contract import Perception
from edge_perception.contract.types import UInt16Array
from edge_perception.pose import rotation_matrix
from edge_perception.ros.input.raw_images import image_to_frame
from edge_perception.simulation.matching import Box
from edge_perception.simulation.matching import FoundObject
from edge_perception.simulation.matching import Placement
from edge_perception.simulation.matching import TrueObject
from edge_perception.simulation.rendering.pinhole import PinholeCamera
from edge_perception.simulation.views import inside
from edge_perception.simulation.views import View


def perception(messages: Mapping[str, Any], *, labels: LabelMap) -> Perception:
    """
    Return what the messages about one image say.

    :param messages: by the last part of their topic.
    :param labels: the names that ``class_id`` may have.
    """
    mask, instances = messages.get('segmentation'), messages.get('instances')
    return Perception(
        detections=_detections(messages.get('detections'), labels),
        keypoints=_keypoints(messages.get('keypoints')),
        classes=_classes(messages.get('classification'), labels),
        mask=None if mask is None else image_to_frame(mask).image,
        instances=None if instances is None else _pixels(instances),
    )


def found_objects(name: str, message: Any) -> tuple[FoundObject, ...]:
    """
    Return what one message about an image says.

    Poses and boxes are objects of their own, because either is scored alone. Keypoints, classes
    and a mask are objects without both: something was found, and nothing is compared.

    :param name: last part of the topic.
    """
    if name in ('segmentation', 'instances'):
        return (FoundObject(),)
    if name == 'classification':
        return tuple(
            FoundObject(score=each.score, label=each.class_id) for each in message.results
        )
    if name == 'keypoints':
        scores: dict[str, list[float]] = {}
        for each in message.detections:
            scores.setdefault(each.id, []).append(each.results[0].hypothesis.score)
        return tuple(FoundObject(score=max(values)) for values in scores.values())
    objects = []
    for each in message.detections:
        said = each.results[0].hypothesis
        if name == 'detections_3d':
            objects.append(FoundObject(pose=placement(each.bbox.center), score=said.score))
        else:
            box = _box(each.bbox)
            objects.append(FoundObject(box=box, score=said.score, label=said.class_id))
    return tuple(objects)


def true_boxes(message: Detection2DArray) -> tuple[TrueObject, ...]:
    """Return the true objects of an image of which the boxes are known."""
    return tuple(
        TrueObject(
            box=_box(each.bbox),
            size_px=max(each.bbox.size_x, each.bbox.size_y),
            label=each.results[0].hypothesis.class_id if each.results else '',
        )
        for each in message.detections
    )


def true_pose(pose: Placement, *, info: CameraInfo | None, object_size: float) -> TrueObject:
    """
    Return a true object of which the pose is known.

    :param info: intrinsics, for the size of the object in the image; None if unknown.
    :param object_size: longer side in meters.
    """
    if info is None:
        return TrueObject(pose=pose)
    view = View(
        camera=PinholeCamera(width=info.width, height=info.height, focal=float(info.k[0])),
        rotation=rotation_matrix(pose.orientation),
        position=np.array(pose.position),
        side=object_size,
    )
    return TrueObject(pose=pose, size_px=view.size, inside=inside(view))


def is_comparable(pose: Placement) -> bool:
    """Tell whether it is finite, not in the camera itself, and has an orientation."""
    lengths = math.hypot(*pose.position), math.hypot(*pose.orientation)
    return all(0 < length < math.inf for length in lengths)


def placement(pose: Pose) -> Placement:
    """Return what a pose of ROS says."""
    position, turned = pose.position, pose.orientation
    return Placement(
        (position.x, position.y, position.z), (turned.x, turned.y, turned.z, turned.w)
    )


def _detections(message: Detection2DArray | None, labels: LabelMap) -> Detections | None:
    if message is None:
        return None
    boxes = [_box(each.bbox) for each in message.detections]
    names = [each.id.rpartition('-') for each in message.detections]
    hypotheses = [each.results[0].hypothesis for each in message.detections]
    return Detections(
        xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        score=np.array([each.score for each in hypotheses], np.float32),
        class_id=np.array([_index(each.class_id, labels) for each in hypotheses], np.int32),
        track_id=np.array([_track(number) for _, _, number in names], np.int32),
        track_token=next((token for token, _, _ in names if token), ''),
    )


def _track(number: str) -> int:
    """Return the number in an id; 0 for ids that another node gives otherwise."""
    return int(number) if number.isdecimal() and len(number) < 10 else 0


def _keypoints(message: Detection2DArray | None) -> Keypoints | None:
    if message is None:
        return None
    # Every instance has all its points, unseen ones as well; none at all need no count.
    count = sum(each.id == message.detections[0].id for each in message.detections) or 1
    points = [
        (each.bbox.center.position.x, each.bbox.center.position.y) for each in message.detections
    ]
    scores = [each.results[0].hypothesis.score for each in message.detections]
    return Keypoints(
        xy=np.array(points, np.float32).reshape(-1, count, 2),
        score=np.array(scores, np.float32).reshape(-1, count),
    )


def _classes(message: Classification | None, labels: LabelMap) -> Classes | None:
    if message is None:
        return None
    return Classes(
        class_id=np.array([_index(each.class_id, labels) for each in message.results], np.int32),
        score=np.array([each.score for each in message.results], np.float32),
    )


def _box(box: Any) -> Box:
    """Return the box that encloses one, which may be rotated."""
    x, y = box.center.position.x, box.center.position.y
    along, across = abs(math.cos(box.center.theta)) / 2, abs(math.sin(box.center.theta)) / 2
    half_x = along * box.size_x + across * box.size_y
    half_y = across * box.size_x + along * box.size_y
    return (x - half_x, y - half_y, x + half_x, y + half_y)


def _pixels(message: Image) -> UInt16Array:
    """Return the pixels of a mono16 image as the node publishes it, without padding."""
    order = '>u2' if message.is_bigendian else '<u2'
    pixels = np.frombuffer(message.data, order).reshape(message.height, message.width)
    return pixels.astype(np.uint16)


def _index(name: str, labels: LabelMap) -> int:
    index = labels.index(name)
    # A name that is not the model's own, e.g. of the pad as a whole.
    return len(labels) if index is None else index


def names_in(messages: Mapping[str, Any]) -> list[str]:
    """Return the names of the classes in the messages about one image, as for ``perception``."""
    detections = messages['detections'].detections if 'detections' in messages else ()
    classes = messages['classification'].results if 'classification' in messages else ()
    said = [each.results[0].hypothesis for each in detections]
    return [each.class_id for each in (*said, *classes)]
