# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of the node back to what was perceived, the reverse of ``messages``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geometry_msgs.msg import Pose
import numpy as np
from vision_msgs.msg import Classification
from vision_msgs.msg import Detection2DArray

from edge_perception.contract import Classes
from edge_perception.contract import Detections
from edge_perception.contract import Keypoints
from edge_perception.contract import LabelMap
from edge_perception.contract import Perception
from edge_perception.ros.input.raw_images import image_to_frame
from edge_perception.simulation.trial import Placement


def perception(messages: Mapping[str, Any], *, labels: LabelMap) -> Perception:
    """
    Return what the messages about one image say.

    :param messages: by the last part of their topic.
    :param labels: the names that ``class_id`` may have.
    """
    mask = messages.get('segmentation')
    return Perception(
        detections=_detections(messages.get('detections'), labels),
        keypoints=_keypoints(messages.get('keypoints')),
        classes=_classes(messages.get('classification'), labels),
        mask=None if mask is None else image_to_frame(mask).image,
    )


def count_objects(messages: Mapping[str, Any]) -> int:
    """
    Return how many objects, instances or classes were found in one image.

    :param messages: as for ``perception``.
    """
    if 'detections' in messages:
        return len(messages['detections'].detections)
    if 'keypoints' in messages:
        return len({each.id for each in messages['keypoints'].detections})
    if 'classification' in messages:
        return len(messages['classification'].results)
    return int('segmentation' in messages)


def placement(pose: Pose) -> Placement:
    """Return what a pose of ROS says."""
    position, turned = pose.position, pose.orientation
    return Placement(
        (position.x, position.y, position.z), (turned.x, turned.y, turned.z, turned.w)
    )


def _detections(message: Detection2DArray | None, labels: LabelMap) -> Detections | None:
    if message is None:
        return None
    boxes = []
    for each in message.detections:
        box, middle = each.bbox, each.bbox.center.position
        half_width, half_height = box.size_x / 2, box.size_y / 2
        left, top = middle.x - half_width, middle.y - half_height
        boxes.append((left, top, middle.x + half_width, middle.y + half_height))
    hypotheses = [each.results[0].hypothesis for each in message.detections]
    return Detections(
        xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        score=np.array([each.score for each in hypotheses], np.float32),
        class_id=np.array([_index(each.class_id, labels) for each in hypotheses], np.int32),
    )


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


def _index(name: str, labels: LabelMap) -> int:
    index = labels.index(name)
    # A name that is not the model's own, e.g. of the pad as a whole.
    return len(labels) if index is None else index
