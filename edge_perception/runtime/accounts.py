# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Counts what became of every frame, so that none disappears without a reason.

Counts as well, in a row, results whose boxes no camera image can have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import threading

import numpy as np

from edge_perception.contract import InputRecipe
from edge_perception.runtime.pipeline import Result

# Why a frame was not published. The names appear in diagnostics and in the documentation.
DROP_REASONS: Mapping[str, str] = {
    'superseded': 'a newer frame came before this one was started',
    'stale': 'too little of its budget was left to start it',
    'overrun': 'its budget was used up when the result was ready',
    'bad_stamp': 'its stamp is zero, in the future, before the last one, or from another start',
    'bad_image': 'the image cannot be read, or its `frame_id` is longer than 256 bytes',
    'inactive': 'the node was deactivated before the result was ready',
    'decode_failed': 'the outputs of the network could not be decoded',
    'engine_failed': 'the engine failed',
    'publish_failed': 'the result could not be published',
}

# Results in a row, none of them empty, after which boxes are said to be wrong.
DOUBT_AFTER = 20
# No object is so many images away; sizes that went through exp twice are.
FAR_AWAY = 100
# What may be wrong with boxes, the most telling first, and what most often is the cause.
BOX_DOUBTS: Mapping[str, str] = {
    'far': 'have centers that are many images away; most often they are decoded twice or not at '
    'all: correct decoded, layout or box_units of decoder.options',
    'tiny': 'are smaller than a pixel; most often they run from 0 to 1 and are read as pixels: '
    'correct box_units of decoder.options',
    'outside': 'are outside of the image; most often the layout or the unit of the boxes is '
    'another: correct layout or box_units of decoder.options, or input.resize',
    'equal': 'are all the same in each image; most often the outputs are laid out otherwise, or '
    'have one quantization scale: correct layout of decoder.options, or convert the model again '
    'with outputs in float',
}


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """
    Numbers of frames at one moment: received = published + dropped + in flight.

    :param published_late: those of the published ones that were older than their budget then.
    """

    received: int
    published: int
    published_late: int
    in_flight: int
    dropped: Mapping[str, int]


class FrameAccounts:
    """
    The ledger of one camera; methods may be called from any thread.

    Each frame is received once, and then either published once or dropped once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received = 0
        self._published = 0
        self._published_late = 0
        self._in_flight = 0
        self._dropped = dict.fromkeys(DROP_REASONS, 0)

    def receive(self) -> None:
        """Count a frame that arrived from the camera."""
        with self._lock:
            self._received += 1
            self._in_flight += 1

    def publish(self, *, late: bool = False) -> None:
        """
        Count a frame whose result was published.

        :param late: it was older than its budget when it went out.
        """
        with self._lock:
            self._published += 1
            self._published_late += late
            self._in_flight -= 1

    def drop(self, reason: str) -> None:
        """
        Count a frame that will not be published.

        :param reason: a key of ``DROP_REASONS``.
        """
        with self._lock:
            self._dropped[reason] += 1
            self._in_flight -= 1

    def counts(self) -> FrameCounts:
        """Return all numbers of one moment."""
        with self._lock:
            return FrameCounts(
                received=self._received,
                published=self._published,
                published_late=self._published_late,
                in_flight=self._in_flight,
                dropped=dict(self._dropped),
            )


class BoxDoubts:
    """
    Compare the boxes of one camera with its images, and say when they cannot be right.

    Withholds no result. Called from one thread; ``problem`` may be read from any.

    :param recipe: of the input of the model.
    :param problem: what is wrong with the last results, in words; empty when nothing is.
    """

    def __init__(self, recipe: InputRecipe) -> None:
        self._longest = max(recipe.width, recipe.height)
        self._in_a_row = dict.fromkeys(BOX_DOUBTS, 0)
        self.problem = ''

    def look(self, result: Result) -> None:
        """Take a result; one without boxes changes nothing."""
        detections, frame = result.perception.detections, result.frame
        if detections is None or not len(detections):
            return
        found = self._doubts(detections.xyxy, frame.width, frame.height)
        for doubt, wrong in found.items():
            # A result that tells nothing, None, ends no row.
            if wrong is not None:
                self._in_a_row[doubt] = self._in_a_row[doubt] + 1 if wrong else 0
        doubts = (each for each, count in self._in_a_row.items() if count >= DOUBT_AFTER)
        doubt = next(doubts, '')
        self.problem = doubt and f'the boxes of {DOUBT_AFTER} results {BOX_DOUBTS[doubt]}'

    def _doubts(self, xyxy: np.ndarray, width: int, height: int) -> dict[str, bool | None]:
        """Return which doubts all boxes of a result share; None where it cannot tell."""
        first, last = xyxy[:, :2].astype(np.float64), xyxy[:, 2:].astype(np.float64)
        image = np.array([width, height])
        # In pixels of the input: one of them may be ten of the image.
        pixel = max(width, height) / self._longest
        far = ~(np.abs(first + last) / 2 < FAR_AWAY * image).all(axis=1)
        outside = (last <= 0).any(axis=1) | (first >= image).any(axis=1)
        equal = bool((xyxy == xyxy[0]).all()) if len(xyxy) > 1 else None
        return {
            'far': bool(far.all()),
            'tiny': bool((last - first < max(pixel, 1)).all()),
            'outside': bool(outside.all()),
            'equal': equal,
        }
