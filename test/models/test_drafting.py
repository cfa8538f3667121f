# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from edge_perception.contract import ManifestError
from edge_perception.contract import ModelDescription
from edge_perception.contract import parse_manifest
from edge_perception.contract import TensorSpec
from edge_perception.contract import UNANSWERED
from edge_perception.decoders import DECODERS
from edge_perception.decoders.detection.yolo import YoloDecoder
from edge_perception.models.drafting import draft_manifest
from test.models.drafting_rig import CELLS
from test.models.drafting_rig import complete
from test.models.drafting_rig import draft
from test.models.drafting_rig import EXPORT
from test.models.drafting_rig import exported
from test.models.drafting_rig import IMAGE
from test.models.drafting_rig import specs


def test_an_ultralytics_detector_needs_no_answers():
    manifest = complete(exported((1, 6, CELLS)))
    recipe = manifest.input
    assert (recipe.width, recipe.height, recipe.layout, recipe.color) == (640, 640, 'nchw', 'rgb')
    assert (recipe.resize, recipe.fill) == ('letterbox_center', 114)
    assert recipe.scale == pytest.approx(1 / 255)
    assert manifest.decoder == 'yolo'
    assert manifest.labels.names == ('person', 'bicycle')
    assert manifest.license.startswith('AGPL-3.0')
    assert manifest.description.startswith('Ultralytics YOLO11n')


@pytest.mark.parametrize(
    ('shape', 'metadata', 'layout'),
    [
        ((1, 6, CELLS), {}, 'channels_first'),
        ((1, CELLS, 6), {}, 'channels_last'),
        ((1, 300, 6), {'end2end': 'True'}, 'end_to_end'),
        ((1, 300, 6), {'args': "{'nms': True}"}, 'end_to_end'),
        ((1, 300, 6), {}, 'end_to_end'),  # YOLOv10, before there was a key for it
        ((-1, 6, -1), {}, 'channels_first'),  # exported with dynamic=True
    ],
)
def test_the_layout_of_the_output(shape, metadata, layout):
    assert complete(exported(shape, **metadata)).decoder_options['layout'] == layout


@pytest.mark.parametrize(
    ('shapes', 'metadata', 'options'),
    [
        ([(1, 38, CELLS), (1, 32, 160, 160)], {'task': 'segment'}, {'layout': 'channels_first'}),
        ([(1, 160, 160, 32), (1, 300, 38)], {'task': 'segment'}, {'layout': 'end_to_end'}),
        ([(1, 7, CELLS)], {'task': 'obb'}, {'layout': 'channels_first', 'rotated': True}),
        ([(1, 300, 7)], {'task': 'obb'}, {'layout': 'end_to_end', 'rotated': True}),
    ],
)
def test_masks_and_rotated_boxes_need_no_answers(shapes, metadata, options):
    manifest = complete(exported(*shapes, **metadata))
    assert (manifest.decoder, manifest.decoder_options) == ('yolo', options)


def test_metadata_gives_the_size_of_a_dynamic_input():
    manifest = complete(exported((-1, 6, -1), image=(-1, 3, -1, -1), imgsz='[384, 640]'))
    assert (manifest.input.height, manifest.input.width) == (384, 640)
    assert complete(exported((-1, 6, -1), image=(-1, 3, -1, -1), imgsz='320')).input.width == 320


def test_half_precision_and_gray_inputs():
    assert complete(exported((1, 6, CELLS), dtype='float16')).input.dtype == 'float16'
    gray = complete(exported((1, 6, CELLS), image=(1, 1, 640, 640), channels='1'))
    assert (gray.input.color, gray.input.channels) == ('gray', 1)


@pytest.mark.parametrize(('values', 'options'), [(3, {}), (2, {'keypoint_values': 2})])
def test_keypoints_of_a_pose_model(values, options):
    shape = (1, 4 + 1 + 17 * values, CELLS)
    pose = {'task': 'pose', 'names': "{0: 'person'}", 'kpt_shape': f'[17, {values}]'}
    manifest = complete(exported(shape, **pose))
    assert manifest.keypoint_names[:2] == ('nose', 'left_eye')
    assert len(manifest.skeleton) == 19
    assert manifest.decoder_options == {'layout': 'channels_first', **options}


