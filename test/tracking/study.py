# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure the stage ``tracking``: reference values, noisy ground truths, rendered scenes, cost.

``python -m test.tracking.study --sequences FOLDER [--rivals]``; the folder is ``motmetrics/data``
of an installed motmetrics, which has two sequences of MOTChallenge. ``--rivals`` compares with the
package ``trackers``, and HOTA with ``trackeval``, where both are installed. docs/tracking.md has
what it printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from collections.abc import Sequence
import importlib
from itertools import product
from pathlib import Path
from statistics import median
import time
from typing import Any

import numpy as np

from edge_perception.contract import Detections
from edge_perception.contract import Frame
from edge_perception.contract import ImageTransform
from edge_perception.contract import Perception
from edge_perception.contract import StageInputs
from edge_perception.contract.boxes import iou
from edge_perception.testing.tracking_metrics import _numbered
from edge_perception.testing.tracking_metrics import IdentifiedBoxes
from edge_perception.testing.tracking_metrics import read_mot
from edge_perception.testing.tracking_metrics import tracking_score
from edge_perception.testing.tracking_metrics import TrackingScore
from test.tracking.moving_boxes import CALIBRATION
from test.tracking.moving_boxes import IMAGE
from test.tracking.moving_boxes import stage_with
from test.tracking.scenes import detected
from test.tracking.scenes import RATE
from test.tracking.scenes import SCENES

SEQUENCES, SEQUENCE_RATE = ('TUD-Campus', 'TUD-Stadtmitte'), 25.0
SEEDS = range(10)
Noisy = list[tuple[Any, Any]]
Follow = Callable[[Noisy], list[IdentifiedBoxes]]


def inputs_of(boxes: Any, scores: Any, time_s: float, **other: Any) -> StageInputs:
    """Return a frame with detections of one class."""
    found = Detections(
        xyxy=np.asarray(boxes, np.float32),
        score=np.asarray(scores, np.float32),
        class_id=np.zeros(len(scores), np.int32),
    )
    return StageInputs(
        Frame(IMAGE, stamp_ns=round(time_s * 1e9)),
        Perception(detections=found),
        ImageTransform(640, 480, 640, 480),
        candidates=found,
        **other,
    )


def ours(
    noisy: Noisy, rate: float, turning: Sequence[float] = (), **options: Any
) -> list[IdentifiedBoxes]:
    """Return the tracks of the stage; with rates of yaw it has a gyroscope."""
    stage = stage_with(**options, imu_topic='imu' if len(turning) else '')
    tracks = []
    for index, (boxes, scores) in enumerate(noisy):
        other = {}
        if len(turning):
            other = {'calibration': CALIBRATION, 'angular_rate': np.array([0, turning[index], 0])}
        perception = stage.run(inputs_of(boxes, scores, index / rate, **other))
        found = perception.extras['tracks']
        tracks.append(IdentifiedBoxes(found.track_id, found.xyxy.astype(np.float64)))
    return tracks


def theirs(noisy: Noisy, rate: float, kind: str, **options: Any) -> list[IdentifiedBoxes]:
    """Return the tracks of a tracker of the package ``trackers``."""
    supervision = importlib.import_module('supervision')
    tracker = getattr(importlib.import_module('trackers'), kind)(frame_rate=rate, **options)
    tracks = []
    for boxes, scores in noisy:
        found = tracker.update(
            supervision.Detections(
                xyxy=boxes, confidence=scores, class_id=np.zeros(len(scores), int)
            )
        )
        ids = np.zeros(0, int) if not len(found) else np.array(found.tracker_id)
        tracks.append(IdentifiedBoxes(ids[ids >= 0], found.xyxy[ids >= 0]))
    return tracks


def say(name: str, scores: list[TrackingScore]) -> None:
    """Print the medians over the seeds, and the switches of each."""
    values = [median(getattr(each, part) for each in scores) for part in ('mota', 'idf1', 'hota')]
    figures = ' '.join(f'{value:.4f}' for value in values)
    print(f'{name:58} {figures} {[each.switches for each in scores]}', flush=True)


def compare_references(folder: Path, *, with_trackeval: bool) -> None:
    """Print our values for the results that lie beside the ground truths."""
    print('reference sequences: MOTA, IDF1, switches, false positives, misses, HOTA')
    for name in SEQUENCES:
        truth = read_mot(folder / name / 'gt.txt')
        found = read_mot(folder / name / 'test.txt', frames=len(truth))
        score = tracking_score(truth, found)
        print(
            f'{name:16} {score.mota:.5f} {score.idf1:.5f} {score.switches} '
            f'{score.false_positives} {score.misses} {score.hota:.5f}'
        )
        if with_trackeval:
            print(f'{name:16} HOTA of trackeval {hota_of_trackeval(truth, found):.5f}')


