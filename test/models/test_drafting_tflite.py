# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Manifests drafted from the metadata of TFLite files."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from edge_perception.contract import ManifestError
from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_manifest
from edge_perception.contract import Quantization
from edge_perception.contract import TensorSpec
from edge_perception.contract import UNANSWERED
from edge_perception.decoders import DECODERS
from edge_perception.models.drafting import Draft
from edge_perception.models.drafting import draft_manifest

IMAGE = (1, 224, 224, 3)
SSD = ((1, 10, 4), (1, 10), (1, 10), (1,))
INPUT = {'content': 'image', 'color': 'rgb', 'mean': [127.5], 'std': [127.5]}
BOXES = {
    'content': 'boxes',
    'box_type': 'corners',
    'box_order': [1, 0, 3, 2],
    'box_units': 'normalized',
}
CLASSES = {'value_labels': ['cat', 'dog', '']}
EXPORT = {
    'task': 'detect',
    'stride': '32',
    'names': "{0: 'person', 1: 'bicycle'}",
    'imgsz': '[640, 640]',
}


def draft(
    metadata, *outputs, image=IMAGE, dtype='float32', quantization=None, source='net.tflite'
) -> Draft:
    description = ModelDescription(
        inputs=(TensorSpec('image', image, np.dtype(dtype), quantization),),
        outputs=tuple(
            TensorSpec(f'out{index}', shape, np.dtype('float32'))
            for index, shape in enumerate(outputs)
        ),
        metadata=metadata,
    )
    return draft_manifest(description, source=source, decoders=DECODERS)


def said(*outputs, image=INPUT, **more) -> dict[str, str]:
    values = {'inputs': [image], 'outputs': list(outputs), **more}
    return {'tflite_metadata': json.dumps(values)}


def complete(made: Draft) -> ModelManifest:
    assert made.unknown == ()
    return parse_manifest(made.values, folder=Path(), subject='draft')


def test_a_classifier_needs_no_answers():
    labels = {'labels': [f'class {index}' for index in range(1000)]}
    metadata = said(labels, description='A  net', license='Apache-2.0')
    manifest = complete(draft(metadata, (1, 1000)))
    recipe = manifest.input
    assert (recipe.layout, recipe.color, recipe.resize) == ('nhwc', 'rgb', 'stretch')
    assert (recipe.mean, recipe.std) == ((127.5,) * 3, (127.5,) * 3)
    assert manifest.decoder == 'classifier'
    assert len(manifest.labels) == 1000
    assert (manifest.description, manifest.license) == ('A net', 'Apache-2.0')


def test_bytes_are_not_normalized_whatever_the_metadata_says():
    quantization = Quantization(1 / 128, 128)
    recipe = complete(
        draft(said({'labels': ['a', 'b']}), (1, 2), dtype='uint8', quantization=quantization)
    ).input
    assert (recipe.dtype, recipe.mean, recipe.std) == ('uint8', (0.0,) * 3, (1.0,) * 3)


def test_signed_bytes_are_normalized_and_then_quantized():
    quantization = Quantization(1 / 128, -1)
    recipe = complete(
        draft(said({'labels': ['a', 'b']}), (1, 2), dtype='int8', quantization=quantization)
    ).input
    assert (recipe.dtype, recipe.mean) == ('float32', (127.5,) * 3)


@pytest.mark.parametrize(
    ('outputs', 'shapes', 'order'),
    [
        ((BOXES, CLASSES, {}, {}), SSD, 'boxes_classes_scores'),
        ((BOXES, {}, CLASSES, {}), SSD, 'scores_boxes_classes'),
        (
            ({}, BOXES, {}, CLASSES),
            ((1, 10), (1, 10, 4), (1,), (1, 10)),
            'scores_boxes_classes',
        ),
    ],
)
def test_ssd_with_its_outputs_in_any_order(outputs, shapes, order):
    manifest = complete(draft(said(*outputs), *shapes, dtype='uint8'))
    assert manifest.decoder == 'ssd'
    assert manifest.decoder_options == {'order': order}
    assert manifest.labels.names == ('cat', 'dog')


@pytest.mark.parametrize(
    ('boxes', 'decoder'),
    [
        ({}, 'ssd'),
        ({**BOXES, 'box_order': [0, 1, 2, 3]}, UNANSWERED),
        ({**BOXES, 'box_type': 'center'}, UNANSWERED),
        ({**BOXES, 'box_units': 'pixels'}, UNANSWERED),
    ],
)
def test_boxes_that_the_decoder_would_misread_are_an_open_question(boxes, decoder):
    made = draft(said(boxes, CLASSES, {}, {}), *SSD, dtype='uint8')
    assert 'how the outputs are decoded' in '; '.join(made.unknown)
    assert made.values['decoder'] == {'name': decoder}
    assert made.values['labels'] == ['cat', 'dog']


