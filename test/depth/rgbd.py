# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Renders the depth images of boxes before a wall, exact or with what real sensors do to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from edge_perception.contract import Boxes3D
from edge_perception.contract import Calibration
from edge_perception.contract import Detections
from edge_perception.contract import Frame
from edge_perception.contract import ImageTransform
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_options
from edge_perception.contract import Perception
from edge_perception.contract import SideImage
from edge_perception.contract import StageInputs
from edge_perception.depth import DepthStage

WIDTH, HEIGHT, FOCAL = 640, 480, 500.0
K = (FOCAL, 0.0, 319.5, 0.0, FOCAL, 239.5, 0.0, 0.0, 1.0)
CALIBRATION = Calibration(WIDTH, HEIGHT, K)
STAMP = 1_000_000_000
FRAME_ID = 'camera_color_optical_frame'
MANIFEST = ModelManifest(
    name='net', source='net.onnx', input=InputRecipe(width=64, height=64), decoder='fake'
)


@dataclass(frozen=True)
class Block:
    """An object: the middle of its front, and its size, meters, in the optical frame."""

    x: float
    y: float
    front: float
    size: tuple[float, float, float] = (0.4, 0.3, 0.2)


@dataclass(frozen=True)
class View:
    """
    What the camera sees.

    :param z: float64 (height, width), distances along the optical axis.
    :param number: of the block in each pixel, -1 for the wall.
    """

    z: np.ndarray
    number: np.ndarray

    def boxes(self) -> np.ndarray:
        """Return the boxes of the blocks as a perfect detector sees them, pixels."""
        found = []
        for number in range(self.number.max() + 1):
            rows, columns = np.nonzero(self.number == number)
            found.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        return np.array(found, np.float32)


@lru_cache
def look(*blocks: Block, wall: float = 6.0, scale: float = 1.0) -> View:
    """Render blocks before a wall; ``scale``: of the size of the image, K with it."""
    width, height = int(WIDTH * scale), int(HEIGHT * scale)
    x = ((np.arange(width) + 0.5) / scale - 0.5 - K[2]) / FOCAL
    y = ((np.arange(height) + 0.5) / scale - 0.5 - K[5]) / FOCAL
    rays = np.stack([*np.meshgrid(x, y), np.ones((height, width))], axis=-1)
    z, number = np.full((height, width), float(wall)), np.full((height, width), -1)
    for index, block in enumerate(blocks):
        low = np.array([block.x, block.y, block.front]) - [block.size[0] / 2, block.size[1] / 2, 0]
        ends = np.stack([low, low + block.size])[:, None, None] / np.where(rays, rays, 1e-12)
        enter, leave = ends.min(axis=0).max(axis=-1), ends.max(axis=0).min(axis=-1)
        hit = (enter <= leave) & (enter < z)
        z[hit], number[hit] = enter[hit], index
    z.flags.writeable = number.flags.writeable = False
    return View(z, number)


def worn(view: View, *, seed: int, noise: float = 0.0027, holes: float = 0.1) -> np.ndarray:
    """Return distances with the noise of stereo, holes, and pixels that fly between surfaces."""
    random = np.random.default_rng(seed)
    z = view.z.copy()
    near, far = (each(z, np.ones((5, 5))) for each in (cv2.erode, cv2.dilate))
    flying = (far - near > 0.05) & (random.random(z.shape) < 0.6)
    z[flying] = (near + random.random(z.shape) * (far - near))[flying]
    z += random.normal(size=z.shape) * noise * z**2
    blotches = cv2.resize(random.random((z.shape[0] // 8, z.shape[1] // 8)), z.shape[::-1])
    z[blotches < np.quantile(blotches, holes)] = 0
    return z


def depth_image(z: np.ndarray, encoding: str = '16UC1', **changes: Any) -> SideImage:
    """Return distances in meters as a camera publishes them."""
    pixels = z.astype(np.float32)
    if encoding != '32FC1':
        pixels = np.round(np.nan_to_num(z * 1000)).clip(0, 65535).astype(np.uint16)
    pixels.flags.writeable = False
    values: dict[str, Any] = {
        'stamp_ns': STAMP,
        'frame_id': FRAME_ID,
        'period_ns': 33_000_000,
        **changes,
    }
    return SideImage(pixels, encoding, **values)


def inputs_of(boxes: Any, depth: SideImage | None, **changes: Any) -> StageInputs:
    """Return what the stage gets for boxes of an image."""
    rows = np.asarray(boxes, np.float32).reshape(-1, 4)
    count = len(rows)
    found = Detections(
        rows, np.linspace(0.9, 0.5, count, dtype=np.float32), np.zeros(count, np.int32)
    )
    values: dict[str, Any] = {
        'frame': Frame(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 'bgr8', STAMP, FRAME_ID),
        'perception': Perception(detections=found),
        'transform': ImageTransform(WIDTH, HEIGHT, 64, 64),
        'calibration': CALIBRATION,
        'images': {} if depth is None else {'depth': depth},
        **changes,
    }
    return StageInputs(**values)


def stage_of(**options: Any) -> DepthStage:
    """Return a stage with options."""
    values = {'depth_topic': 'depth/image_raw', **options}
    return DepthStage(MANIFEST, options=parse_options(DepthStage.options_type, values, owner='x'))


def measure(boxes: Any, depth: SideImage | None, **options: Any) -> Boxes3D:
    """Return the boxes in space."""
    boxes_3d = stage_of(**options).run(inputs_of(boxes, depth)).extras['detections_3d']
    assert isinstance(boxes_3d, Boxes3D)
    return boxes_3d


def fronts(boxes: Boxes3D) -> Sequence[float]:
    """Return the distances of the fronts."""
    return boxes.center[:, 2] - boxes.size[:, 2] / 2