def test_keypoints_without_and_with_names():
    pose = {'task': 'pose', 'kpt_shape': '[4, 3]'}
    assert complete(exported((1, 18, CELLS), **pose)).keypoint_names == (
        'kp0',
        'kp1',
        'kp2',
        'kp3',
    )
    named = complete(exported((1, 18, CELLS), **pose, kpt_names="{0: ['a', 'b', 'c', 'd']}"))
    assert named.keypoint_names == ('a', 'b', 'c', 'd')
    assert named.skeleton == ()


def test_a_classifier_sees_the_center_as_it_was_trained():
    manifest = complete(exported((1, 2), image=(1, 3, 224, 224), task='classify'))
    recipe = manifest.input
    assert (manifest.decoder, recipe.resize) == ('classifier', 'center_crop')
    assert recipe.interpolation == 'area'


MODEL_INFO = {
    'model_type': 'YOLO',
    'labels': 'person traffic_light',
    'pad_value': '114',
    'resize_type': 'fit_to_window_letterbox',
    'reverse_input_channels': 'YES',
    'scale_values': '255',
}


def test_what_an_ir_says_of_itself_is_enough():
    manifest = complete(draft((1, 6, CELLS), **MODEL_INFO))
    assert manifest.labels.names == ('person', 'traffic light')
    recipe = manifest.input
    assert (recipe.color, recipe.resize, recipe.fill) == ('rgb', 'letterbox_center', 114)
    assert recipe.scale == pytest.approx(1 / 255)


@pytest.mark.parametrize(
    ('shape', 'changes'),
    [
        ((1, 6, CELLS), {'scale_values': '1'}),
        ((1, 6, CELLS), {'resize_type': 'standard'}),
        ((1, 6, CELLS), {'reverse_input_channels': 'NO'}),
        ((1, 9, CELLS), {}),  # with keypoints, or masks
    ],
)
def test_an_ir_that_says_something_else_is_asked_about(shape, changes):
    assert draft(shape, **{**MODEL_INFO, **changes}).unknown


@pytest.mark.parametrize(
    ('image', 'units'), [((1, 3, 640, 640), 'pixels'), ((1, 640, 640, 3), 'normalized')]
)
@pytest.mark.parametrize('metadata', [{**EXPORT, 'end2end': 'True'}, {}])
def test_finished_rows_of_tflite_with_channels_first_are_pixels(image, units, metadata):
    description = ModelDescription(
        inputs=specs(image, prefix='images'),
        outputs=specs((1, 300, 6), prefix='output'),
        metadata=metadata,
    )
    made = draft_manifest(description, source='net.tflite', decoders=[YoloDecoder])
    options = made.values['decoder'].get('options', {})
    assert options.get('box_units', 'pixels') == units


@pytest.mark.parametrize(
    ('shape', 'metadata', 'said'),
    [
        ((1, 7, CELLS), {}, 'is not what 2 classes and 0 keypoints give'),
        ((1, 300, 6 + 80), {}, 'is not what 2 classes'),  # RT-DETR: boxes from 0 to 1
        ((1, 6, 100), {}, 'is not what 2 classes'),
        ((1, 18, CELLS), {'task': 'pose', 'kpt_shape': '(a, b)'}, 'kpt_shape'),
        ((1, 6, CELLS), {'names': '{0: 1, 2: 3}'}, 'the class names'),
        ((1, 38, CELLS), {'task': 'segment'}, 'is not what 2 classes'),  # without prototypes
        ((1, 6, CELLS), {'task': 'obb'}, 'is not what 2 classes'),  # without an angle
        ((1, 5), {'task': 'classify'}, 'is not what 2 classes'),
        ((1, 6, CELLS), {'dtype': 'uint8'}, 'scale, mean and std'),
    ],
)
def test_what_an_export_leaves_open_is_said(shape, metadata, said):
    made = exported(shape, **metadata)
    assert said in '; '.join(made.unknown)
    assert UNANSWERED in repr(made.values)
    assert made.unsupported == ()


@pytest.mark.parametrize(
    ('shape', 'metadata', 'image', 'said'),
    [
        ((1, 1, 640, 640), {'task': 'depth'}, IMAGE, "the task 'depth'"),
        ((4, 6, CELLS), {}, (4, 3, 640, 640), 'a batch size of 1'),
        ((1, 6, CELLS), {'channels': '4'}, (1, 4, 640, 640), 'an input of 4 channels'),
    ],
)
def test_what_no_manifest_can_help_with_is_no_question(shape, metadata, image, said):
    (sentence,) = exported(shape, image=image, **metadata).unsupported
    assert said in sentence


