# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Draws what was perceived onto the image, readable on small images and on large ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from collections.abc import Sequence
import colorsys
from functools import lru_cache
import math

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.contract import Detections
from edge_perception.contract import Frame
from edge_perception.contract import Keypoints
from edge_perception.contract import LabelMap
from edge_perception.contract import Perception
from edge_perception.contract.types import UInt8Array
from edge_perception.contract.types import UInt16Array

Color = tuple[int, int, int]  # blue, green, red

FONT = cv2.FONT_HERSHEY_SIMPLEX
# Sizes relative to the shorter side of the image, with a floor below which nothing is legible.
LINE_SHARE, MIN_LINE = 1 / 400, 1
TEXT_SHARE, MIN_TEXT = 1 / 1000, 0.4
MASK_OPACITY = 0.5
CODEC = 'mp4v'  # of videos; in every OpenCV wheel and distribution package, unlike H.264
MAX_CLASSES_SHOWN = 5
# Centers of a tail, one of each drawn frame; and how many objects have one.
TAIL, MAX_TAILS = 30, 200
FAR = 1 << 14  # pixels; boxes are not clipped, and OpenCV refuses what fits no integer of its own
AXIS_COLORS: tuple[Color, ...] = ((0, 0, 255), (0, 255, 0), (255, 0, 0))
CAPTION_COLOR: Color = (40, 40, 40)
TO_BGR = {'rgb8': cv2.COLOR_RGB2BGR, 'mono8': cv2.COLOR_GRAY2BGR}


def draw(
    frame: Frame,
    perception: Perception,
    *,
    labels: LabelMap,
    skeleton: Sequence[tuple[int, int]] = (),
    axes: Sequence[npt.NDArray[np.float64]] = (),
    caption: str = '',
    tails: Tails | None = None,
) -> UInt8Array:
    """
    Return a picture of a frame with everything that was perceived in it.

    :param skeleton: pairs of keypoints that a line joins; a line needs both of them seen.
    :param axes: for each pose the origin and the ends of x, y, z, (4, 2), pixels; drawn in red,
        green and blue, as everywhere.
    :param caption: written into the lower left corner.
    :param tails: of the tracked objects; those of this frame are added to it.
    :return: a new bgr8 image of the size of the frame.
    """
    picture = _as_bgr(frame)
    pen = _Pen(picture)
    if perception.mask is not None:
        _draw_mask(picture, perception.mask, labels)
    if perception.instances is not None:
        _draw_instances(picture, perception.instances)
    if perception.detections is not None:
        if tails is not None:
            for track, points in tails.add(perception.detections):
                for start, end in zip(points, points[1:]):
                    pen.line(start, end, color_of(track))
        _draw_detections(pen, perception.detections, labels)
    if perception.keypoints is not None:
        _draw_keypoints(pen, perception.keypoints, skeleton)
    if perception.classes is not None:
        rows = list(zip(perception.classes.class_id, perception.classes.score))
        for line, (class_id, score) in enumerate(rows[:MAX_CLASSES_SHOWN]):
            pen.tag(f'{labels.name(int(class_id))} {score:.2f}', 0, line, color_of(int(class_id)))
    for origin, *ends in axes:
        for end, color in zip(ends, AXIS_COLORS):
            if np.isfinite(end).all() and np.isfinite(origin).all():
                pen.line(origin.tolist(), end.tolist(), color)
    if caption:
        pen.label(caption, 0, picture.shape[0], CAPTION_COLOR)
    return picture


class Tails:
    """Where tracked objects were in the frames drawn before; one for each camera."""

    def __init__(self) -> None:
        self._centers: dict[str, deque[list[float]]] = {}

    def add(self, detections: Detections) -> Iterator[tuple[int, list[list[float]]]]:
        """Take the objects of a frame; give the track of each and its centers, oldest first."""
        for row, name in enumerate(detections.ids()):
            if name and detections.track_id is not None:
                centers = self._centers.pop(name, deque(maxlen=TAIL))
                centers.append(detections.xyxy[row].reshape(2, 2).mean(axis=0).tolist())
                self._centers[name] = centers  # behind the others: the first was not seen longest
                yield int(detections.track_id[row]), list(centers)
        while len(self._centers) > MAX_TAILS:
            del self._centers[next(iter(self._centers))]


@lru_cache(maxsize=1024)
def color_of(index: int) -> Color:
    """
    Return the color of a class, the same in every picture.

    Neighbors are far apart, because each hue comes the golden ratio of the circle after the last.
    """
    hue = index * 0.61803398875 % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.8, 1.0 if index % 2 == 0 else 0.75)
    return int(blue * 255), int(green * 255), int(red * 255)


def _as_bgr(frame: Frame) -> UInt8Array:
    code = TO_BGR.get(frame.encoding)
    if code is None:
        return frame.image.copy()
    return np.asarray(cv2.cvtColor(frame.image, code), np.uint8)


