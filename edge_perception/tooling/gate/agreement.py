# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Compare what two engines perceived in one frame.

An object is the same where the boxes overlap by at least half. An object that only one of them
sees counts when it is clearly above the threshold: two scores of 0.301 and 0.299 are no
disagreement. So both are asked with a threshold that is lower by ``MARGIN``, and only objects
that pass the real one have to be found again. The same holds for single keypoints of an object.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import fields
from dataclasses import replace
from typing import Any

import numpy as np

from edge_perception.contract import Classes
from edge_perception.contract import Detections
from edge_perception.contract import iou
from edge_perception.contract import Keypoints
from edge_perception.contract import ObjectPose
from edge_perception.contract import Perception
from edge_perception.contract import Selection

SAME_OBJECT_IOU = 0.5
MARGIN = 0.05

Pairs = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """
    Differences of one frame, or the worst of many; 0 where there is nothing to compare.

    :param reference: objects that the reference sees.
    :param matched: of those and of the candidate's, pairs that are the same object.
    :param missed: objects that only the reference sees.
    :param false_positives: objects that only the candidate sees.
    :param class_flips: matched objects, or frames for classifiers, with another class.
    :param keypoints: keypoints that the reference sees of matched objects.
    :param keypoints_missed: of matched objects, keypoints that only the reference sees.
    :param keypoints_false: of matched objects, keypoints that only the candidate sees.
    :param poses: poses that the reference has of matched objects.
    :param poses_missed: of matched objects, poses that only the reference has.
    :param poses_false: of matched objects, poses that only the candidate has.
    :param worst_iou: of matched boxes; 1 when there are none.
    :param box_px: largest distance of an edge of matched boxes, pixels of the source.
    :param score_drift: largest difference of scores of matched objects or classes.
    :param keypoint_px: largest distance of keypoints that both give, pixels of the source.
    :param mask_share: share of the pixels with another class, or in an instance for one only.
    :param position_share: distance of positions over the distance of the object.
    :param rotation_deg: angle between orientations, degrees.
    """

    reference: int = 0
    matched: int = 0
    missed: int = 0
    false_positives: int = 0
    class_flips: int = 0
    keypoints: int = 0
    keypoints_missed: int = 0
    keypoints_false: int = 0
    poses: int = 0
    poses_missed: int = 0
    poses_false: int = 0
    worst_iou: float = 1.0
    box_px: float = 0.0
    score_drift: float = 0.0
    keypoint_px: float = 0.0
    mask_share: float = 0.0
    position_share: float = 0.0
    rotation_deg: float = 0.0

    def counts(self) -> str:
        """Return in words how many objects differ."""
        return (
            f'{self.missed} missed detections, {self.false_positives} false positives, '
            f'{self.class_flips} of another class'
        )

    def merged(self, other: Agreement) -> Agreement:
        """Return the counts of both added up, and the worse of each figure."""
        merged: dict[str, Any] = {}
        for each in fields(self):
            ours, theirs = getattr(self, each.name), getattr(other, each.name)
            if each.type == 'int':
                merged[each.name] = ours + theirs
            else:
                merged[each.name] = (min if each.name == 'worst_iou' else max)(ours, theirs)
        return Agreement(**merged)


def generous(selection: Selection) -> Selection:
    """Return the selection with which both engines are asked."""
    return replace(selection, score_threshold=_generous(selection.score_threshold))


def _generous(threshold: float) -> float:
    return max(0.0, threshold - MARGIN)


def compare(reference: Perception, candidate: Perception, *, threshold: float) -> Agreement:
    """
    Compare two perceptions of the same frame, both made with a ``generous`` selection.

    :param threshold: objects and keypoints above it have to be found by the other one.
    """
    result = Agreement()
    pairs: Pairs = []
    if reference.detections is not None and candidate.detections is not None:
        pairs = _firm_pairs(reference.detections, candidate.detections, threshold)
        result = _compare_boxes(reference.detections, candidate.detections, pairs, threshold)
    if reference.keypoints is not None and candidate.keypoints is not None:
        if reference.detections is None:
            result = _compare_instances(reference.keypoints, candidate.keypoints, threshold)
            pairs = [(row, row) for row in range(result.matched)]
        result = result.merged(
            _compare_keypoints(reference.keypoints, candidate.keypoints, pairs, threshold)
        )
    if reference.classes is not None and candidate.classes is not None:
        result = result.merged(_compare_classes(reference.classes, candidate.classes))
    if reference.mask is not None and candidate.mask is not None:
        share = float(np.mean(reference.mask != candidate.mask))
        result = result.merged(Agreement(mask_share=share))
    if reference.instances is not None and candidate.instances is not None:
        # Objects in another order have other numbers, and all below the threshold are here too.
        share = float(np.mean((reference.instances > 0) != (candidate.instances > 0)))
        result = result.merged(Agreement(mask_share=share))
    return result.merged(_compare_poses(reference.poses, candidate.poses, pairs))


