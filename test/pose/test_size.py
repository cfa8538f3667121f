# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How large a model takes its object for, and where."""

from __future__ import annotations

import pytest

from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract.manifest import PoseRecipe
from edge_perception.pose import object_box
from edge_perception.pose import object_width
from edge_perception.simulation import landing_pad as pad

CORNERS = ((0.0, 0.0, 0.0), (0.3, 0.0, 0.0), (0.3, 0.2, 0.0), (0.0, 0.2, 0.0))


def manifest(points, *, pattern: tuple[str, ...] = ()) -> ModelManifest:
    return ModelManifest(
        name='target',
        source='network.onnx',
        input=InputRecipe(width=32, height=32),
        decoder='heatmap',
        object_points=tuple(map(tuple, points)),
        pose=PoseRecipe(pattern=pattern),
    )


@pytest.mark.parametrize('side', [0.05, 1.0, 8.0])
def test_of_a_printed_pattern_the_margin_counts_as_well(side):
    printed = manifest(pad.object_points(side), pattern=pad.pattern())
    assert object_width(printed) == pytest.approx(side)


def test_without_a_pattern_it_is_what_the_keypoints_span():
    assert object_width(manifest(CORNERS)) == pytest.approx(0.3)


@pytest.mark.parametrize('pattern', [(), pad.pattern()])
def test_what_has_no_keypoints_has_no_width(pattern):
    assert object_width(manifest((), pattern=pattern)) == 0


def test_the_box_of_a_printed_pattern_lies_around_the_origin():
    center, size = object_box(manifest(pad.object_points(0.6), pattern=pad.pattern()))
    assert center == pytest.approx([0, 0, 0])
    assert size == pytest.approx([0.6, 0.6, 0])


def test_the_box_of_keypoints_lies_where_they_are():
    center, size = object_box(manifest(CORNERS))
    assert center == pytest.approx([0.15, 0.1, 0])
    assert size == pytest.approx([0.3, 0.2, 0])
