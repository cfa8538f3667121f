# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of objects as messages, in the optical frame of the camera (REP-103)."""

from __future__ import annotations

from collections.abc import Sequence

from geometry_msgs.msg import Point
from geometry_msgs.msg import PoseWithCovariance
from geometry_msgs.msg import PoseWithCovarianceStamped
from geometry_msgs.msg import Quaternion
from geometry_msgs.msg import TransformStamped
from geometry_msgs.msg import Vector3
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection3D
from vision_msgs.msg import Detection3DArray
from vision_msgs.msg import ObjectHypothesisWithPose

from edge_perception.contract import Boxes3D
from edge_perception.contract import Detections
from edge_perception.contract import LabelMap
from edge_perception.contract import ObjectPose
from edge_perception.pose import rotation_matrix
from edge_perception.pose.intrinsics import Floats
from edge_perception.ros.output.result_messages import class_ids


def pose_message(pose: ObjectPose, *, header: Header) -> PoseWithCovarianceStamped:
    """
    Return the pose of one object.

    :param header: of the image; the pose is in the optical frame of the camera.
    """
    message = PoseWithCovarianceStamped()
    message.header = header
    message.pose = _pose(pose)
    return message


def detections_3d_message(
    poses: Sequence[ObjectPose],
    *,
    detections: Detections,
    header: Header,
    object_box: tuple[Floats, Floats],
    labels: LabelMap,
    class_id_format: str = 'name',
) -> Detection3DArray:
    """
    Return one ``Detection3D`` for each object whose pose is known.

    :param detections: the rows that the poses belong to.
    :param object_box: center and size in the frame of the object, (3,) each, meters.
    """
    names = class_ids(detections.class_id, labels=labels, class_id_format=class_id_format)
    ids = detections.ids()
    message = Detection3DArray()
    message.header = header
    center, size = object_box
    for pose in poses:
        score = float(detections.score[pose.instance])
        detection = _detection_3d(pose, size, header, names[pose.instance], score)
        detection.id = ids[pose.instance]
        x, y, z = (rotation_matrix(pose.orientation) @ center + pose.position).tolist()
        detection.bbox.center.position = Point(x=x, y=y, z=z)
        message.detections.append(detection)
    return message


def boxes_3d_message(
    boxes: Boxes3D,
    *,
    detections: Detections,
    header: Header,
    labels: LabelMap,
    class_id_format: str = 'name',
) -> Detection3DArray:
    """
    Return one ``Detection3D`` for each box, its pose that of the center.

    ``id`` is that of the track or, where nothing is tracked, the row of the detection.

    :param header: of the image; its frame gives way to that of the boxes.
    """
    names = class_ids(detections.class_id, labels=labels, class_id_format=class_id_format)
    rows = map(str, range(len(detections)))
    ids = list(rows) if detections.track_id is None else detections.ids()
    message = Detection3DArray()
    message.header = Header(stamp=header.stamp, frame_id=boxes.frame_id or header.frame_id)
    for row, *values in zip(
        boxes.instance.tolist(), boxes.center, boxes.orientation, boxes.covariance, boxes.size
    ):
        pose, score = ObjectPose(*values[:3]), float(detections.score[row])
        detection = _detection_3d(pose, values[3], message.header, names[row], score)
        detection.id = ids[row]
        message.detections.append(detection)
    return message


def _detection_3d(
    pose: ObjectPose, size: Floats, header: Header, class_id: str, score: float
) -> Detection3D:
    """Return an object whose box has its center where its pose is."""
    hypothesis = ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = class_id
    hypothesis.hypothesis.score = score
    hypothesis.pose = _pose(pose)
    detection = Detection3D()
    detection.header = header
    detection.results = [hypothesis]
    detection.bbox.center.position = hypothesis.pose.pose.position
    detection.bbox.center.orientation = hypothesis.pose.pose.orientation
    x, y, z = size.tolist()
    detection.bbox.size = Vector3(x=x, y=y, z=z)
    return detection


def transform_message(pose: ObjectPose, *, header: Header, child_frame_id: str) -> TFMessage:
    """Return the object as a frame below the optical frame of the camera."""
    transform = TransformStamped()
    transform.header = header
    transform.child_frame_id = child_frame_id
    x, y, z = pose.position.tolist()
    transform.transform.translation = Vector3(x=x, y=y, z=z)
    transform.transform.rotation = _quaternion(pose)
    return TFMessage(transforms=[transform])


def _pose(pose: ObjectPose) -> PoseWithCovariance:
    message = PoseWithCovariance()
    x, y, z = pose.position.tolist()
    message.pose.position = Point(x=x, y=y, z=z)
    message.pose.orientation = _quaternion(pose)
    message.covariance = pose.covariance.ravel().tolist()
    return message


def _quaternion(pose: ObjectPose) -> Quaternion:
    x, y, z, w = pose.orientation.tolist()
    return Quaternion(x=x, y=y, z=z, w=w)
