# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Annotations as labeling tools write them: the right figure, or a sentence."""

from __future__ import annotations

from copy import deepcopy
import json

import cv2
import numpy as np
import pytest

from edge_perception.contract import ConfigurationError
from test.support.raising import raises
from test.tooling.gate_rig import cells
from test.tooling.gate_rig import FRAME
from test.tooling.gate_rig import giving
from test.tooling.gate_rig import manifest_of

CAT = (60, (48, 32, 40, 30, 0.9, 0.1))
HEIGHT, WIDTH = FRAME.image.shape[:2]
BOX = [28, 17, 40, 30]
GOOD = {
    'images': [
        {'id': number, 'file_name': f'{number}.png', 'width': WIDTH, 'height': HEIGHT}
        for number in (1, 2)
    ],
    'categories': [{'id': 1, 'name': 'cat'}, {'id': 2, 'name': 'dog'}],
    'annotations': [
        {'id': n, 'image_id': n, 'category_id': 1, 'bbox': BOX, 'area': 1200, 'iscrowd': 0}
        for n in (1, 2)
    ],
}


@pytest.fixture
def judge(tmp_path):
    """Evaluate a model that finds the cat in each image, on changed annotations."""
    pytest.importorskip('pycocotools', reason='pycocotools is not installed')
    from edge_perception.tooling.gate.average_precision import evaluate
    from edge_perception.tooling.gate.coco_annotations import read_dataset

    def call(change, *, encoding='utf-8') -> float:
        values = deepcopy(GOOD)
        change(values)
        for number in (1, 2):
            cv2.imwrite(str(tmp_path / f'{number}.png'), FRAME.image)
        path = tmp_path / 'labels.json'
        path.write_text(json.dumps(values), encoding=encoding)
        model = giving(manifest_of('yolo', 'cat', 'dog'), out=cells(CAT, numbers=6))
        return evaluate(model, read_dataset(path, tmp_path), advance=lambda: None)['AP']

    return call


def each(**changes):
    """Return what changes every annotation; None takes a key away."""

    def change(values):
        for row in values['annotations']:
            row.update(changes)
            for key in [key for key, value in changes.items() if value is None]:
                del row[key]

    return change


def number_from_zero(values):
    for row in values['annotations']:
        row['id'] -= 1


def put_a_group_in_front(values):
    values['categories'].insert(0, {'id': 0, 'name': 'pets', 'supercategory': 'none'})
    for row in values['categories'][1:]:
        row['supercategory'] = 'pets'


OUTLINE = [[28, 17, 68, 17, 68, 47, 28, 47]]
CLEAR = {
    'nothing': lambda values: None,
    'ids from 0': number_from_zero,
    'one id twice': each(id=7),
    'no ids': each(id=None),
    'no area': each(area=None),
    'no iscrowd': each(iscrowd=None),
    'iscrowd as a boolean': each(iscrowd=False),
    'an outline and no box': lambda values: (
        each(segmentation=OUTLINE)(values),
        each(bbox=None)(values),
    ),
    'a grouping category': put_a_group_in_front,
    'unknown size': lambda values: [row.update(width=0) for row in values['images']],
}


@pytest.mark.parametrize('kind', CLEAR)
def test_what_has_one_meaning_gives_the_figure(judge, kind):
    assert judge(CLEAR[kind]) == pytest.approx(1.0)


def test_a_byte_order_mark_is_read(judge):
    assert judge(lambda values: None, encoding='utf-8-sig') == pytest.approx(1.0)


def of_another_size(values):
    values['images'][1].update(width=2 * WIDTH, height=2 * HEIGHT)


UNCLEAR = {
    'unknown category': (each(category_id=9), 'objects of the category 9, which it does not list'),
    'no box': (each(bbox=None), 'annotation 1 of 2 (id 1): lacks bbox'),
    'three numbers': (each(bbox=[1, 2, 3]), 'bbox: got [1, 2, 3], expected 4 numbers'),
    'a negative size': (each(bbox=[9, 9, -2, 4]), 'bbox: got'),
    'no number': (each(bbox=[9, 9, float('nan'), 4]), 'bbox: got'),
    'shares of the image': (each(bbox=[0.1, 0.1, 0.5, 0.5]), 'expected x, y, width and height in'),
    'crowds of another kind': (each(iscrowd='no'), "iscrowd: got 'no', expected 0 or 1"),
    'another size': (of_another_size, f'2.png has {WIDTH}x{HEIGHT}, its annotations are for'),
    'nothing': (lambda values: values.update(annotations=[]), 'nothing to judge'),
    'crowds alone': (each(iscrowd=1), 'nothing to judge'),
    'other classes alone': (
        lambda values: (
            values['categories'].append({'id': 3, 'name': 'bird'}) or each(category_id=3)(values)
        ),
        'nothing to judge',
    ),
    'images twice': (lambda values: values['images'].extend(values['images']), 'has two images'),
    'names twice': (
        lambda values: values['categories'].append({'id': 3, 'name': 'cat'}),
        'has two categories',
    ),
}


@pytest.mark.parametrize('kind', UNCLEAR)
def test_what_has_several_meanings_is_refused(judge, kind):
    change, complaint = UNCLEAR[kind]
    with pytest.raises(ConfigurationError) as raised:
        judge(change)
    assert complaint in str(raised.value)


def test_classes_that_the_model_does_not_know_are_named(judge, capsys):
    def change(values):
        values['categories'].append({'id': 3, 'name': 'bird'})
        values['annotations'][1]['category_id'] = 3

    judge(change)
    said = capsys.readouterr().err
    assert "the figures are of 1 of 2 labeled classes; the model does not know 'bird'" in said


def test_annotations_of_images_that_are_not_listed_are_counted(judge, capsys):
    def change(values):
        values['annotations'].append({**values['annotations'][0], 'image_id': 9})

    assert judge(change) == pytest.approx(1.0)
    assert '1 of 3 annotations are of images that it does not list' in capsys.readouterr().err


def test_keypoints_need_an_area(tmp_path):
    pytest.importorskip('pycocotools', reason='pycocotools is not installed')
    from edge_perception.tooling.gate.coco_annotations import read_dataset

    values = deepcopy(GOOD)
    for row in values['annotations']:
        row['keypoints'] = [1, 1, 2] * 17
        del row['area']
    cv2.imwrite(str(tmp_path / '1.png'), np.zeros((4, 4, 3), np.uint8))
    (tmp_path / 'labels.json').write_text(json.dumps(values))
    with raises(ConfigurationError, 'area: ', 'OKS'):
        read_dataset(tmp_path / 'labels.json', tmp_path)
