# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
How far what two engines perceived in one frame is apart.

An object is the same where the boxes overlap by at least half. An object that only one of them
sees counts when it is clearly above the threshold: two scores of 0.301 and 0.299 are no
disagreement. So both are asked with a threshold that is lower by ``MARGIN``, and only objects
that pass the real one have to be found again.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace

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


@dataclass(frozen=True, slots=True)
class Agreement:
    """
    Differences of one frame, or the worst of many; 0 where there is nothing to compare.

    :param reference: objects that the reference sees.
    :param matched: of those and of the candidate's, pairs that are the same object.
    :param lost: objects that only the reference sees.
    :param invented: objects that only the candidate sees.
    :param class_flips: matched objects, or frames for classifiers, with another class.
    :param worst_iou: of matched boxes; 1 when there are none.
    :param box_px: largest distance of an edge of matched boxes, pixels of the source.
    :param score_drift: largest difference of scores of matched objects or classes.
    :param keypoint_px: largest distance of keypoints that both see, pixels of the source.
    :param mask_share: share of the pixels with another class.
    :param position_share: distance of positions over the distance of the object.
    :param rotation_deg: angle between orientations, degrees.
    """

    reference: int = 0
    matched: int = 0
    lost: int = 0
    invented: int = 0
    class_flips: int = 0
    worst_iou: float = 1.0
    box_px: float = 0.0
    score_drift: float = 0.0
    keypoint_px: float = 0.0
    mask_share: float = 0.0
    position_share: float = 0.0
    rotation_deg: float = 0.0

    def merged(self, other: Agreement) -> Agreement:
        """Return the counts of both added up, and the worse of each figure."""
        return Agreement(
            reference=self.reference + other.reference,
            matched=self.matched + other.matched,
            lost=self.lost + other.lost,
            invented=self.invented + other.invented,
            class_flips=self.class_flips + other.class_flips,
            worst_iou=min(self.worst_iou, other.worst_iou),
            box_px=max(self.box_px, other.box_px),
            score_drift=max(self.score_drift, other.score_drift),
            keypoint_px=max(self.keypoint_px, other.keypoint_px),
            mask_share=max(self.mask_share, other.mask_share),
            position_share=max(self.position_share, other.position_share),
            rotation_deg=max(self.rotation_deg, other.rotation_deg),
        )


def generous(selection: Selection) -> Selection:
    """Return the selection with which both engines are asked."""
    return replace(selection, score_threshold=max(0.0, selection.score_threshold - MARGIN))


def compare(reference: Perception, candidate: Perception, *, threshold: float) -> Agreement:
    """
    Compare two perceptions of the same frame, both made with a ``generous`` selection.

    :param threshold: objects above it have to be found by the other one.
    """
    result = Agreement()
    pairs: list[tuple[int, int]] = []
    if reference.detections is not None and candidate.detections is not None:
        pairs = match(reference.detections, candidate.detections)
        result = _compare_boxes(reference.detections, candidate.detections, pairs, threshold)
    if reference.keypoints is not None and candidate.keypoints is not None:
        if reference.detections is None:
            count = min(len(reference.keypoints), len(candidate.keypoints))
            pairs = [(row, row) for row in range(count)]
            lost = max(0, len(reference.keypoints) - count)
            invented = max(0, len(candidate.keypoints) - count)
            result = Agreement(
                reference=len(reference.keypoints), matched=count, lost=lost, invented=invented
            )
        distance = _keypoint_distance(reference.keypoints, candidate.keypoints, pairs)
        result = replace(result, keypoint_px=distance)
    if reference.classes is not None and candidate.classes is not None:
        result = result.merged(_compare_classes(reference.classes, candidate.classes))
    if reference.mask is not None and candidate.mask is not None:
        share = float(np.mean(reference.mask != candidate.mask))
        result = result.merged(Agreement(mask_share=share))
    return result.merged(_compare_poses(reference.poses, candidate.poses, pairs))


def match(reference: Detections, candidate: Detections) -> list[tuple[int, int]]:
    """Return pairs of rows that are the same object, the best scores of the reference first."""
    pairs: list[tuple[int, int]] = []
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


def _compare_boxes(
    reference: Detections,
    candidate: Detections,
    pairs: list[tuple[int, int]],
    threshold: float,
) -> Agreement:
    firm = reference.score >= threshold, candidate.score >= threshold
    # A pair of which neither is firm is noise below the threshold.
    pairs = [(row, column) for row, column in pairs if firm[0][row] or firm[1][column]]
    rows = [row for row, _ in pairs]
    columns = [column for _, column in pairs]
    ours, theirs = reference.xyxy[rows], candidate.xyxy[columns]
    overlaps = [float(iou(box, other[None])[0]) for box, other in zip(ours, theirs)]
    drift = np.abs(reference.score[rows] - candidate.score[columns])
    return Agreement(
        reference=int(firm[0].sum()),
        matched=len(pairs),
        lost=int(np.delete(firm[0], rows).sum()),
        invented=int(np.delete(firm[1], columns).sum()),
        class_flips=int((reference.class_id[rows] != candidate.class_id[columns]).sum()),
        worst_iou=min(overlaps, default=1.0),
        box_px=float(np.abs(ours - theirs).max(initial=0.0)),
        score_drift=float(drift.max(initial=0.0)),
    )


def _keypoint_distance(
    reference: Keypoints, candidate: Keypoints, pairs: list[tuple[int, int]]
) -> float:
    worst = 0.0
    for row, column in pairs:
        distance = np.linalg.norm(reference.xy[row] - candidate.xy[column], axis=-1)
        seen = np.isfinite(distance)
        worst = max(worst, float(distance[seen].max(initial=0.0)))
    return worst


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
    reference: tuple[ObjectPose, ...],
    candidate: tuple[ObjectPose, ...],
    pairs: list[tuple[int, int]],
) -> Agreement:
    ours = {pose.instance: pose for pose in reference}
    theirs = {pose.instance: pose for pose in candidate}
    worst = Agreement()
    for row, column in pairs or [(0, 0)]:
        if row in ours and column in theirs:
            one, other = ours[row], theirs[column]
            apart = np.linalg.norm(one.position - other.position)
            cosine = min(1.0, abs(float(one.orientation @ other.orientation)))
            away = Agreement(
                position_share=float(apart / np.linalg.norm(one.position)),
                rotation_deg=float(np.degrees(2 * np.arccos(cosine))),
            )
            worst = worst.merged(away)
    return worst
