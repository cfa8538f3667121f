# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Load rendered images, and alter them at random so that none is seen twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[Any]
Random = np.random.Generator
Batch = tuple[Tensor, Tensor, Tensor, Tensor]
# Image (H, W) and keypoints (K, 2) to such ones of the size that the network is trained on.
Alteration = Callable[[Array, Array, Random], tuple[Array, Array]]

# Of the images that the network is trained on.
WIDTH, HEIGHT = 320, 240
# Pixels of a window for one of the camera's: 0.5 to 1 with what is drawn at random; the exported
# network has 0.9.
SCALE = 0.8
# Images with fewer pixels than SMALL between a5 and e5, two thirds of a side, are drawn
# SMALL_WEIGHT times as often as others, because they are the hardest.
SMALL, SMALL_WEIGHT = 100 * 2 / 3, 2.0


@dataclass
class TrainingImages:
    """
    Rendered images in memory.

    :param image: uint8 (N, H, W).
    :param keypoints: float32 (N, K, 2), pixels.
    :param seen: bool (N, K).
    :param with_pad: bool (N,).
    """

    image: Array
    keypoints: Array
    seen: Array
    with_pad: Array

    @classmethod
    def load(
        cls, folder: Path, split: str, *, halved: bool, chunks: int | None = None
    ) -> TrainingImages:
        """
        Read the chunks of a split.

        :param halved: in width and height.
        :param chunks: how many; None for all.
        """
        paths = sorted(folder.glob(f'{split}_*.npz'))[:chunks]
        if not paths:
            raise SystemExit(f'{folder}: got no {split}_*.npz, expected images; run dataset.py')
        parts = [cls(**np.load(path)) for path in paths]
        for part in parts if halved else ():
            height, width = part.image.shape[1:]
            size = (width // 2, height // 2)
            part.image = np.stack(
                [cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in part.image]
            )
            part.keypoints = part.keypoints / 2
        names = ('image', 'keypoints', 'seen', 'with_pad')
        return cls(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})

    def __len__(self) -> int:
        return len(self.image)

    def shares(self) -> Array:
        """Return how often each image is drawn, where small pads come more often: (N,)."""
        side = np.linalg.norm(self.keypoints[:, 0] - self.keypoints[:, 1], axis=1)
        weight = np.where(side < SMALL, SMALL_WEIGHT, 1.0)
        return np.asarray(weight / weight.sum())


def batch(
    pictures: TrainingImages,
    rows: Array,
    alter: Alteration | None = None,
    random: Random | None = None,
) -> Batch:
    """
    Return tensors for some rows.

    :param alter: how they are altered at random; None leaves them.
    :return: images (N, 1, H, W), keypoints (N, K, 2), target presence (N, K), weight (N, K).
    """
    source = pictures.keypoints[rows]
    taken = _inside(source, pictures.image.shape)
    hidden = taken & ~pictures.seen[rows]
    pairs = list(zip(pictures.image[rows], source))
    if alter is not None and random is not None:
        pairs = [alter(image, keypoints, random) for image, keypoints in pairs]
    images, keypoints = (np.stack(each) for each in zip(*pairs))
    within = _inside(keypoints, images.shape) & pictures.with_pad[rows][:, None]
    # A window may reach beyond the image; there is nothing.
    within &= taken if alter is window else True
    # What is hidden may be guessed or not, as the network likes.
    weight = ~(hidden & pictures.with_pad[rows][:, None])
    return (
        torch.from_numpy(images[:, None]).float() / 255,
        torch.from_numpy(keypoints),
        torch.from_numpy(within).float(),
        torch.from_numpy(weight).float(),
    )


def _inside(keypoints: Array, shape: tuple[int, ...]) -> Array:
    within = (keypoints >= 0) & (keypoints < (shape[2], shape[1]))
    return np.asarray(within.all(axis=-1))


def whole(zoom: float) -> Alteration:
    """
    Return an alteration that turns, moves, scales and exposes an image at random.

    :param zoom: logarithm of the largest enlargement.
    """

    def alter(image: Array, keypoints: Array, random: Random) -> tuple[Array, Array]:
        height, width = image.shape
        turn, scale = _turn(random), math.exp(random.uniform(-0.2, zoom))
        matrix: Array = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, scale)
        matrix[:, 2] += random.uniform(-0.1, 0.1, 2) * (width, height)
        image = _warped(image, matrix, (width, height), random)
        return _exposed(image, random, spread=0.2), _moved(keypoints, matrix)

    return alter


def window(image: Array, keypoints: Array, random: Random) -> tuple[Array, Array]:
    """Cut a window near the pad out of an image of a camera, as large as the network sees it."""
    height, width = image.shape
    turn, scale = _turn(random), SCALE * math.exp(random.uniform(-0.5, 0.25))
    matrix: Array = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, scale)
    center = np.clip(keypoints.mean(axis=0) - 0.5, 0, (width - 1, height - 1))
    x, y = matrix[:, :2] @ center + matrix[:, 2]
    place = np.array([WIDTH / 2, HEIGHT / 2]) + random.uniform(-0.42, 0.42, 2) * (WIDTH, HEIGHT)
    matrix[:, 2] += place - (x, y)
    if scale < 0.62:
        # Interpolation sees two pixels in each direction.
        image = cv2.GaussianBlur(image, (3, 3), 0.5)
    image = _warped(image, matrix, (WIDTH, HEIGHT), random)
    if random.random() < 0.15:
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.5, 1.2))
    return _exposed(image, random, spread=0.25), _moved(keypoints, matrix)


def _turn(random: Random) -> float:
    """Return degrees: a little, and upside down or not."""
    return float(random.uniform(-20, 20) + (180 if random.random() < 0.5 else 0))


def _warped(image: Array, matrix: Array, size: tuple[int, int], random: Random) -> Array:
    return np.asarray(cv2.warpAffine(
        image, matrix, size, flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT, borderValue=int(random.integers(0, 256)),
    ))  # fmt: skip


def _moved(keypoints: Array, matrix: Array) -> Array:
    moved = (keypoints - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5
    return np.asarray(moved.astype(np.float32))


def _exposed(image: Array, random: Random, *, spread: float) -> Array:
    """Change contrast and brightness."""
    values = np.arange(256, dtype=np.float32) / 255
    values = values ** math.exp(random.normal(0, 0.25)) * math.exp(random.normal(0, spread))
    values = (255 * (values + random.normal(0, 0.05))).clip(0, 255)
    return np.asarray(cv2.LUT(image, values.astype(np.uint8)))
