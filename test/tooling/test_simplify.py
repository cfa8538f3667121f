# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the offline tools say of packages that are not there."""

from __future__ import annotations

import sys

import pytest

from edge_perception.contract import BuildError
from edge_perception.tooling.building.simplify import library


@pytest.mark.parametrize(
    ('module', 'missing', 'install'),
    [
        ('onnxslim', 'onnxslim', 'onnx onnxslim onnxruntime'),
        ('pycocotools.coco', 'pycocotools', 'pycocotools'),
        ('onnxconverter_common.float16', 'onnxconverter_common', 'onnxconverter-common'),
    ],
)
def test_what_to_install_is_the_package_that_is_missing(monkeypatch, module, missing, install):
    for name in (missing, module):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BuildError) as raised:
        library(module)
    sentence = f'the Python package {missing} is missing; install it: pip install {install}'
    assert str(raised.value) == sentence
