# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Which models get a pose; that poses are right is tested over DDS and in test_estimator."""

from __future__ import annotations

import pytest

from edge_perception.contract import InputRecipe
from edge_perception.contract import ManifestError
from edge_perception.contract import ModelManifest
from edge_perception.pose import planar_stages

SQUARE = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, 0.0), (0.0, 1.0, 0.0))


def manifest(points) -> ModelManifest:
    return ModelManifest(
        name='target',
        source='network.onnx',
        input=InputRecipe(width=32, height=32),
        decoder='heatmap',
        keypoint_names=tuple('abcdef'[: len(points)]),
        object_points=tuple(points),
    )


def test_model_without_object_points_has_no_pose():
    assert planar_stages(manifest(())) == ()


def test_flat_object_has_one():
    (stage,) = planar_stages(manifest([*SQUARE, (0.5, 0.5, 0.0)]))
    assert stage.tasks == {'detections', 'keypoints', 'poses'}


@pytest.mark.parametrize(
    ('points', 'words'),
    [
        (SQUARE, 'object_points: got 4 points, expected at least 5'),
        ([*SQUARE, (0.5, 0.5, 0.1)], 'object_points: got points with z other than 0'),
    ],
)
def test_object_that_cannot_have_a_pose_is_an_error_of_the_manifest(points, words):
    with pytest.raises(ManifestError) as raised:
        planar_stages(manifest(points))
    assert words in str(raised.value)