def hota_of_trackeval(truth: list[IdentifiedBoxes], found: list[IdentifiedBoxes]) -> float:
    """Return the HOTA that TrackEval computes."""
    (true_ids, true_counts), (track_ids, counts) = _numbered(truth), _numbered(found)
    overlaps = [iou(one.xyxy[:, None], other.xyxy) for one, other in zip(truth, found)]
    metric = importlib.import_module('trackeval.metrics.hota').HOTA()
    values = metric.eval_sequence(
        {
            'num_timesteps': len(truth),
            'num_gt_ids': len(true_counts),
            'num_tracker_ids': len(counts),
            'num_gt_dets': int(true_counts.sum()),
            'num_tracker_dets': int(counts.sum()),
            'gt_ids': true_ids,
            'tracker_ids': track_ids,
            'similarity_scores': overlaps,
        }
    )
    return float(values['HOTA'].mean())


def rivals() -> dict[str, tuple[str, dict[str, Any]]]:
    """Return trackers with their thresholds: defaults, and a grid with all detections strong."""
    made: dict[str, tuple[str, dict[str, Any]]] = {}
    for kind in ('ByteTrackTracker', 'OCSORTTracker'):
        made[f'{kind} defaults'] = (kind, {})
        for frames, overlap in product((1, 2, 3), (0.1, 0.2, 0.3)):
            options = {
                'high_conf_det_threshold': 0.3,
                'minimum_consecutive_frames': frames,
                'minimum_iou_threshold': overlap,
            }
            if kind == 'ByteTrackTracker':
                options['track_activation_threshold'] = 0.3
            made[f'{kind} from .3, {frames} frames, overlap {overlap}'] = (kind, options)
    return made


def measure_sequences(folder: Path, *, with_rivals: bool) -> None:
    """Print how ground truths with noise are followed."""
    print('\nground truths with noise: median MOTA, IDF1, HOTA; switches of each seed')
    for name in SEQUENCES:
        truth = read_mot(folder / name / 'gt.txt')
        noisy = [detected(truth, seed) for seed in SEEDS]

        def scores(follow: Follow, truth: Any = truth, noisy: Any = noisy) -> list[TrackingScore]:
            return [tracking_score(truth, follow(each)) for each in noisy]

        say(f'{name}: tracking', scores(lambda each: ours(each, SEQUENCE_RATE)))
        for words, (kind, options) in rivals().items() if with_rivals else ():
            follow = lambda each, k=kind, o=options: theirs(each, SEQUENCE_RATE, k, **o)  # noqa: E731
            say(f'{name}: {words}', scores(follow))


def measure_scenes() -> None:
    """Print how rendered scenes are followed."""
    print('\nrendered scenes: median MOTA, IDF1, HOTA; switches of each seed')
    for name, scene in SCENES.items():
        truth = scene.truth()
        rates = [scene.yaw_rate(each) for each in scene.times()]
        for words, turning in (('', ()), (' with gyroscope', rates)):
            if any(rates) or not words:
                noisy = [detected(truth, seed) for seed in SEEDS]
                scores = [tracking_score(truth, ours(each, RATE, turning)) for each in noisy]
                say(name + words, scores)


def measure_cost() -> None:
    """Print the time of one frame with many boxes, of which a tenth is missed."""
    print('\ntime of the stage for a frame')
    for count in (0, 1, 20, 100):
        random = np.random.default_rng(1)
        center = random.random((count, 2)) * (1800, 1000) + 60
        speed, size = random.normal(0, 60, (count, 2)), random.uniform(30, 120, (count, 2))
        stage, taken = stage_with(), []
        for frame in range(300):
            middle = center + speed * frame / 30
            boxes = np.concatenate([middle - size / 2, middle + size / 2], axis=1)
            boxes = (boxes + random.normal(0, 2, boxes.shape))[random.random(count) > 0.1]
            inputs = inputs_of(boxes, random.uniform(0.3, 0.95, len(boxes)), frame / 30)
            begun = time.perf_counter()
            stage.run(inputs)
            taken.append(1000 * (time.perf_counter() - begun))
        low, middle_ms = np.percentile(taken, 5), median(taken)
        print(f'{count:4} boxes: median {middle_ms:.2f} ms, 5th percentile {low:.2f} ms')


def main() -> None:
    """Measure all that the arguments ask for."""
    parser = argparse.ArgumentParser(prog='python -m test.tracking.study')
    parser.add_argument('--sequences', type=Path, help='motmetrics/data of the installed package')
    parser.add_argument('--rivals', action='store_true', help='needs trackers and trackeval')
    given = parser.parse_args()
    if given.sequences:
        compare_references(given.sequences, with_trackeval=given.rivals)
        measure_sequences(given.sequences, with_rivals=given.rivals)
    measure_scenes()
    measure_cost()


if __name__ == '__main__':
    main()
