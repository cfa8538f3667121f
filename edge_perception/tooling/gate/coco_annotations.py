# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Read annotations in the format of COCO, as many tools write it.

What is missing and has one meaning is filled in; what has none, or several, is refused, so that
no figure is of something else than its name says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
import io
import json
from math import isfinite
from pathlib import Path
from typing import Any
from typing import TypeGuard

import numpy as np

from edge_perception.contract import ConfigurationError
from edge_perception.contract.errors import in_words
from edge_perception.contract.fields import shown
from edge_perception.contract.loading.artifact_files import read_regular
from edge_perception.tooling.building.simplify import library
from edge_perception.tooling.notes import note

COCO_KEYPOINTS = 17  # of a body; pycocotools knows how exactly people mark each
MOST_BYTES = 2 << 30  # those of COCO's own training images have 450 MB

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dataset:
    """
    Labeled images.

    :param coco: the annotations, as pycocotools has them.
    :param images: path by the id of the image.
    :param sizes: width and height in pixels by the id of the image, where the file states them.
    :param kind: bbox or keypoints.
    :param categories: id by name, those without objects included.
    :param objects: number of objects by the id of their category, crowds apart.
    :param sigmas: of keypoints: how far each may be off, over the root of the object's area.
    """

    coco: Any
    images: Mapping[int, Path]
    sizes: Mapping[int, tuple[int, int]]
    kind: str
    categories: Mapping[str, int]
    objects: Mapping[int, int]
    sigmas: Any = None


def read_dataset(annotations: Path, images: Path) -> Dataset:
    """
    Read annotations in COCO's format.

    :raises ConfigurationError: they are not, their meaning is not clear, or an image is missing.
    """
    coco_module = library('pycocotools.coco')
    subject = str(annotations)
    try:
        values = json.loads(read_regular(annotations, most_bytes=MOST_BYTES).decode('utf-8-sig'))
        pictures = {each['id']: each for each in values['images']}
        paths = {key: images / each['file_name'] for key, each in pictures.items()}
        _refuse_twice(subject, 'images', (each['id'] for each in values['images']))
        categories = _categories(subject, values)
        kind, rows = _rows(subject, values, pictures)
    except OSError as error:
        problem = f'cannot be read: {error.strerror}; give COCO annotations'
        raise ConfigurationError(subject, [problem]) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        lacks = f'lacks {error}' if isinstance(error, KeyError) else in_words(error)
        problem = f'is not a file of COCO annotations ({lacks}), expected images, categories'
        raise ConfigurationError(subject, [f'{problem} and annotations']) from error
    _refuse_missing(subject, images, paths)
    coco = coco_module.COCO()
    coco.dataset = {
        'info': {},
        'images': [{'id': key} for key in paths],
        'categories': [{'id': key, 'name': name} for name, key in categories.items()],
        'annotations': rows,
    }
    with redirect_stdout(io.StringIO()):
        coco.createIndex()
    objects = Counter(each['category_id'] for each in rows if not each['iscrowd'])
    sigmas = _sigmas(values, rows) if kind == 'keypoints' else None
    return Dataset(coco, paths, _sizes(pictures), kind, categories, objects, sigmas)


def _refuse_missing(subject: str, images: Path, paths: Mapping[int, Path]) -> None:
    if not paths:
        raise ConfigurationError(subject, ['lists no image, expected some'])
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        problem = f'lacks {len(missing)} of {len(paths)} images, e.g. {missing[0]}'
        raise ConfigurationError(str(images), [problem])


def _refuse_twice(subject: str, what: str, values: Iterable[Any]) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        problem = f'has two {what} of the same id or name, {shown(twice[0])}; give each its own'
        raise ConfigurationError(subject, [problem])


def _sizes(pictures: Mapping[int, Row]) -> dict[int, tuple[int, int]]:
    """Return width and height of images; tools write 0 or nothing for what they do not know."""
    sizes = {key: (each.get('width'), each.get('height')) for key, each in pictures.items()}
    return {
        key: (int(width), int(height))
        for key, (width, height) in sizes.items()
        if _is_above_zero(width) and _is_above_zero(height)
    }


def _categories(subject: str, values: Row) -> dict[str, int]:
    """Return the id of each category by name, without a grouping one that has no objects."""
    rows = values['categories']
    for key in ('id', 'name'):
        _refuse_twice(subject, 'categories', (each[key] for each in rows))
    used = {each['category_id'] for each in values['annotations']}
    unknown = used - {each['id'] for each in rows}
    if unknown:
        problem = (
            f'has objects of the category {shown(min(unknown, key=str))}, which it does not list; '
            'add it to categories, or remove the objects'
        )
        raise ConfigurationError(subject, [problem])
    # Roboflow writes the name of the project as a category in front, above all others.
    above = {
        each.get('supercategory') for each in rows if each.get('supercategory') != each['name']
    }
    kept = [each for each in rows if each['id'] in used or each['name'] not in above]
    return {each['name']: each['id'] for each in kept}