def test_a_family_without_a_decoder_is_refused_by_its_name():
    outputs = [TensorSpec(name, (1, 1), np.dtype('f4')) for name in ('angle_y_fc', 'angle_p_fc')]
    description = ModelDescription(specs(IMAGE, prefix='data'), tuple(outputs))
    made = draft_manifest(description, source='head.xml', decoders=DECODERS)
    assert 'head-pose-estimation' in made.unsupported[0]


def test_without_metadata_the_tensor_answers_what_it_can():
    made = draft((1, 1000), image=(1, 224, 192, 3), dtype='uint8')
    recipe = made.values['input']
    assert [recipe[key] for key in ('width', 'height', 'layout', 'dtype')] == [
        192,
        224,
        'nhwc',
        'uint8',
    ]
    assert {key for key, value in recipe.items() if value == UNANSWERED} == {
        'color',
        'scale',
        'mean',
        'std',
        'resize',
        'fill',
    }
    said = '; '.join(made.unknown)
    for what in ('the color order', 'scale, mean and std', 'resized', 'delete the line fill'):
        assert what in said


def test_names_of_classes_may_stay_open():
    made = draft((1, 1000))
    assert made.optional == (
        'the class names (there are 1000); without them results carry numbers',
    )
    assert 'class names' not in '; '.join(made.unknown)
    assert exported((1, 6, CELLS)).optional == ()


def test_inputs_that_are_no_single_image():
    two = ModelDescription(
        inputs=specs(IMAGE, IMAGE, prefix='in'), outputs=specs((1, 10), prefix='out')
    )
    made = draft_manifest(two, source='a.onnx', decoders=DECODERS)
    assert 'which input takes the image' in made.unknown[0]
    beside = ModelDescription(
        inputs=specs(IMAGE, (1, 2), prefix='in'), outputs=specs((1, 10), prefix='out')
    )
    made = draft_manifest(beside, source='a.onnx', decoders=DECODERS)
    assert made.values['input']['name'] == 'in0'
    assert 'inputs beside in0' in made.unsupported[0]
    nothing = draft_manifest(ModelDescription(inputs=(), outputs=()), source='', decoders=DECODERS)
    assert nothing.unknown


literals = st.one_of(
    st.text(max_size=40),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.integers(), inner, max_size=4)
        ),
        max_leaves=8,
    ).map(repr),
    st.sampled_from(
        ['[' * 5000, '{' * 500, "'\\d'", '1' * 5000, '-' * 5000 + '1', '\0', 'a.b', '[640, 640]']
    ),
)
KEYS = [
    'names',
    'stride',
    'imgsz',
    'channels',
    'kpt_shape',
    'kpt_names',
    'end2end',
    'args',
    'license',
    'description',
]
metadata = st.fixed_dictionaries(
    {'task': st.sampled_from(['detect', 'pose', 'classify', 'segment', '']) | st.text(max_size=8)},
    optional=dict.fromkeys(KEYS, literals),
)
shapes = st.lists(
    st.lists(st.sampled_from([-1, 1, 2, 3, 4, 6, 17, 84, 300, 640, CELLS]), max_size=5), max_size=4
)


@settings(max_examples=300, deadline=None)
@given(metadata=metadata, inputs=shapes, outputs=shapes)
@example(metadata={**EXPORT, 'names': '{' + '0: 1, ' * 9}, inputs=[IMAGE], outputs=[(1, 6, CELLS)])
def test_whatever_is_in_a_file_a_draft_is_made_of_it(metadata, inputs, outputs):
    """A draft is complete and loads, or says what it lacks and is refused until that is there."""
    description = ModelDescription(
        inputs=specs(*inputs, prefix='in'),
        outputs=specs(*outputs, prefix='out'),
        metadata=metadata,
    )
    made = draft_manifest(description, source='net.onnx', decoders=DECODERS)
    if not made.unknown and not made.unsupported:
        parse_manifest(made.values, folder=Path(), subject='draft')
    if UNANSWERED in made.values['input'].values():
        assert made.unknown or made.unsupported
        with pytest.raises(ManifestError):
            parse_manifest(made.values, folder=Path(), subject='draft')
