# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What was perceived in a frame as plain values, for JSON."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from edge_perception.contract import Classes
from edge_perception.contract import Detections
from edge_perception.contract import Keypoints
from edge_perception.contract import LabelMap
from edge_perception.contract import ModelManifest
from edge_perception.contract import ObjectPose
from edge_perception.contract import Perception
from edge_perception.contract.types import UInt8Array
from edge_perception.contract.types import UInt16Array
from edge_perception.runtime.pipeline import Result

NANOSECONDS = 1e6  # in a millisecond


def record(result: Result, *, source: str, index: int, manifest: ModelManifest) -> dict[str, Any]:
    """
    Return one frame as JSON has it; null stands for "this model does not say".

    Boxes and points are in pixels of the source image, not clipped to it.
    """
    return {
        'file': source,
        'frame': index,
        'width': result.frame.width,
        'height': result.frame.height,
        **perceived(result.perception, manifest),
        'not_finite': round(result.perception.not_finite, 6),
        'times_ms': milliseconds(result.times),
    }


def perceived(perception: Perception, manifest: ModelManifest) -> dict[str, Any]:
    """Return what was perceived in a frame but for poses; null as in ``record``."""
    labels = manifest.labels
    values: dict[str, Any] = dict.fromkeys(('detections', 'keypoints', 'classes', 'mask'))
    if perception.detections is not None:
        values['detections'] = _detections(perception.detections, labels)
        if perception.instances is not None:
            for row, each in enumerate(values['detections']):
                each['polygons'] = _polygons(perception.instances, row, perception.detections)
    if perception.keypoints is not None:
        values['keypoints'] = _keypoints(perception.keypoints, manifest.keypoint_names)
    if perception.classes is not None:
        values['classes'] = _classes(perception.classes, labels)
    if perception.mask is not None:
        values['mask'] = _mask(perception.mask, labels)
    return values


def pose_values(poses: Iterable[ObjectPose]) -> list[dict[str, Any]]:
    """Return poses: meters, unit quaternions x, y, z, w, and covariances of 6 rows."""
    return [
        {
            'instance': pose.instance,
            'position': pose.position.tolist(),
            'orientation': pose.orientation.tolist(),
            'covariance': pose.covariance.tolist(),
        }
        for pose in poses
    ]


def milliseconds(times: Mapping[str, int]) -> dict[str, float]:
    """Return the times of a frame in milliseconds."""
    return {name: round(taken_ns / NANOSECONDS, 3) for name, taken_ns in times.items()}


def _mask(mask: UInt8Array, labels: LabelMap) -> list[dict[str, Any]]:
    """Return the classes of a mask with their pixels, the largest first."""
    counts = np.bincount(mask.ravel(), minlength=1)
    order = np.argsort(-counts, kind='stable')
    return [
        {
            'class_id': int(class_id),
            'label': labels.name(int(class_id)),
            'pixels': int(counts[class_id]),
            'share': round(float(counts[class_id] / mask.size), 4),
        }
        for class_id in order[: np.count_nonzero(counts)]
    ]


def _detections(detections: Detections, labels: LabelMap) -> list[dict[str, Any]]:
    rows, ids = [], detections.ids()
    for row in range(len(detections)):
        class_id = int(detections.class_id[row])
        values = {
            'class_id': class_id,
            'label': labels.name(class_id),
            'score': round(float(detections.score[row]), 4),
            'xyxy': [round(float(value), 2) for value in detections.xyxy[row]],
        }
        if detections.rotated is not None:
            values['rotated'] = [round(float(value), 4) for value in detections.rotated[row]]
        if detections.track_id is not None:
            values['id'] = ids[row]
        rows.append(values)
    return rows


def _polygons(instances: UInt16Array, row: int, detections: Detections) -> list[list[list[float]]]:
    """Return the outlines of an instance, corners x, y in pixels; holes are not in them."""
    limits = [instances.shape[1], instances.shape[0]] * 2
    box = np.clip(np.ceil(detections.xyxy[row].astype(np.float64) - 0.5), 0, limits)
    left, top, right, bottom = box.astype(int).tolist()
    inside = (instances[top:bottom, left:right] == row + 1).astype(np.uint8)
    outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    # OpenCV counts pixels by their indices; their centers are half a pixel from there.
    return [(each[:, 0] + [left + 0.5, top + 0.5]).tolist() for each in outlines]


def _keypoints(keypoints: Keypoints, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the points of each instance; unseen ones have null, as JSON has no NaN."""
    return [
        {
            'instance': instance,
            'points': [
                {
                    'name': names[index] if index < len(names) else str(index),
                    'x': round(float(x), 2) if np.isfinite(x) else None,
                    'y': round(float(y), 2) if np.isfinite(y) else None,
                    'score': round(float(keypoints.score[instance, index]), 4),
                }
                for index, (x, y) in enumerate(points)
            ],
        }
        for instance, points in enumerate(keypoints.xy)
    ]


def _classes(classes: Classes, labels: LabelMap) -> list[dict[str, Any]]:
    return [
        {
            'class_id': int(class_id),
            'label': labels.name(int(class_id)),
            'score': round(float(score), 4),
        }
        for class_id, score in zip(classes.class_id, classes.score)
    ]