class _Pen:
    """Draws in pixels of one picture, with widths and letters that suit its size."""

    def __init__(self, picture: UInt8Array) -> None:
        self.picture = picture
        self._height, self._width = map(int, picture.shape[:2])
        side = min(self._height, self._width)
        self.width: int = max(MIN_LINE, round(side * LINE_SHARE))
        self._scale = max(MIN_TEXT, side * TEXT_SHARE)
        self._letter = max(1, round(self._scale * 1.6))

    def rectangle(self, box: Sequence[float], color: Color) -> None:
        x1, y1, x2, y2 = (self._pixel(value) for value in box)
        cv2.rectangle(self.picture, (x1, y1), (x2, y2), color, self.width + 1)

    def outline(self, rotated: Sequence[float], color: Color) -> None:
        x, y, width, height, angle = rotated
        corners = cv2.boxPoints(((x, y), (width, height), math.degrees(angle))).tolist()
        for start, end in zip(corners, [*corners[1:], corners[0]]):
            self.line(start, end, color)

    def line(self, start: Sequence[float], end: Sequence[float], color: Color) -> None:
        first, last = ((self._pixel(x), self._pixel(y)) for x, y in (start, end))
        cv2.line(self.picture, first, last, color, self.width + 1, cv2.LINE_AA)

    def dot(self, point: Sequence[float], color: Color) -> None:
        center = (self._pixel(point[0]), self._pixel(point[1]))
        cv2.circle(self.picture, center, self.width + 3, (255, 255, 255), cv2.FILLED, cv2.LINE_AA)
        cv2.circle(self.picture, center, self.width + 2, color, cv2.FILLED, cv2.LINE_AA)

    def tag(self, text: str, x: float, line: int, color: Color) -> None:
        """Write a line of text from the top of the picture downwards."""
        self.label(text, x, (line + 1) * self._line_height(), color)

    def label(self, text: str, x: float, bottom: float, color: Color) -> None:
        """Write on a ground of the color, moved into the picture where it would leave it."""
        (wide, high), _ = cv2.getTextSize(text, FONT, self._scale, self._letter)
        tall, margin = self._line_height(), self._letter
        left = int(np.clip(self._pixel(x), 0, max(0, self._width - wide - 2 * margin)))
        base = int(np.clip(self._pixel(bottom), tall, max(tall, self._height)))
        corner = (left + wide + 2 * margin, base - tall)
        cv2.rectangle(self.picture, (left, base), corner, color, cv2.FILLED)
        # Black on bright, white on dark: weights of red, green and blue as in ITU-R BT.601.
        bright = 0.114 * color[0] + 0.587 * color[1] + 0.299 * color[2] > 110
        ink = (0, 0, 0) if bright else (255, 255, 255)
        origin = (left + margin, base - (tall - high) // 2)
        cv2.putText(self.picture, text, origin, FONT, self._scale, ink, self._letter, cv2.LINE_AA)

    def _line_height(self) -> int:
        (_, high), below = cv2.getTextSize('Ag', FONT, self._scale, self._letter)
        return int(high) + 2 * max(int(below), self._letter)

    def _pixel(self, value: float) -> int:
        return int(min(max(value, -FAR), FAR))


def _draw_detections(pen: _Pen, detections: Detections, labels: LabelMap) -> None:
    """Draw the weakest first, so that the best stay on top, and boxes before any text."""
    order = range(len(detections) - 1, -1, -1)
    for row in order:
        color = color_of(int(detections.class_id[row]))
        if detections.rotated is None:
            pen.rectangle(detections.xyxy[row].tolist(), color)
        else:
            pen.outline(detections.rotated[row].tolist(), color)
    for row in order:
        class_id = int(detections.class_id[row])
        text = f'{labels.name(class_id)} {detections.score[row]:.2f}'
        if detections.track_id is not None and detections.track_id[row]:
            text = f'#{detections.track_id[row]} {text}'
        x1, y1 = detections.xyxy[row, :2].tolist()
        pen.label(text, x1, y1, color_of(class_id))


def _draw_keypoints(pen: _Pen, keypoints: Keypoints, skeleton: Sequence[tuple[int, int]]) -> None:
    for instance, points in enumerate(keypoints.xy):
        seen = np.isfinite(points).all(axis=1) & (keypoints.score[instance] > 0)
        color = color_of(instance)
        for start, end in skeleton:
            if seen[start] and seen[end]:
                pen.line(points[start].tolist(), points[end].tolist(), color)
        for index in np.flatnonzero(seen):
            pen.dot(points[index].tolist(), color_of(int(index)))


def _draw_mask(picture: UInt8Array, mask: UInt8Array, labels: LabelMap) -> None:
    """Tint the pixels of each class, except of a class 0 that is the background."""
    table = np.array([color_of(index) for index in range(256)], np.uint8)
    shown = np.ones(256, bool)
    shown[0] = bool(labels.names) and 'background' not in labels.names[0].lower()
    _tint(picture, table[mask], shown[mask])


def _draw_instances(picture: UInt8Array, instances: UInt16Array) -> None:
    """Tint the pixels of each instance, neighbors in the order of scores in other colors."""
    table = np.array([color_of(index) for index in range(int(instances.max()) + 1)], np.uint8)
    _tint(picture, table[instances], instances > 0)


def _tint(picture: UInt8Array, colors: UInt8Array, shown: npt.NDArray[np.bool_]) -> None:
    tinted = cv2.addWeighted(picture, 1 - MASK_OPACITY, colors, MASK_OPACITY, 0)
    cv2.copyTo(tinted, shown.astype(np.uint8), picture)
