# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One frame with what was perceived in it, as a picture and a JSON file, for a later look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2

from edge_perception.contract import ModelManifest
from edge_perception.contract import Perception
from edge_perception.contract.user_files import data_folder
from edge_perception.contract.user_files import write_whole
from edge_perception.runtime.pipeline import Result

TO_BGR = {'rgb8': cv2.COLOR_RGB2BGR}


def save(
    result: Result, *, folder: str, camera: str, manifest: ModelManifest
) -> tuple[Path, Path]:
    """
    Write a frame as PNG, untouched, and its result beside it; returns both paths.

    :param folder: empty for that of the user's data.
    :raises OSError: it cannot be written; nothing is left behind.
    """
    frame = result.frame
    seconds, nanoseconds = divmod(frame.stamp_ns, 10**9)
    base = Path(folder).expanduser() if folder else data_folder() / 'frames'
    name = '_'.join(filter(None, (camera, f'{seconds}.{nanoseconds:09d}')))
    code = TO_BGR.get(frame.encoding)
    _, png = cv2.imencode('.png', frame.image if code is None else cv2.cvtColor(frame.image, code))
    values = {
        'model': manifest.name,
        'stamp_ns': frame.stamp_ns,
        'frame_id': frame.frame_id,
        **_values(result.perception, manifest),
    }
    picture, sidecar = base / f'{name}.png', base / f'{name}.json'
    write_whole(sidecar, json.dumps(values, indent=2) + '\n')
    try:
        write_whole(picture, png.tobytes())
    except OSError:
        sidecar.unlink()
        raise
    return picture, sidecar


def _values(perception: Perception, manifest: ModelManifest) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if perception.detections is not None:
        found = perception.detections
        values['detections'] = [
            {
                'label': manifest.labels.name(int(class_id)),
                'score': round(float(score), 4),
                'xyxy': [round(float(each), 2) for each in box],
            }
            for class_id, score, box in zip(found.class_id, found.score, found.xyxy)
        ]
    if perception.keypoints is not None:
        # Not a number is no JSON.
        values['keypoints'] = [
            [None if score == 0 else [round(float(each), 2) for each in point]]
            for points, scores in zip(perception.keypoints.xy, perception.keypoints.score)
            for point, score in zip(points, scores)
        ]
    values['poses'] = [
        {'position': pose.position.tolist(), 'orientation': pose.orientation.tolist()}
        for pose in perception.poses
    ]
    return values
