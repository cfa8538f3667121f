# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from edge_perception.contract import Detections
from edge_perception.contract import Frame
from edge_perception.contract import InputRecipe
from edge_perception.contract import Perception
from edge_perception.runtime.accounts import BoxDoubts
from edge_perception.runtime.accounts import DOUBT_AFTER
from edge_perception.runtime.pipeline import Result

WIDTH, HEIGHT = 1920, 1080
RIGHT = ((100, 200, 300, 400), (500, 300, 600, 700))


def result(*boxes: tuple[float, ...]) -> Result:
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    found = Detections(xyxy, np.full(len(xyxy), 0.5, np.float32), np.zeros(len(xyxy), np.int32))
    return Result(Frame(np.zeros((HEIGHT, WIDTH, 3), np.uint8)), Perception(found), {})


def doubts_of(*results: Result) -> BoxDoubts:
    doubts = BoxDoubts(InputRecipe(width=320, height=320))
    for each in results:
        doubts.look(each)
    return doubts


@pytest.mark.parametrize(
    ('boxes', 'cause'),
    [
        (((2, 2, 7, 7), (1, 423, 6, 428)), 'box_units'),  # from 0 to 1, six pixels of this image
        (((-300, 10, -20, 80), (10, 1200, 50, 1300)), 'layout'),
        (((1e31, 1e31, 2e31, 2e31),), 'decoded'),
        (((10, 10, 60, 60), (10, 10, 60, 60)), 'quantization scale'),
    ],
)
def test_boxes_that_no_image_has_are_doubted_after_twenty_results(boxes, cause):
    wrong, empty = result(*boxes), result()
    assert not doubts_of(*[wrong, empty] * (DOUBT_AFTER - 1)).problem
    doubts = doubts_of(*[wrong, empty] * DOUBT_AFTER)
    assert cause in doubts.problem
    doubts.look(result(*RIGHT))
    assert not doubts.problem


@pytest.mark.parametrize(
    'boxes',
    [
        RIGHT,
        ((10, 10, 60, 60),),  # one object that stands still
        ((-30, -20, 5, 4),),  # one that leaves the image
        (RIGHT[0], (2, 2, 3, 3), (-300, 10, -20, 80)),  # some of them
    ],
)
def test_boxes_of_a_camera_are_not_doubted(boxes):
    assert not doubts_of(*[result(*boxes)] * 2 * DOUBT_AFTER).problem


def test_results_without_detections_tell_nothing():
    frame = Frame(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert not doubts_of(*[Result(frame, Perception(), {})] * 2 * DOUBT_AFTER).problem
