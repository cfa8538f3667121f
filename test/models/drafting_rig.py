# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Drafts of models that are only described, for the tests of drafting."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_manifest
from edge_perception.contract import TensorSpec
from edge_perception.decoders import DECODERS
from edge_perception.models.drafting import Draft
from edge_perception.models.drafting import draft_manifest

CELLS = 8400  # of 640x640 pixels at strides 8, 16 and 32
IMAGE = (1, 3, 640, 640)
EXPORT = {
    'description': 'Ultralytics YOLO11n model trained on coco.yaml',
    'author': 'Ultralytics',
    'license': 'AGPL-3.0 License (https://ultralytics.com/license)',
    'stride': '32',
    'task': 'detect',
    'batch': '1',
    'imgsz': '[640, 640]',
    'names': "{0: 'person', 1: 'bicycle'}",
    'args': "{'batch': 1, 'half': False, 'nms': False}",
    'channels': '3',
}


def specs(*shapes, prefix: str = 'out', dtype: str = 'float32') -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(f'{prefix}{index}', tuple(shape), np.dtype(dtype))
        for index, shape in enumerate(shapes)
    )


def draft(*outputs, image=IMAGE, dtype='float32', **metadata) -> Draft:
    description = ModelDescription(
        inputs=specs(image, prefix='images', dtype=dtype),
        outputs=specs(*outputs, prefix='output'),
        metadata=metadata,
    )
    return draft_manifest(description, source='net.onnx', decoders=DECODERS)


def exported(*outputs, image=IMAGE, dtype='float32', **metadata) -> Draft:
    return draft(*outputs, image=image, dtype=dtype, **{**EXPORT, **metadata})


def complete(draft: Draft) -> ModelManifest:
    assert draft.unknown == ()
    return parse_manifest(draft.values, folder=Path(), subject='draft')
