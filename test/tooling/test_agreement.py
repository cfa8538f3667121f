# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_perception.contract import Classes
from edge_perception.contract import Detections
from edge_perception.contract import Keypoints
from edge_perception.contract import ObjectPose
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.tooling.gate.agreement import Agreement
from edge_perception.tooling.gate.agreement import compare
from edge_perception.tooling.gate.agreement import generous


def boxes(*rows):
    """Return a perception with rows x1, y1, x2, y2, score, class."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Perception(
        detections=Detections(
            xyxy=table[:, :4], score=table[:, 4], class_id=table[:, 5].astype(np.int32)
        )
    )


PERSON = (10, 10, 50, 110, 0.9, 0)
DOG = (200, 50, 260, 90, 0.6, 16)


def test_the_same_is_the_same():
    seen = boxes(PERSON, DOG)
    assert compare(seen, seen, threshold=0.3) == Agreement(reference=2, matched=2)


def test_nothing_and_nothing_agree():
    assert compare(boxes(), boxes(), threshold=0.3) == Agreement()


def test_a_lost_and_an_invented_object_are_counted():
    found = compare(boxes(PERSON), boxes(DOG), threshold=0.3)
    assert (found.reference, found.matched, found.missed, found.false_positives) == (1, 0, 1, 1)


def test_an_engine_that_sees_nothing_any_more_has_lost_all():
    assert compare(boxes(PERSON, DOG), boxes(), threshold=0.3).missed == 2


def test_what_is_only_just_above_the_threshold_is_no_disagreement():
    weak, weaker = (*DOG[:4], 0.302, 16), (*DOG[:4], 0.298, 16)
    found = compare(boxes(weak), boxes(weaker), threshold=0.3)
    assert (found.missed, found.false_positives, found.matched) == (0, 0, 1)
    assert found.score_drift == pytest.approx(0.004, abs=1e-6)


def test_what_is_below_the_threshold_for_both_does_not_count():
    below = (*DOG[:4], 0.27, 16)
    assert compare(boxes(below), boxes(), threshold=0.3) == Agreement()


def test_distances_are_in_pixels_of_the_source():
    moved = (12, 10, 50, 107, 0.8, 0)
    found = compare(boxes(PERSON), boxes(moved), threshold=0.3)
    assert found.box_px == pytest.approx(3.0)
    assert found.score_drift == pytest.approx(0.1)
    assert found.worst_iou == pytest.approx(38 * 97 / 4000)


def test_another_class_at_the_same_place_is_a_flip():
    assert compare(boxes(PERSON), boxes((*PERSON[:5], 1)), threshold=0.3).class_flips == 1


def test_of_two_objects_at_one_place_those_of_one_class_are_compared():
    rider = (12, 12, 50, 110, 0.5, 3)
    assert compare(boxes(PERSON, rider), boxes(rider, PERSON), threshold=0.3).class_flips == 0


def points(xy):
    xy = np.array([xy], np.float32)
    return Perception(keypoints=Keypoints(xy=xy, score=np.ones(xy.shape[:2], np.float32)))


def test_keypoints_that_both_see_are_compared():
    unseen = (np.nan, np.nan)
    found = compare(points([(1, 1), (5, 5)]), points([(1, 5), unseen]), threshold=0.3)
    assert found.keypoint_px == pytest.approx(4.0)
    assert (found.keypoints, found.keypoints_missed, found.keypoints_false) == (2, 1, 0)


def test_keypoints_of_objects_below_the_threshold_do_not_count():
    below = replace(boxes((*DOG[:4], 0.27, 16)), keypoints=points([(1, 1)]).keypoints)
    away = replace(below, keypoints=points([(9, 9)]).keypoints)
    assert compare(below, away, threshold=0.3) == Agreement()


def test_an_instance_that_only_one_sees_is_lost_or_invented():
    nobody = Perception(
        keypoints=Keypoints(xy=np.zeros((0, 1, 2), np.float32), score=np.zeros((0, 1), np.float32))
    )
    assert compare(points([(1, 1)]), nobody, threshold=0.3).missed == 1
    assert compare(nobody, points([(1, 1)]), threshold=0.3).false_positives == 1


def classes(*pairs):
    ids, scores = zip(*pairs)
    return Perception(
        classes=Classes(class_id=np.array(ids, np.int32), score=np.array(scores, np.float32))
    )


def test_the_best_class_has_to_be_the_same():
    found = compare(classes((3, 0.8), (4, 0.1)), classes((4, 0.5), (3, 0.4)), threshold=0)
    assert found.class_flips == 1
    assert found.score_drift == pytest.approx(0.4)


def test_masks_are_compared_by_pixels():
    mask = np.zeros((4, 5), np.uint8)
    other = mask.copy()
    other[0, :2] = 7
    assert compare(Perception(mask=mask), Perception(mask=other), threshold=0).mask_share == 0.1


def standing(*poses):
    return replace(boxes(PERSON), poses=poses)


def pose(z=2.0, turn=0.0):
    quaternion = np.array([0, 0, np.sin(turn / 2), np.cos(turn / 2)])
    return ObjectPose(np.array([0, 0, z]), quaternion, np.eye(6))


def test_poses_are_compared_by_distance_and_angle():
    found = compare(standing(pose()), standing(pose(2.02, np.radians(3))), threshold=0)
    assert found.poses == 1
    assert found.position_share == pytest.approx(0.01)
    assert found.rotation_deg == pytest.approx(3.0)
    # A quaternion and its negative are the same orientation.
    turned = compare(standing(pose()), standing(pose(turn=2 * np.pi)), threshold=0)
    assert turned.rotation_deg < 1e-5


def test_a_pose_that_only_one_has_is_lost_or_invented():
    missed = compare(standing(pose()), standing(), threshold=0)
    assert (missed.poses, missed.poses_missed, missed.poses_false) == (1, 1, 0)
    false = compare(standing(), standing(pose()), threshold=0)
    assert (false.poses, false.poses_missed, false.poses_false) == (
        0,
        0,
        1,
    )


def test_of_many_frames_the_worst_counts():
    one = Agreement(reference=2, matched=1, missed=1, keypoints=4, worst_iou=0.8, box_px=2.0)
    other = Agreement(reference=1, matched=1, keypoints=3, worst_iou=0.9, box_px=3.0)
    assert one.merged(other) == Agreement(
        reference=3, matched=2, missed=1, keypoints=7, worst_iou=0.8, box_px=3.0
    )


def test_both_are_asked_with_a_lower_threshold():
    assert generous(Selection(score_threshold=0.3)).score_threshold == pytest.approx(0.25)
    assert generous(Selection(score_threshold=0.0)).score_threshold == 0.0
