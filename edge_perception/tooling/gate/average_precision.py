# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Measure average precision over labeled images, by pycocotools."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
import io
from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.contract import BuildError
from edge_perception.contract import ConfigurationError
from edge_perception.contract import Frame
from edge_perception.contract import LabelMap
from edge_perception.contract import Perception
from edge_perception.contract.errors import in_words
from edge_perception.models.assembly import Assembled
from edge_perception.tooling.building.simplify import library
from edge_perception.tooling.frame_sources import read_image
from edge_perception.tooling.gate.coco_annotations import Dataset
from edge_perception.tooling.notes import note

# As COCO's own evaluation wants it: nearly everything that the model says.
LEAST_SCORE = 0.001
# Networks of several labels for a box are evaluated with a gentler suppression than a robot uses.
IOU_THRESHOLD = 0.65
MOST_DETECTIONS = 300  # in an image; of these the evaluation takes the best 100 of each class
MOST_NAMED = 5  # classes in one sentence
FIGURES = ('AP', 'AP50', 'AP75')

See = Callable[[Frame], Perception]


def evaluate(
    assembled: Assembled, dataset: Dataset, *, advance: Callable[[], object]
) -> dict[str, float]:
    """
    Return AP, AP50 and AP75 of a model; OKS decides over keypoints, IoU over boxes.

    :param advance: called after each image.
    :raises ConfigurationError: the model and the dataset have nothing in common, or an image has
        another size than its annotations.
    :raises ImageError: an image cannot be read.
    :raises EdgePerceptionError: the model failed.
    """
    selection = replace(
        assembled.selection,
        score_threshold=LEAST_SCORE,
        iou_threshold=IOU_THRESHOLD,
        max_detections=MOST_DETECTIONS,
    )
    if dataset.kind == 'keypoints' and 'keypoints' not in assembled.pipeline.tasks:
        raise ConfigurationError('--dataset', ['has keypoints, and the model gives none'])
    categories = _categories(assembled.model.manifest.labels, dataset)
    _tell_what_is_judged(dataset, set(categories.values()))
    results: list[dict[str, Any]] = []
    for image_id, path in dataset.images.items():
        frame = Frame(image=read_image(path))
        _refuse_another_size(frame, path, dataset.sizes.get(image_id))
        perception = assembled.pipeline.process(frame, selection=selection).perception
        make = _keypoint_results if dataset.kind == 'keypoints' else _box_results
        results += make(perception, image_id, categories)
        advance()
    return _figures(dataset, results, list(categories.values()))


def _refuse_another_size(frame: Frame, path: Path, stated: tuple[int, int] | None) -> None:
    found = frame.width, frame.height
    if stated is not None and stated != found:
        sizes = '{}x{}, its annotations are for {}x{}'.format(*found, *stated)
        problem = f'{path.name} has {sizes}; give the images that were labeled'
        raise ConfigurationError('--dataset', [problem])


def _tell_what_is_judged(dataset: Dataset, judged: set[int]) -> None:
    """
    Say which labeled classes the model does not know, so that no figure is of them.

    :raises ConfigurationError: there is nothing to judge.
    """
    if not any(dataset.objects.get(each) for each in judged):
        problem = 'has no object of the classes of the model, so there is nothing to judge'
        raise ConfigurationError('--dataset', [problem])
    labeled = [name for name, each in dataset.categories.items() if dataset.objects.get(each)]
    left_out = [name for name in labeled if dataset.categories[name] not in judged]
    if left_out:
        first = ', '.join(map(repr, left_out[:MOST_NAMED]))
        more = f' and {len(left_out) - MOST_NAMED} more' if len(left_out) > MOST_NAMED else ''
        share = f'{len(labeled) - len(left_out)} of {len(labeled)} labeled classes'
        note(f'the figures are of {share}; the model does not know {first}{more}')


def _categories(labels: LabelMap, dataset: Dataset) -> dict[int, int]:
    """
    Return the category of each class, by name.

    COCO's classes have two sets of names. So where there are as many of both, and all names that
    both know have the same place, the place decides; so it does where the model has no names.
    """
    by_place = dict(enumerate(sorted(dataset.categories.values())))
    if not len(labels):
        return by_place
    found = {
        index: dataset.categories[name]
        for index, name in enumerate(labels.names)
        if name in dataset.categories
    }
    if len(labels) == len(by_place) and found.items() <= by_place.items():
        return by_place
    if not found:
        problem = f'has none of the classes of the model, e.g. {labels.names[0]!r}'
        raise ConfigurationError('--dataset', [problem])
    return found


def _box_results(
    perception: Perception, image_id: int, categories: Mapping[int, int]
) -> list[dict[str, Any]]:
    found = perception.detections
    if found is None:
        raise ConfigurationError('--dataset', ['has boxes, and the model gives none'])
    return [
        {
            'image_id': image_id,
            'category_id': categories[int(class_id)],
            'bbox': [float(x1), float(y1), float(x2 - x1), float(y2 - y1)],
            'score': float(score),
        }
        for (x1, y1, x2, y2), score, class_id in zip(found.xyxy, found.score, found.class_id)
        if int(class_id) in categories
    ]


def _keypoint_results(
    perception: Perception, image_id: int, categories: Mapping[int, int]
) -> list[dict[str, Any]]:
    found = perception.keypoints
    if found is None:
        raise ConfigurationError('--dataset', ['has keypoints, and the model gives none'])
    category = next(iter(categories.values()))
    triples = np.dstack([np.nan_to_num(found.xy), (found.score > 0) * 2.0])
    return [
        {
            'image_id': image_id,
            'category_id': category,
            'keypoints': [float(value) for value in points.ravel()],
            'score': float(scores.mean()),
        }
        for points, scores in zip(triples, found.score)
    ]


def _figures(
    dataset: Dataset, results: Sequence[dict[str, Any]], categories: Sequence[int]
) -> dict[str, float]:
    if not results:
        return dict.fromkeys(FIGURES, 0.0)
    coco_eval = library('pycocotools.cocoeval')
    try:
        with redirect_stdout(io.StringIO()):
            judged = coco_eval.COCOeval(dataset.coco, dataset.coco.loadRes(results), dataset.kind)
            judged.params.catIds = sorted(set(categories))
            if dataset.kind == 'keypoints':
                judged.params.kpt_oks_sigmas = dataset.sigmas
            judged.evaluate()
            judged.accumulate()
            judged.summarize()
    except Exception as error:
        words = in_words(error)
        raise BuildError(f'pycocotools cannot evaluate the results: {words}') from error
    figures = {name: round(float(value), 4) for name, value in zip(FIGURES, judged.stats)}
    if min(figures.values()) < 0:  # -1, where no object counts
        raise ConfigurationError('--dataset', ['has no object that counts for the evaluation'])
    return figures
