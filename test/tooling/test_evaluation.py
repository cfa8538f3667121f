# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Which category of the labels is which class of the model."""

from __future__ import annotations

import json

import cv2
import pytest

from test.tooling.gate_rig import cells
from test.tooling.gate_rig import FRAME
from test.tooling.gate_rig import giving
from test.tooling.gate_rig import manifest_of

CAT = (60, (48, 32, 40, 30, 0.9, 0.1))


@pytest.fixture
def average_precision(tmp_path):
    """Evaluate a model that sees a cat, on a picture of the first category."""
    pytest.importorskip('pycocotools', reason='pycocotools is not installed')
    from edge_perception.tooling.gate.average_precision import evaluate
    from edge_perception.tooling.gate.coco_annotations import read_dataset

    def call(labels: tuple[str, ...], categories: dict[str, int]) -> float:
        first = next(iter(categories.values()))
        cv2.imwrite(str(tmp_path / 'one.png'), FRAME.image)
        box = {'bbox': [28, 17, 40, 30], 'area': 1200, 'iscrowd': 0, 'id': 1, 'image_id': 1}
        values = {
            'images': [{'id': 1, 'file_name': 'one.png'}],
            'categories': [{'id': number, 'name': name} for name, number in categories.items()],
            'annotations': [{**box, 'category_id': first}],
        }
        (tmp_path / 'labels.json').write_text(json.dumps(values))
        model = giving(manifest_of('yolo', *labels), out=cells(CAT, numbers=6))
        dataset = read_dataset(tmp_path / 'labels.json', tmp_path)
        return evaluate(model, dataset, advance=lambda: None)['AP']

    return call


@pytest.mark.parametrize(
    ('labels', 'categories'),
    [
        (('cat', 'dog'), {'cat': 1, 'dog': 2}),
        (('cat', 'dog'), {'cat': 2, 'dog': 1}),
        (('cat', 'dog'), {'cat': 7, 'dog': 3, 'bird': 1}),
        # Two sets of names: what is unknown counts by its place, where all that is known fits.
        (('motorbike', 'dog'), {'motorcycle': 1, 'dog': 2}),
        (('motorbike', 'aeroplane'), {'motorcycle': 1, 'airplane': 2}),
        ((), {'whatever': 1, 'else': 2}),
    ],
)
def test_the_right_category_is_meant(average_precision, labels, categories):
    assert average_precision(labels, categories) == pytest.approx(1.0)
