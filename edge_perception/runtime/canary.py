# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Ask an engine now and then what it has to know, to find one that has frozen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edge_perception.contract import Classes
from edge_perception.contract import Detections
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import Frame
from edge_perception.contract import iou
from edge_perception.contract import Keypoints
from edge_perception.contract import Perception
from edge_perception.contract import RestartingError
from edge_perception.contract import Selection
from edge_perception.contract import Tensor
from edge_perception.runtime.budget import Clock
from edge_perception.runtime.pipeline import Pipeline

GRAY = 128
# How far an answer may be from the first one: an engine on a GPU does not repeat its last digits.
SCORE_STEP = 0.05
LEAST_OVERLAP = 0.8
LARGEST_SHIFT = 3.0  # of a keypoint, pixels
LEAST_EQUAL = 0.98  # share of the pixels of a mask


class Canary:
    """
    Compare the answers of an engine to two images with those that it gave when it was loaded.

    The second image is gray: an engine that repeats one answer for ever fails on one of the two.
    Made while nothing else uses the engine; called by the thread that owns it.

    :param pipeline: without stages, which would remember the images.
    :param image: one on which the model sees something.
    :param period_ns: from the end of one check to the next.
    :raises EdgePerceptionError: the engine or the decoder failed on an image.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        image: Frame,
        *,
        selection: Selection,
        period_ns: int,
        clock: Clock,
    ) -> None:
        self._pipeline = pipeline
        self._selection = selection
        self._period_ns = period_ns
        self._clock = clock
        gray = replace(image, image=np.full_like(image.image, GRAY))
        self._known = [(frame, self._answer(frame)) for frame in (gray, image)]
        self._asked = 0
        self._due_ns = clock() + period_ns

    @property
    def tells(self) -> bool:
        """Whether the two answers differ, without which a frozen engine is not found."""
        (_, first), (_, second) = self._known
        return not self._same(first, second)

    def wait_ns(self) -> int:
        """Return how long until the next check is due."""
        return max(self._due_ns - self._clock(), 0)

    def check(self, give_up: Callable[[], bool]) -> str:
        """
        Return what is wrong with the engine, in words; empty when nothing is.

        :param give_up: asked before each image; when it says so the rest is left for the next
            call, for which the check stays due.
        """
        while self._asked < len(self._known):
            if give_up():
                return ''
            frame, expected = self._known[self._asked]
            try:
                got = self._answer(frame)
            except RestartingError:
                break  # another engine is on its way; it is asked when the next check is due
            except EdgePerceptionError as error:
                return f'the engine failed on the image of the canary: {error}'
            if not self._same(expected, got):
                return 'the engine gives another answer to the image of the canary than at first'
            self._asked += 1
        self._asked = 0
        self._due_ns = self._clock() + self._period_ns
        return ''

    def _answer(self, frame: Frame) -> Perception:
        return self._pipeline.process(frame, selection=self._selection).perception

    def _same(self, one: Perception, other: Perception) -> bool:
        # What is hardly above the threshold may be below it the next time.
        sure = self._selection.score_threshold + SCORE_STEP
        return all(
            _detections(first.detections, second.detections, sure)
            and _keypoints(first.keypoints, second.keypoints, sure)
            and _classes(first.classes, second.classes, sure)
            and _pixels(first.mask, second.mask)
            and _pixels(first.instances, second.instances)
            for first, second in ((one, other), (other, one))
        )


def _pixels(first: Tensor | None, second: Tensor | None) -> bool:
    if first is None or second is None:
        return True
    # Which instance a pixel belongs to may change with the order of equal scores.
    same = (first > 0) == (second > 0) if first.dtype == np.uint16 else first == second
    return float(np.mean(same)) >= LEAST_EQUAL


def _detections(these: Detections | None, those: Detections | None, sure: float) -> bool:
    """Tell whether the sure ones of these are among those."""
    if these is None or those is None:
        return True
    return all(
        (
            (those.class_id == these.class_id[row])
            & (np.abs(those.score - these.score[row]) <= SCORE_STEP)
            & (iou(these.xyxy[row], those.xyxy) >= LEAST_OVERLAP)
        ).any()
        for row in np.flatnonzero(these.score >= sure)
    )


def _keypoints(these: Keypoints | None, those: Keypoints | None, sure: float) -> bool:
    """Tell whether the sure points of the first instance are where those of the other are."""
    if these is None or those is None or not len(these):
        return True
    points = these.score[0] >= sure
    if not points.any() or not len(those):
        return not points.any()
    away = np.abs(these.xy[0][points] - those.xy[0][points])
    return bool((away <= LARGEST_SHIFT).all())  # false for a point that is unseen


def _classes(these: Classes | None, those: Classes | None, sure: float) -> bool:
    """Tell whether the sure classes of these have the same scores in those."""
    if these is None or those is None:
        return True
    scores = dict(zip(those.class_id.tolist(), those.score.tolist()))
    return all(
        abs(scores.get(class_id, -1) - score) <= SCORE_STEP
        for class_id, score in zip(these.class_id.tolist(), these.score.tolist())
        if score >= sure
    )
