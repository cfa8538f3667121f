# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One frame with what was perceived in it, as a picture and a JSON file, for a later look."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
import json
from pathlib import Path

import cv2

from edge_perception.contract import ModelManifest
from edge_perception.contract.user_files import data_folder
from edge_perception.contract.user_files import write_whole
from edge_perception.models.records import perceived
from edge_perception.models.records import pose_values
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
        **perceived(result.perception, manifest),
        'poses': pose_values(result.perception.poses),
    }
    picture = _claim(base, name)
    sidecar = picture.with_suffix('.json')
    try:
        write_whole(sidecar, json.dumps(values, indent=2) + '\n')
        write_whole(picture, png.tobytes())
    except OSError:
        for made in (picture, sidecar):
            made.unlink(missing_ok=True)
        raise
    return picture, sidecar


def _claim(base: Path, name: str) -> Path:
    """Make an empty image file under a name that nothing has yet, here or in another process."""
    base.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        path = base / (f'{name}.png' if number == 1 else f'{name}_{number}.png')
        with suppress(FileExistsError):
            path.touch(exist_ok=False)
            break
    return path