def match(reference: Detections, candidate: Detections) -> Pairs:
    """Return pairs of rows that are the same object, the best scores of the reference first."""
    pairs: Pairs = []
    free = np.ones(len(candidate), bool)
    for row in np.argsort(-reference.score, kind='stable'):
        overlap = np.where(free, iou(reference.xyxy[row], candidate.xyxy), -1.0)
        # Of two objects at one place the one of the same class is meant.
        same = candidate.class_id == reference.class_id[row]
        rank = overlap + np.where(same & (overlap >= SAME_OBJECT_IOU), 1.0, 0.0)
        if len(rank) and overlap[best := int(rank.argmax())] >= SAME_OBJECT_IOU:
            pairs.append((int(row), best))
            free[best] = False
    return pairs


def _firm_pairs(reference: Detections, candidate: Detections, threshold: float) -> Pairs:
    """Return the pairs without those of which neither is firm: noise below the threshold."""
    ours, theirs = reference.score >= threshold, candidate.score >= threshold
    return [each for each in match(reference, candidate) if ours[each[0]] or theirs[each[1]]]


def _split(pairs: Pairs) -> tuple[list[int], list[int]]:
    return [row for row, _ in pairs], [column for _, column in pairs]


def _compare_boxes(
    reference: Detections, candidate: Detections, pairs: Pairs, threshold: float
) -> Agreement:
    firm = reference.score >= threshold, candidate.score >= threshold
    rows, columns = _split(pairs)
    ours, theirs = reference.xyxy[rows], candidate.xyxy[columns]
    overlaps = [float(iou(box, other[None])[0]) for box, other in zip(ours, theirs)]
    drift = np.abs(reference.score[rows] - candidate.score[columns])
    return Agreement(
        reference=int(firm[0].sum()),
        matched=len(pairs),
        missed=int(np.delete(firm[0], rows).sum()),
        false_positives=int(np.delete(firm[1], columns).sum()),
        class_flips=int((reference.class_id[rows] != candidate.class_id[columns]).sum()),
        worst_iou=min(overlaps, default=1.0),
        box_px=float(np.abs(ours - theirs).max(initial=0.0)),
        score_drift=float(drift.max(initial=0.0)),
    )


def _compare_instances(reference: Keypoints, candidate: Keypoints, threshold: float) -> Agreement:
    """Compare instances without boxes, row by row; one is firm where a keypoint is."""
    matched = min(len(reference), len(candidate))
    ours, theirs = (np.any(each.score >= threshold, 1) for each in (reference, candidate))
    return Agreement(
        reference=int(ours.sum()),
        matched=matched,
        missed=int(ours[matched:].sum()),
        false_positives=int(theirs[matched:].sum()),
    )


def _compare_keypoints(
    reference: Keypoints, candidate: Keypoints, pairs: Pairs, threshold: float
) -> Agreement:
    rows, columns = _split(pairs)
    points = reference.xy[rows], candidate.xy[columns]
    scores = reference.score[rows], candidate.score[columns]
    given = [np.isfinite(xy).all(axis=-1) for xy in points]
    seen = [here & (score >= _generous(threshold)) for here, score in zip(given, scores)]
    firm = [here & (score >= threshold) for here, score in zip(given, scores)]
    distance = np.linalg.norm(points[0] - points[1], axis=-1)[given[0] & given[1]]
    return Agreement(
        keypoints=int(firm[0].sum()),
        keypoints_missed=int((firm[0] & ~seen[1]).sum()),
        keypoints_false=int((firm[1] & ~seen[0]).sum()),
        keypoint_px=float(distance.max(initial=0.0)),
    )


def _compare_classes(reference: Classes, candidate: Classes) -> Agreement:
    if not len(reference.class_id) or not len(candidate.class_id):
        differ = len(reference.class_id) != len(candidate.class_id)
        return Agreement(reference=1, class_flips=int(differ))
    scores = dict(zip(candidate.class_id.tolist(), candidate.score.tolist()))
    drift = [
        abs(score - scores[class_id])
        for class_id, score in zip(reference.class_id.tolist(), reference.score.tolist())
        if class_id in scores
    ]
    return Agreement(
        reference=1,
        matched=1,
        class_flips=int(reference.class_id[0] != candidate.class_id[0]),
        score_drift=max(drift, default=0.0),
    )


def _compare_poses(
    reference: tuple[ObjectPose, ...], candidate: tuple[ObjectPose, ...], pairs: Pairs
) -> Agreement:
    ours = {pose.instance: pose for pose in reference}
    theirs = {pose.instance: pose for pose in candidate}
    result = Agreement()
    for row, column in pairs:
        one, other = ours.get(row), theirs.get(column)
        if one is not None and other is not None:
            result = result.merged(_compare_pose(one, other))
        else:
            alone = Agreement(
                poses=int(one is not None),
                poses_missed=int(one is not None),
                poses_false=int(other is not None),
            )
            result = result.merged(alone)
    return result


def _compare_pose(reference: ObjectPose, candidate: ObjectPose) -> Agreement:
    apart = np.linalg.norm(reference.position - candidate.position)
    cosine = min(1.0, abs(float(reference.orientation @ candidate.orientation)))
    return Agreement(
        poses=1,
        position_share=float(apart / np.linalg.norm(reference.position)),
        rotation_deg=float(np.degrees(2 * np.arccos(cosine))),
    )