def test_calibration_and_threshold_reach_the_decoder():
    scores = {
        'calibration': ['1,2,3', ''],
        'transform': 'inverse_logistic',
        'default_score': 0.1,
        'score_threshold': 0.4,
    }
    manifest = complete(draft(said(BOXES, CLASSES, scores, {}), *SSD, dtype='uint8'))
    assert manifest.decoder_options == {
        'order': 'boxes_classes_scores',
        'calibration': ['1,2,3', ''],
        'calibration_transform': 'inverse_logistic',
        'calibration_default': 0.1,
    }
    assert manifest.selection.score_threshold == 0.4


def test_a_segmentation_with_labels():
    labels = {'content': 'image', 'labels': ['a', 'b', 'c']}
    assert complete(draft(said(labels), (1, 224, 224, 3))).decoder == 'segmentation'


def test_an_open_input_takes_the_usual_size():
    image = {**INPUT, 'size': [320, 240]}
    metadata = said({'labels': ['a', 'b']}, image=image)
    recipe = complete(draft(metadata, (1, 2), image=(1, -1, -1, 3))).input
    assert (recipe.width, recipe.height) == (320, 240)


@pytest.mark.parametrize(
    ('image', 'question'),
    [
        ({**INPUT, 'color': ''}, 'the color order'),
        ({'color': 'rgb'}, 'scale, mean and std'),
        ({**INPUT, 'mean': [1, 2]}, 'scale, mean and std'),
        ({**INPUT, 'std': [0]}, 'scale, mean and std'),
    ],
)
def test_what_metadata_leaves_open_is_asked(image, question):
    made = draft(said({'labels': ['a', 'b']}, image=image), (1, 2))
    assert any(question in each for each in made.unknown)


def test_without_labels_the_decoder_stays_a_guess():
    made = draft(said({}), (1, 2))
    assert "the decoder 'classifier' is a guess" in '; '.join(made.unknown)
    assert 'the class names (there are 2)' in '; '.join(made.optional)


def test_damaged_metadata_is_said_and_the_rest_is_drafted():
    made = draft({'metadata_problem': 'ValueError: too long'}, (1, 2))
    assert made.unknown[0] == 'what its metadata says, which is damaged: ValueError: too long'
    assert made.values['decoder'] == {'name': 'classifier'}


def test_boxes_of_ultralytics_exports_run_from_0_to_1_in_this_format_only():
    shape = (1, 6, 8400)
    image = (1, 640, 640, 3)
    options = {'layout': 'channels_first', 'box_units': 'normalized'}
    assert complete(draft(EXPORT, shape, image=image)).decoder_options == options
    other = complete(draft(EXPORT, shape, image=image, source='net.onnx'))
    assert other.decoder_options == {'layout': 'channels_first'}


@pytest.mark.parametrize(
    ('image', 'shape', 'units'),
    [
        ((1, 640, 640, 3), (1, 300, 6), 'normalized'),
        ((1, 3, 640, 640), (1, 300, 6), None),
        ((1, 3, 640, 640), (1, 6, 8400), 'normalized'),
    ],
)
def test_finished_rows_of_nchw_exports_are_in_pixels(image, shape, units):
    export = {**EXPORT, 'end2end': str(shape == (1, 300, 6))}
    assert complete(draft(export, shape, image=image)).decoder_options.get('box_units') == units


def test_a_quantized_export_of_ultralytics_is_fed_in_real_numbers():
    quantization = Quantization(1 / 255, -128)
    made = draft(
        EXPORT, (1, 6, 8400), image=(1, 640, 640, 3), dtype='int8', quantization=quantization
    )
    recipe = complete(made).input
    assert (recipe.dtype, recipe.layout) == ('float32', 'nhwc')
    assert recipe.scale == pytest.approx(1 / 255)


KEYS = [
    *('color', 'mean', 'std', 'size', 'labels', 'value_labels', 'calibration', 'transform'),
    *('default_score', 'score_threshold', 'content', 'box_type', 'box_order', 'box_units'),
]
words = st.sampled_from(['rgb', 'gray', 'image', 'corners', 'normalized', 'a', ''])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=2),
    max_leaves=6,
)
tensors = st.dictionaries(st.sampled_from(KEYS), values, max_size=8) | values
documents = st.fixed_dictionaries(
    {'inputs': st.lists(tensors, max_size=2) | values, 'outputs': st.lists(tensors, max_size=4)},
    optional={'description': values, 'license': values},
)
shapes = st.sampled_from([SSD, ((1, 3),), ((1, 224, 224, 3),), ((1, 1, 17, 3),), ((-1,),), ()])


@settings(max_examples=300, deadline=None)
@given(
    document=documents | values,
    outputs=shapes,
    image=st.sampled_from([IMAGE, (1, -1, -1, -1), (1, 1, 8, 8)]),
    dtype=st.sampled_from(['float32', 'uint8', 'int8', 'int64']),
)
def test_whatever_metadata_holds_a_draft_is_made_of_it(document, outputs, image, dtype):
    made = draft({'tflite_metadata': json.dumps(document)}, *outputs, image=image, dtype=dtype)
    if not made.unknown and not made.unsupported:
        parse_manifest(made.values, folder=Path(), subject='draft')
    if UNANSWERED in made.values['input'].values():
        assert made.unknown or made.unsupported
        with pytest.raises(ManifestError):
            parse_manifest(made.values, folder=Path(), subject='draft')
