# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What passes the gate and what does not, with networks whose outputs are known."""

from __future__ import annotations

import numpy as np
import pytest

from edge_perception.contract import ConfigurationError
from edge_perception.tooling.gate.comparison import with_labels
from edge_perception.tooling.gate.gate_limits import limits_for
from test.support.raising import raises
from test.tooling.gate_rig import cells
from test.tooling.gate_rig import giving
from test.tooling.gate_rig import judged
from test.tooling.gate_rig import manifest_of

BODY = manifest_of('movenet', keypoint_names=tuple(f'k{index}' for index in range(17)))
FLAT = np.array([(x, y, 0) for x in (-0.5, 0.1, 0.5) for y in (-0.5, 0.0, 0.5)])
PAD = manifest_of(
    'movenet',
    keypoint_names=tuple(f'k{index}' for index in range(len(FLAT))),
    object_points=tuple(map(tuple, FLAT.tolist())),
)
PETS = manifest_of('yolo', 'cat', 'dog')


def points(xy: np.ndarray, score: float | np.ndarray = 0.9) -> np.ndarray:
    """Return the output of MoveNet: y, x from 0 to 1, score."""
    scores = np.broadcast_to(score, len(xy))[:, None]
    return np.concatenate([xy[:, ::-1], scores], axis=1).astype(np.float32)[None, None]


def body(score: float | np.ndarray) -> np.ndarray:
    return points(np.random.default_rng(1).uniform(0.2, 0.8, (17, 2)), score)


def scores_of(*seen: int) -> np.ndarray:
    return np.where(np.isin(np.arange(17), seen), 0.9, 0.02)


def pad(scale: float = 1.0) -> np.ndarray:
    """Return a pad in the middle of the picture, so and so much larger than it is."""
    return points(0.5 + scale * FLAT[:, 1::-1] * (0.3 * 64 / 96, 0.3))


def failed(verdict, name: str) -> list[str]:
    return [each for each in verdict.problems if f': {name} is' in each]


def test_an_artifact_that_lost_its_keypoints_is_rejected():
    verdict = judged(giving(BODY, out=body(0.9)), giving(BODY, out=body(scores_of(3))))
    assert failed(verdict, 'keypoints_missed') == [
        'keypoints: keypoints_missed is 0.9412 (16 of 17), expected at most 0.1'
    ]


def test_an_artifact_that_invents_keypoints_is_rejected():
    verdict = judged(giving(BODY, out=body(scores_of(3, 4))), giving(BODY, out=body(0.9)))
    assert failed(verdict, 'keypoints_false') == [
        'keypoints: keypoints_false is 7.5 (15 of 2), expected at most 0.1'
    ]
    assert 'keypoints: 2 keypoints are too few for keypoints_missed' in ' '.join(verdict.notes)


def test_keypoints_at_the_edge_of_being_seen_are_no_disagreement():
    scores = (np.where(np.arange(17) == 0, 0.9, weak) for weak in (0.302, 0.298))
    sides = [giving(BODY, out=body(each)) for each in scores]
    for verdict in (judged(*sides), judged(*sides[::-1])):
        assert verdict.passed
        assert not verdict.agreement.keypoints_missed + verdict.agreement.keypoints_false


def test_a_candidate_with_displaced_keypoints_fails_by_its_poses():
    reference = giving(PAD, out=pad())
    same = judged(reference, giving(PAD, out=pad()))
    assert same.passed, same.problems
    assert (same.agreement.poses, same.agreement.position_share) == (1, 0.0)
    larger = judged(reference, giving(PAD, out=pad(1.15)))
    assert failed(larger, 'position_share')
    assert larger.agreement.position_share == pytest.approx(1 - 1 / 1.15, rel=0.1)


def test_an_output_of_the_same_name_and_another_shape_is_not_compared():
    seen = cells((60, (48, 32, 40, 30, 0.9, 0.1)), numbers=6)
    same = judged(giving(PETS, output0=seen), giving(PETS, output0=seen.copy()))
    assert {group.snr_db for group in same.groups} == {200.0}
    turned = np.ascontiguousarray(seen.swapaxes(1, 2))
    verdict = judged(giving(PETS, output0=seen), giving(PETS, output0=turned))
    assert verdict.passed
    assert verdict.groups == ()
    assert not any('output' in check.subject for check in verdict.checks)
    assert "output 'output0' has no counterpart of its shape" in verdict.notes[0]


def test_finished_objects_in_another_order_are_the_same():
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, :2] = [(8, 8, 40, 40, 0.81, 0), (50, 10, 90, 60, 0.8, 1)]
    swapped = rows.copy()
    swapped[0, :2, :4], swapped[0, :2, 5] = rows[0, 1::-1, :4], rows[0, 1::-1, 5]
    verdict = judged(giving(PETS, out=rows), giving(PETS, out=swapped), precision='fp16')
    assert verdict.passed, verdict.problems
    assert "output 'out' lists finished objects" in verdict.notes[0]


@pytest.mark.parametrize('average_precision', [0.0, -1.0])
def test_labels_that_the_reference_does_not_find_prove_nothing(average_precision):
    verdict = judged(giving(BODY, out=body(0.9)), giving(BODY, out=body(0.9)))
    figures = dict.fromkeys(('reference_ap', 'candidate_ap'), average_precision)
    with raises(ConfigurationError, f'{average_precision:g}', subject='--dataset'):
        with_labels(verdict, **figures, limits=limits_for(BODY, 'int8'))
