# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Measure average precision over labeled images, by pycocotools."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from dataclasses import replace
import io
import json
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

# As COCO's own evaluation wants it: nearly everything that the model says.
LEAST_SCORE = 0.001
# Networks of several labels for a box are evaluated with a gentler suppression than a robot uses.
IOU_THRESHOLD = 0.65
MOST_DETECTIONS = 300  # in an image; of these the evaluation takes the best 100 of each class
FIGURES = ('AP', 'AP50', 'AP75')
COCO_KEYPOINTS = 17  # of a body; pycocotools knows how exactly people mark each

See = Callable[[Frame], Perception]


@dataclass(frozen=True, slots=True)
class Dataset:
    """
    Labeled images.

    :param coco: the parsed annotations.
    :param images: path by the id of the image.
    :param kind: bbox or keypoints.
    :param categories: id by name.
    :param sigmas: of keypoints: how far each may be off, over the root of the object's area.
    """

    coco: Any
    images: Mapping[int, Path]
    kind: str
    categories: Mapping[str, int]
    sigmas: Any = None


def read_dataset(annotations: Path, images: Path) -> Dataset:
    """
    Read annotations in COCO's format.

    :raises ConfigurationError: they are not, or an image is missing.
    """
    coco_module = library('pycocotools.coco')
    try:
        values = json.loads(annotations.read_text(encoding='utf-8'))
        rows = {each['id']: images / each['file_name'] for each in values['images']}
        categories = {each['name']: each['id'] for each in values['categories']}
        keypoints = any('keypoints' in each for each in values['annotations'])
        coco = coco_module.COCO()
        coco.dataset = values
        with redirect_stdout(io.StringIO()):
            coco.createIndex()
    except OSError as error:
        problem = f'cannot be read: {error.strerror}; give COCO annotations'
        raise ConfigurationError(str(annotations), [problem]) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        lacks = f'lacks {error}' if isinstance(error, KeyError) else ' '.join(str(error).split())
        problem = f'is not a file of COCO annotations ({lacks}), expected images, categories'
        raise ConfigurationError(str(annotations), [f'{problem} and annotations']) from error
    missing = [path.name for path in rows.values() if not path.is_file()]
    if not rows:
        raise ConfigurationError(str(annotations), ['lists no image, expected some'])
    if missing:
        problem = f'lacks {len(missing)} of {len(rows)} images, e.g. {missing[0]}'
        raise ConfigurationError(str(images), [problem])
    if not keypoints:
        return Dataset(coco, rows, 'bbox', categories)
    return Dataset(coco, rows, 'keypoints', categories, _sigmas(values))


def _sigmas(values: Any) -> Any:
    """
    Return how far each keypoint may be off: what a category says, else what COCO says of bodies.

    :raises ConfigurationError: the keypoints are others than COCO's and nothing is said of them.
    """
    counts = {len(each.get('keypoints', ())) // 3 for each in values['annotations']}
    said = [each['sigmas'] for each in values['categories'] if 'sigmas' in each]
    if said and counts == {len(said[0])}:
        return np.asarray(said[0], float)
    if not said and counts == {COCO_KEYPOINTS}:
        return library('pycocotools.cocoeval').Params(iouType='keypoints').kpt_oks_sigmas
    problem = (
        f'has objects of {", ".join(map(str, sorted(counts)))} keypoints, and OKS needs a spread '
        f'for each; COCO has those of its {COCO_KEYPOINTS}, for others add "sigmas": [...] to the '
        'category'
    )
    raise ConfigurationError('--dataset', [problem])


def evaluate(
    assembled: Assembled, dataset: Dataset, *, advance: Callable[[], object]
) -> dict[str, float]:
    """
    Return AP, AP50 and AP75 of a model; OKS decides over keypoints, IoU over boxes.

    :param advance: called after each image.
    :raises ConfigurationError: the model and the dataset have nothing in common.
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
    results: list[dict[str, Any]] = []
    for image_id, path in dataset.images.items():
        frame = Frame(image=read_image(path))
        perception = assembled.pipeline.process(frame, selection=selection).perception
        make = _keypoint_results if dataset.kind == 'keypoints' else _box_results
        results += make(perception, image_id, categories)
        advance()
    return _figures(dataset, results, list(categories.values()))


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
    return {name: round(float(value), 4) for name, value in zip(FIGURES, judged.stats)}
