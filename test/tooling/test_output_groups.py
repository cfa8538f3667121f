# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Outputs are divided as their decoders read them, so that dead scores show."""

from __future__ import annotations

import numpy as np
import pytest

from edge_perception.contract import TensorSpec
from edge_perception.tooling.quantization.output_groups import GroupMeter
from edge_perception.tooling.quantization.output_groups import groups_of
from edge_perception.tooling.quantization.output_groups import pair_outputs
from test.tooling.gate_rig import CELLS
from test.tooling.gate_rig import manifest_of

FACE = ('left', 'right', 'nose', 'mouth')


def spec(shape, name: str = 'out') -> TensorSpec:
    return TensorSpec(name, shape, np.dtype(np.float32))


def figures(manifest, shape, *, dead: slice, axis: int) -> dict[str, float]:
    """Return the dB of each group when the numbers ``dead`` along an axis are zero."""
    reference = np.random.default_rng(1).uniform(0.1, 1.0, shape).astype(np.float32)
    candidate = reference.copy()
    np.moveaxis(candidate, axis, -1)[..., dead] = 0
    found = {}
    for group in groups_of(manifest, [spec(shape)]):
        meter = GroupMeter(group)
        meter.add(reference, candidate)
        found[group.name] = meter.figures().snr_db
    return found


@pytest.mark.parametrize('values', [2, 3])
@pytest.mark.parametrize('axis', [1, 2])
def test_dead_class_scores_show_beside_keypoints(values, axis):
    width = 4 + 2 + values * len(FACE)
    shape = (1, width, CELLS) if axis == 1 else (1, CELLS, width)
    manifest = manifest_of(
        'yolo',
        'cat',
        'dog',
        keypoint_names=FACE,
        decoder_options={'keypoint_values': values},
    )
    found = figures(manifest, shape, dead=slice(4, 6), axis=axis)
    assert found == {'boxes': 200, 'class scores': pytest.approx(0), 'keypoints': 200}


def test_dead_class_scores_show_where_the_number_of_cells_is_not_known():
    (boxes, scores) = groups_of(manifest_of('yolo', 'a', 'b'), [spec((1, 6, -1))])
    numbers = np.arange(6, dtype=np.float32).reshape(1, 6, 1)
    assert boxes.of(numbers).tolist() == [[0, 1, 2, 3]]
    assert scores.of(numbers).tolist() == [[4, 5]]


@pytest.mark.parametrize(
    ('width', 'keypoints', 'options'),
    [(6, (), {}), (57, tuple(map(str, range(17))), {}), (14, FACE, {'keypoint_values': 2})],
)
def test_finished_objects_have_no_groups(width, keypoints, options):
    manifest = manifest_of('yolo', keypoint_names=keypoints, decoder_options=options)
    assert list(groups_of(manifest, [spec((1, 300, width))])) == []


def test_dead_scores_of_nanodet_show_without_labels():
    found = figures(manifest_of('nanodet'), (1, CELLS, 2 + 32), dead=slice(0, 2), axis=2)
    assert found == {'class scores': pytest.approx(0), 'boxes': 200}


def test_outputs_of_nanodet_are_told_apart_by_the_distributions():
    outputs = [spec((1, CELLS, width), str(width)) for width in (80, 44)]
    groups = groups_of(manifest_of('nanodet', decoder_options={'reg_max': 10}), outputs)
    assert {group.output: group.name for group in groups} == {'80': 'class scores', '44': 'boxes'}


def test_where_nothing_was_compared_nothing_is_known():
    (group,) = groups_of(manifest_of('segmentation'), [spec((1, 2, 3))])
    assert np.isnan(GroupMeter(group).figures().snr_db)


def test_outputs_are_paired_by_name_and_shape():
    names = [spec((1, 84, 8400), 'a'), spec((1, 84, 2100), 'b')]
    assert pair_outputs(names, names[::-1]) == {'a': 'a', 'b': 'b'}
    assert pair_outputs(names, [spec((1, 84, -1), 'a'), names[1]]) == {'a': 'a', 'b': 'b'}
    crossed = [spec((1, 84, 2100), 'a'), spec((1, 84, 8400), 'b')]
    assert pair_outputs(names, crossed) == {'a': 'b', 'b': 'a'}
    assert pair_outputs([names[0]], [spec((1, 8400, 84), 'a')]) == {}