def _rows(subject: str, values: Row, pictures: Mapping[int, Row]) -> tuple[str, list[Row]]:
    """Return what is labeled, and the annotations with all that pycocotools reads."""
    given = values['annotations']
    kind = 'keypoints' if any(each.get('keypoints') for each in given) else 'bbox'
    complete: Callable[[Row], Row] = _with_keypoints if kind == 'keypoints' else _with_box
    rows, elsewhere = [], 0
    for index, each in enumerate(given):
        if each['image_id'] not in pictures:
            elsewhere += 1
            continue
        try:
            crowd = each.get('iscrowd') or 0
            if crowd not in (0, 1):
                raise ValueError(f'iscrowd: got {shown(crowd)}, expected 0 or 1')
            # With the ids of the file an id 0 or one that stands twice is no match to pycocotools.
            plain = {'id': index + 1, 'iscrowd': int(crowd)}
            plain |= {key: each[key] for key in ('image_id', 'category_id')}
            rows.append({**plain, **complete(each)})
        except ValueError as error:
            name = f'annotation {index + 1} of {len(given)} (id {shown(each.get("id"))})'
            raise ConfigurationError(subject, [f'{name}: {error}']) from error
    if rows and kind == 'bbox' and all(max(each['bbox']) <= 1 for each in rows):
        problem = 'has boxes between 0 and 1, expected x, y, width and height in pixels'
        raise ConfigurationError(subject, [problem])
    if elsewhere:
        note(f'{subject}: {elsewhere} of {len(given)} annotations are of images that it does not '
             'list, and do not count')  # fmt: skip
    return kind, rows


def _with_box(row: Row) -> Row:
    """Return box and area of an object; the box of an outline, the area of a box."""
    box = row.get('bbox') or _box_of(row.get('segmentation'))
    if not box:
        raise ValueError('lacks bbox, and has no outline that has one; add it')
    x, y, width, height = _numbers('bbox', box, 4)
    if width < 0 or height < 0:
        raise ValueError(f'bbox: got {shown(box)}, expected x, y, width and height')
    area = row.get('area')
    if area is None:
        area = width * height
    if not _is_above_zero(area) and area != 0:
        raise ValueError(f'area: got {shown(area)}, expected square pixels')
    return {'bbox': [x, y, width, height], 'area': area}


def _box_of(outline: Any) -> list[float]:
    """Return the box around polygons; nothing for other outlines."""
    if not isinstance(outline, list) or not outline:
        return []
    values = _numbers('segmentation', [each for polygon in outline for each in polygon])
    xs, ys = values[::2], values[1::2]
    if not ys:
        return []
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]


def _with_keypoints(row: Row) -> Row:
    """Return the keypoints of an object; the area, by which they are judged, has to be there."""
    points = _numbers('keypoints', row.get('keypoints') or [])
    seen = sum(value > 0 for value in points[2::3])
    area = row.get('area')
    if len(points) % 3:
        raise ValueError(f'keypoints: got {len(points)} numbers, expected three for each')
    if seen and not _is_above_zero(area):
        raise ValueError(
            f'area: got {shown(area)}, expected square pixels: OKS depends on it, and the area of '
            'the box is not that of the object'
        )
    box = _numbers('bbox', row.get('bbox') or [0, 0, 0, 0], 4)
    return {'keypoints': points, 'num_keypoints': seen, 'area': area or 0, 'bbox': box}


def _numbers(name: str, values: Any, count: int | None = None) -> list[float]:
    if (
        not isinstance(values, list)
        or not all(map(_is_number, values))
        or count not in (None, len(values))
    ):
        expected = 'a list of numbers' if count is None else f'{count} numbers'
        raise ValueError(f'{name}: got {shown(values)}, expected {expected}')
    return values


def _is_above_zero(value: Any) -> TypeGuard[float]:
    return _is_number(value) and value > 0


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _sigmas(values: Row, rows: Iterable[Row]) -> Any:
    """
    Return how far each keypoint may be off: what a category says, else what COCO says of bodies.

    :raises ConfigurationError: the keypoints are others than COCO's and nothing is said of them.
    """
    counts = {len(each['keypoints']) // 3 for each in rows}
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
