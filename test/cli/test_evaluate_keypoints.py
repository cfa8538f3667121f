# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Average precision over keypoints, against a truth whose similarity is known in advance."""

from __future__ import annotations

from collections.abc import Callable
import json
import math
from pathlib import Path

import cv2
import numpy as np
from onnx import helper
from onnx import numpy_helper
import pytest
import yaml

from test.support.networks import save
from test.support.networks import tensor

WIDTH, HEIGHT = 96, 64
AREA = 900.0
SIGMAS = (0.1, 0.05)
# Where a picture has its red and its blue spot.
SPOTS = ((20, 30), (70, 40))
MANIFEST = {
    'manifest_version': 1,
    'name': 'spots',
    'source': {'file': 'spots.onnx'},
    'input': {
        'width': WIDTH,
        'height': HEIGHT,
        'color': 'rgb',
        'scale': 1 / 255,
        'resize': 'stretch',
    },
    'decoder': {'name': 'heatmap', 'options': {'layout': 'nchw'}},
    'keypoints': ['red', 'blue'],
    'selection': {'score_threshold': 0.1},
}


@pytest.fixture
def spots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a model whose heat maps are the red and the blue of the image, and a picture for it."""
    pytest.importorskip('pycocotools', reason='pycocotools is not installed')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    folder = tmp_path / 'spots'
    (folder / 'images').mkdir(parents=True)
    weights = np.array([[1, 0, 0], [0, 0, 1]], np.float32).reshape(2, 3, 1, 1)
    save(
        folder / 'spots.onnx',
        [helper.make_node('Conv', ['image', 'weight'], ['maps'])],
        [tensor('image', (1, 3, HEIGHT, WIDTH))],
        [tensor('maps', (1, 2, HEIGHT, WIDTH))],
        constants=[numpy_helper.from_array(weights, 'weight')],
    )
    (folder / 'model.yaml').write_text(yaml.safe_dump(MANIFEST))
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for (x, y), channel in zip(SPOTS, (2, 0)):
        picture[y, x, channel] = 255
    cv2.imwrite(str(folder / 'images' / 'one.png'), picture)
    return folder


@pytest.fixture
def evaluate(invoke: Callable, spots: Path) -> Callable:
    """Evaluate the model against annotations; returns the result of the command."""

    def call(*annotations: dict, **category: object):
        values = {
            'images': [{'id': 1, 'file_name': 'one.png', 'width': WIDTH, 'height': HEIGHT}],
            'categories': [{'id': 1, 'name': 'pad', **category}],
            'annotations': list(annotations),
        }
        (spots / 'labels.json').write_text(json.dumps(values))
        options = ('--images', spots / 'images', '--engine', 'onnxruntime', '--json')
        return invoke('evaluate', spots, '--dataset', spots / 'labels.json', *options)

    return call


def truth(points: list[tuple[float, float]], **changes: object) -> dict:
    xs, ys = zip(*points)
    return {
        'id': 1,
        'image_id': 1,
        'category_id': 1,
        'iscrowd': 0,
        'area': AREA,
        'bbox': [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)],
        'num_keypoints': len(points),
        'keypoints': [value for x, y in points for value in (x, y, 2)],
        **changes,
    }


def beside(*similarities: float) -> list[tuple[float, float]]:
    """
    Return points so far from what the model sees that each has a given similarity.

    That of COCO: exp(-d^2 / (2 s^2 k^2)), with s^2 the area and k twice the spread.
    """
    points = []
    for (x, y), sigma, wanted in zip(SPOTS, SIGMAS, similarities):
        distance = math.sqrt(-2 * math.log(wanted) * AREA) * 2 * sigma
        points.append((x + 0.5, y + 0.5 + distance))
    return points


def figures(result) -> tuple[float, float, float]:
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)
    assert row['trouble'] == ''
    return row['AP'], row['AP50'], row['AP75']


@pytest.mark.parametrize(
    ('similarities', 'expected'),
    [
        ((0.999, 0.999), (1.0, 1.0, 1.0)),
        # OKS is their mean, 0.74: enough for 0.50, 0.55, 0.60, 0.65 and 0.70 of ten thresholds.
        ((0.93, 0.55), (0.5, 1.0, 0.0)),
        ((0.55, 0.93), (0.5, 1.0, 0.0)),
        # 0.755: for 0.75 as well, if only just.
        ((0.94, 0.57), (0.6, 1.0, 1.0)),
        ((0.2, 0.2), (0.0, 0.0, 0.0)),
    ],
)
def test_ap_is_that_of_the_known_similarity(evaluate, similarities, expected):
    result = evaluate(truth(beside(*similarities)), sigmas=SIGMAS)
    assert figures(result) == pytest.approx(expected, abs=1e-3)


def test_a_spread_for_each_keypoint_is_asked_for(evaluate):
    result = evaluate(truth(beside(0.9, 0.9)))
    assert result.exit_code == 2
    assert 'has objects of 2 keypoints, and OKS needs a spread for each' in result.stderr
    result = evaluate(truth(beside(0.9, 0.9)), sigmas=(0.1, 0.1, 0.1))
    assert result.exit_code == 2


def test_a_body_of_coco_has_the_spreads_of_coco(spots):
    from edge_perception.tooling.gate.coco_annotations import read_dataset

    body = truth([(1.0, 1.0)] * 17)
    (spots / 'labels.json').write_text(
        json.dumps(
            {
                'images': [{'id': 1, 'file_name': 'one.png'}],
                'categories': [{'id': 1, 'name': 'person'}],
                'annotations': [body],
            }
        )
    )
    dataset = read_dataset(spots / 'labels.json', spots / 'images')
    assert dataset.kind == 'keypoints'
    # Nose and ankles, as COCO has published them.
    assert [dataset.sigmas[0], dataset.sigmas[-1]] == pytest.approx([0.026, 0.089])


@pytest.mark.parametrize(
    ('values', 'complaint'),
    [
        ([], 'is not a file of COCO annotations'),
        ({'images': []}, "is not a file of COCO annotations (lacks 'categories')"),
        ({'images': [], 'categories': [], 'annotations': []}, 'lists no image, expected some'),
        (
            {
                'images': [{'id': 1, 'file_name': 'one.png'}],
                'categories': [{'id': 1, 'name': 'pad'}],
                'annotations': [{'bbox': [0, 0, 1, 1]}],
            },
            'is not a file of COCO annotations (lacks',
        ),
        (
            {
                'images': [{'id': 1, 'file_name': 'two.png'}],
                'categories': [{'id': 1, 'name': 'pad'}],
                'annotations': [],
            },
            'lacks 1 of 1 images, e.g. two.png',
        ),
    ],
)
def test_annotations_that_are_none_are_a_sentence(invoke, spots, values, complaint):
    (spots / 'labels.json').write_text(json.dumps(values))
    options = ('--dataset', spots / 'labels.json', '--images', spots / 'images')
    result = invoke('evaluate', spots, *options)
    assert result.exit_code == 2
    (sentence,) = [line for line in result.stderr.splitlines() if line.startswith('error')]
    assert complaint in sentence


def test_annotations_that_do_not_exist_are_a_sentence(invoke, spots):
    options = ('--dataset', spots / 'none.json', '--images', spots / 'images')
    result = invoke('evaluate', spots, *options)
    assert result.exit_code == 2
    assert 'none.json: cannot be read: No such file or directory' in result.stderr
    assert 'Errno' not in result.stderr
