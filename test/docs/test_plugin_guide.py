# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What ``plugins/README.md`` says of values is what the contract says of them."""

from __future__ import annotations

from dataclasses import fields
import inspect
from pathlib import Path
import re

from edge_perception.contract import BuildPlan
from edge_perception.contract import Classes
from edge_perception.contract import Detections
from edge_perception.contract import Keypoints
from edge_perception.contract import ObjectPose
from edge_perception.contract import Perception
from edge_perception.contract.builder import SOURCE_FORMS
from test.docs.markdown import rows
from test.docs.markdown import section

GUIDE = (Path(__file__).resolve().parents[2] / 'plugins' / 'README.md').read_text('utf-8')
PARTS = {
    'detections.': Detections,
    'keypoints.': Keypoints,
    'classes.': Classes,
    'poses[].': ObjectPose,
}


def promised(kind: type) -> dict[str, str]:
    """Return dtype and, where it is said, shape of each field of a class, from its docstring."""
    text = inspect.getdoc(kind) or ''
    found = re.findall(r'^:param (\w+): ((?:u?int|float)\d+(?: \([\d, NK]+\))?)', text, re.M)
    return {each.name: dict(found).get(each.name, '') for each in fields(kind)}


def test_every_field_of_a_perception_has_its_dtype_and_shape() -> None:
    table = rows(section(GUIDE, 'Perception'))
    wanted = promised(Perception)
    for name, kind in PARTS.items():
        assert name.rstrip('.[]') in wanted
        wanted |= {f'{name}{field}': each for field, each in promised(kind).items()}
    del wanted['detections'], wanted['keypoints'], wanted['classes']
    assert set(table) == set(wanted)
    for name, array in wanted.items():
        assert table[name][0].startswith(array), name
    without = [name for name, array in wanted.items() if not array]
    others = ['detections.track_token', 'poses[].instance', 'poses[].alternatives']
    assert without == ['poses', 'extras', 'not_finite', *others], 'those that are no arrays'


def test_every_field_of_a_plan_and_every_source_form_is_explained() -> None:
    text = section(GUIDE, 'Builder')
    forms, _, plan = text.partition('The fields of the plan')
    assert set(rows(plan)) == {each.name for each in fields(BuildPlan)}
    assert set(SOURCE_FORMS) == set(rows(re.sub('^ +', '', forms, flags=re.M)))
