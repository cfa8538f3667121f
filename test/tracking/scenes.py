# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered scenes with exact boxes and ids, and a detector with faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.testing.tracking_metrics import IdentifiedBoxes

Floats = npt.NDArray[np.float64]
WIDTH, HEIGHT, FOCAL, RATE = 640, 480, 500.0, 15.0
# Of an object so much has to be seen for a detector to find it.
LEAST_SEEN = 0.3
JITTER, MISSES, FALSE_BOXES, SCORES = 0.04, 0.1, 0.3, (0.3, 0.95)


@dataclass(frozen=True)
class Scene:
    """
    Upright cards before a camera that may turn about its vertical axis.

    :param cards: of a time: rows of x, z of the foot's center, width, height, meters; a card
        that is no object, such as a pillar, comes after those that are.
    :param objects: how many of the cards are objects.
    :param yaw_rate: rad/s at a time.
    :param seconds: how long it lasts.
    """

    cards: Callable[[float], Floats]
    objects: int
    seconds: float
    yaw_rate: Callable[[float], float] = lambda seconds: 0.0

    def times(self) -> Floats:
        """Return the times of the frames."""
        return np.arange(round(self.seconds * RATE)) / RATE

    def truth(self) -> list[IdentifiedBoxes]:
        """Return the boxes of what is seen in each frame, by the pixels of a rendered image."""
        yaw, made = 0.0, []
        for time_s in self.times():
            yaw += self.yaw_rate(time_s) / RATE
            made.append(self._seen(self.cards(time_s), yaw))
        return made

    def _seen(self, cards: Floats, yaw: float) -> IdentifiedBoxes:
        image, full = np.zeros((HEIGHT, WIDTH), np.uint8), {}
        cos, sin = np.cos(yaw), np.sin(yaw)
        placed = [
            (sin * x + cos * z, cos * x - sin * z, row) for row, (x, z, *_) in enumerate(cards)
        ]
        for depth, side, row in sorted(placed, reverse=True):
            if depth < 0.5:
                continue
            center, (width, height) = FOCAL * side / depth + WIDTH / 2, cards[row, 2:] / depth
            top, bottom = (FOCAL * (1.2 / depth - each) + HEIGHT / 2 for each in (height, 0))
            half = FOCAL * width / 2
            corners = [round(each) for each in (center - half, top, center + half, bottom)]
            full[row + 1] = (corners[2] - corners[0]) * (corners[3] - corners[1])
            cv2.rectangle(image, corners[:2], corners[2:], row + 1, cv2.FILLED)
        ids, boxes = [], []
        for number in range(1, self.objects + 1):
            y, x = np.nonzero(image == number)
            if len(x) >= LEAST_SEEN * full.get(number, np.inf):
                ids.append(number)
                boxes.append((x.min(), y.min(), x.max() + 1, y.max() + 1))
        return IdentifiedBoxes(np.array(ids, int), np.array(boxes, float).reshape(-1, 4))


def _crossing(time_s: float) -> Floats:
    """Return three persons that walk through each other's line of sight, two and two."""
    x = -2.2 + 1.1 * time_s
    return np.array([[x, 4, 0.6, 1.7], [-x, 5, 0.6, 1.8], [0.4 * x, 7, 0.6, 1.6]])


def _occlusion(time_s: float) -> Floats:
    """Return a person who passes behind a pillar: less than .3 of them is seen for .5 s."""
    return np.array([[-1.5 + 1.2 * time_s, 4, 0.5, 1.7], [0, 3, 0.57, 3]])


def _standing(time_s: float) -> Floats:
    """Return five persons all around, each walking a little."""
    angles = np.deg2rad([-20, -4, 12, 30, 48])
    distance = np.array([6, 5, 7, 5.5, 8]) + 0.3 * np.sin(time_s + np.arange(5))
    sizes = np.tile([0.6, 1.7], (5, 1))
    return np.column_stack([distance * np.sin(angles), distance * np.cos(angles), sizes])


SCENES = {
    'crossing': Scene(_crossing, objects=3, seconds=4.0),
    'occlusion': Scene(_occlusion, objects=1, seconds=2.6),
    # There and back, each time with 60 degrees a second.
    'yaw': Scene(
        _standing,
        objects=5,
        seconds=4.0,
        yaw_rate=lambda seconds: np.deg2rad(60) * (1 if seconds % 1 < 0.5 else -1),
    ),
}


def detected(
    truth: list[IdentifiedBoxes], seed: int, *, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> list[tuple[Floats, Floats]]:
    """
    Return boxes and scores of each frame as a detector with faults gives them, best first.

    Centers and sides with a standard deviation of 4 % of the box, 10 % misses, on average .3
    false boxes a frame of the size of true ones, scores from .3 to .95, of false ones as well.
    """
    random = np.random.default_rng(seed)
    pool = np.concatenate([each.xyxy for each in truth])
    made = []
    for each in truth:
        boxes = each.xyxy[random.random(len(each.ids)) >= MISSES]
        sides = boxes[:, 2:] - boxes[:, :2]
        values = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, sides], axis=1)
        values += JITTER * np.tile(sides, 2) * random.standard_normal(values.shape)
        boxes = np.concatenate(
            [values[:, :2] - values[:, 2:] / 2, values[:, :2] + values[:, 2:] / 2], axis=1
        )
        false = pool[random.integers(len(pool), size=random.poisson(FALSE_BOXES))]
        sides = false[:, 2:] - false[:, :2]
        corner = random.random(sides.shape) * np.maximum(np.array(size) - sides, 0)
        boxes = np.concatenate([boxes, np.concatenate([corner, corner + sides], axis=1)])
        scores = random.uniform(*SCORES, len(boxes))
        order = np.argsort(-scores)
        made.append((boxes[order], scores[order]))
    return made
