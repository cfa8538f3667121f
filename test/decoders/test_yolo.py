# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The head of YOLOv8 to 11 on a network whose boxes are known, because they were painted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_perception.contract import DecodeError
from edge_perception.contract import DecoderMismatchError
from edge_perception.contract import ImageTransform
from edge_perception.contract import load_manifest
from edge_perception.contract import Selection
from edge_perception.contract import TensorSpec
from test.decoders.color_network import color_model
from test.decoders.color_network import COLORS
from test.decoders.color_network import LAYOUTS
from test.decoders.network import make_decoder
from test.decoders.network import Network

BGR = {'red': (0, 0, 255), 'green': (0, 255, 0), 'blue': (255, 0, 0)}
# Sizes of the source whose letterbox falls on whole cells; they are shrunk by 2, 2 and 4.
SOURCES = [(128, 128), (128, 64), (128, 256)]


def paint(width: int, height: int, *squares: tuple[str, int, int, int]) -> np.ndarray:
    """Return a black image (BGR) with squares: color, left, top, edge."""
    image = np.zeros((height, width, 3), np.uint8)
    for color, left, top, edge in squares:
        image[top : top + edge, left : left + edge] += np.array(BGR[color], np.uint8)
    return image


def shown(perception) -> list[tuple]:
    """Return class and box of each detection, whole pixels."""
    found = perception.detections
    boxes = np.rint(found.xyxy).astype(int).tolist()
    return [(COLORS[index], *box) for index, box in zip(found.class_id, boxes)]


@pytest.mark.parametrize('rotation', [0, 90, 180, 270])
@pytest.mark.parametrize('source', SOURCES)
@pytest.mark.parametrize('layout', LAYOUTS)
def test_every_layout_finds_the_painted_squares(layout, source, rotation, tmp_path):
    width, height = source
    # As large as a cell of stride 8 in the source, and where such a cell is.
    edge = 8 * max(source) // 64
    image = paint(*source, ('blue', edge, 2 * edge, edge), ('red', 3 * edge, edge, edge))
    network = Network(color_model(tmp_path / layout, layout=layout), rotation=rotation)
    found = network.perceive(image, Selection(score_threshold=0.9))
    assert sorted(shown(found)) == [
        ('blue', edge, 2 * edge, 2 * edge, 3 * edge),
        ('red', 3 * edge, edge, 4 * edge, 2 * edge),
    ]
    np.testing.assert_allclose(found.detections.score, 1, atol=1e-6)
    assert found.keypoints is None


@pytest.mark.parametrize('layout', LAYOUTS)
def test_keypoints_follow_their_objects(layout, tmp_path):
    network = Network(color_model(tmp_path, layout=layout, pose=True))
    assert network.decoder.tasks == {'detections', 'keypoints'}
    image = paint(128, 128, ('green', 32, 48, 16), ('red', 96, 16, 16))
    image[16:32, 96:112] //= 2
    found = network.perceive(image, Selection(score_threshold=0.4))
    assert shown(found) == [('green', 32, 48, 48, 64), ('red', 96, 16, 112, 32)]
    corners = [
        [[32, 48], [48, 48], [48, 64], [32, 64]],
        [[96, 16], [112, 16], [112, 32], [96, 32]],
    ]
    np.testing.assert_allclose(found.keypoints.xy, corners, atol=1e-3)
    np.testing.assert_allclose(
        found.keypoints.score, np.repeat(found.detections.score[:, None], 4, axis=1)
    )


def test_keypoints_of_a_camera_that_hangs_upside_down(tmp_path):
    network = Network(color_model(tmp_path, pose=True), rotation=180)
    found = network.perceive(paint(128, 128, ('red', 96, 16, 16)), Selection(0.9))
    # The network sees the picture upright: what is up for it is down in the source.
    corners = [[[112, 32], [96, 32], [96, 16], [112, 16]]]
    np.testing.assert_allclose(found.keypoints.xy, corners, atol=1e-3)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_coordinates_from_0_to_1(layout, tmp_path):
    options = {'box_units': 'normalized'}
    folder = color_model(tmp_path, layout=layout, pose=True, unit=64, options=options)
    found = Network(folder).perceive(paint(128, 64, ('blue', 80, 32, 16)), Selection(0.9))
    assert shown(found) == [('blue', 80, 32, 96, 48)]
    corners = [[[80, 32], [96, 32], [96, 48], [80, 48]]]
    np.testing.assert_allclose(found.keypoints.xy, corners, atol=1e-3)


def test_only_boxes_of_the_same_class_suppress_each_other(tmp_path):
    network = Network(color_model(tmp_path, box_scale=3))
    # Neighboring cells, boxes three cells wide: they overlap by half.
    selection = Selection(score_threshold=0.9, iou_threshold=0.45)
    same = network.perceive(paint(128, 128, ('red', 48, 48, 16), ('red', 64, 48, 16)), selection)
    assert shown(same) == [('red', 32, 32, 80, 80)]
    other = network.perceive(paint(128, 128, ('red', 48, 48, 16), ('blue', 64, 48, 16)), selection)
    assert sorted(shown(other)) == [('blue', 48, 32, 96, 80), ('red', 32, 32, 80, 80)]
    lenient = replace(selection, iou_threshold=0.55)
    both = network.perceive(paint(128, 128, ('red', 48, 48, 16), ('red', 64, 48, 16)), lenient)
    assert len(both.detections) == 2


def test_a_finished_list_was_suppressed_by_the_network(tmp_path):
    network = Network(color_model(tmp_path, layout='end_to_end', box_scale=3))
    found = network.perceive(
        paint(128, 128, ('red', 48, 48, 16), ('red', 64, 48, 16)),
        Selection(score_threshold=0.9, iou_threshold=0.1),
    )
    assert sorted(shown(found)) == [('red', 32, 32, 80, 80), ('red', 48, 32, 96, 80)]


@pytest.mark.parametrize('layout', LAYOUTS)
def test_an_object_that_may_be_two_things_is_one_object(layout, tmp_path):
    network = Network(color_model(tmp_path, layout=layout))
    found = network.perceive(
        paint(128, 128, ('red', 16, 16, 16), ('blue', 16, 16, 16)),
        Selection(score_threshold=0.9, iou_threshold=1),
    )
    assert shown(found) == [('red', 16, 16, 32, 32)]


@pytest.mark.parametrize('layout', LAYOUTS)
def test_selection(layout, tmp_path):
    network = Network(color_model(tmp_path, layout=layout, pose=True))
    image = paint(128, 128, ('red', 0, 0, 16), ('green', 32, 48, 16), ('blue', 96, 96, 16))
    image[48:64, 32:48] = image[48:64, 32:48] * 0.8
    image[96:112, 96:112] = image[96:112, 96:112] * 0.6
    every = network.perceive(image, Selection(score_threshold=0.5))
    assert [each[0] for each in shown(every)] == ['red', 'green', 'blue']
    assert every.detections.score.tolist() == pytest.approx([1, 0.8, 0.6], abs=0.01)
    two = network.perceive(image, Selection(score_threshold=0.5, max_detections=2))
    assert [each[0] for each in shown(two)] == ['red', 'green']
    some = Selection(score_threshold=0.5, class_ids=frozenset({2, 1}), max_detections=1)
    assert shown(network.perceive(image, some)) == [('green', 32, 48, 48, 64)]
    np.testing.assert_allclose(network.perceive(image, some).keypoints.xy[0, 0], [32, 48])
    nothing = network.perceive(image, Selection(score_threshold=0.5, class_ids=frozenset()))
    assert nothing.detections.xyxy.shape == (0, 4)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_an_empty_scene_has_no_objects(layout, tmp_path):
    network = Network(color_model(tmp_path, layout=layout, pose=True))
    found = network.perceive(paint(128, 128))
    assert found.detections.xyxy.shape == (0, 4)
    assert found.detections.score.shape == found.detections.class_id.shape == (0,)
    assert found.keypoints.xy.shape == (0, 4, 2)
    assert found.keypoints.score.shape == (0, 4)
    assert found.detections.xyxy.dtype == found.keypoints.xy.dtype == np.float32


def test_unused_rows_of_a_finished_list_are_no_objects_even_without_a_threshold(tmp_path):
    network = Network(color_model(tmp_path, layout='end_to_end'))
    found = network.perceive(paint(128, 128, ('red', 16, 16, 16)), Selection(score_threshold=0))
    # The cell, and the cells of strides 16 and 32 that it lies in.
    assert found.detections.score.tolist() == [1, 0.25, 0.0625]


@pytest.fixture
def manifest(tmp_path):
    """A manifest with an input of 64x64 and three labels."""
    return load_manifest(color_model(tmp_path) / 'model.yaml')


def bind(manifest, *shape: int, **options):
    manifest = replace(manifest, decoder_options=options)
    return make_decoder(manifest, TensorSpec('output', shape, np.dtype(np.float32)))


@pytest.mark.parametrize(
    'shape, layout, classes',
    [
        ((1, 7, 84), 'channels_first', 3),
        ((1, 84, 84), 'channels_first', 80),
        ((1, 84, 7), 'channels_last', 3),
        ((1, 84, 6), 'channels_last', 2),
        # P2 and P6 models have one stride more.
        ((1, 7, 340), 'channels_first', 3),
        ((1, 85, 7), 'channels_last', 3),
        # Sizes of the image that are known only at run time: three labels tell.
        ((-1, 7, -1), 'channels_first', 3),
        ((1, -1, 7), 'channels_last', 3),
        ((1, 300, 6), 'end_to_end', None),
        ((-1, -1, 6), 'end_to_end', None),
    ],
)
def test_layouts_are_told_apart_by_their_sizes(manifest, shape, layout, classes):
    decoder = bind(manifest, *shape)
    explicit = bind(manifest, *shape, layout=layout)
    assert decoder.class_count == explicit.class_count == classes
    sizes = [84 if size == -1 else size for size in shape]
    output = np.zeros([1, *sizes[1:]], np.float32)
    transform = ImageTransform(64, 64, 64, 64)
    found = [
        each.decode({'output': output}, transform=transform, selection=Selection())
        for each in (decoder, explicit)
    ]
    assert [len(each.detections) for each in found] == [0, 0]


@pytest.mark.parametrize(
    'shapes',
    [
        [],
        [(1, 7, 84), (1, 32, 16, 16)],
        [(7, 84)],
        [(2, 7, 84)],
        [(1, 4, 84)],
        [(1, 9, 100)],
        # Two classes or a finished row: the labels say two, the rows are unknown.
        [(1, -1, 8)],
    ],
)
def test_other_outputs_are_refused(manifest, shapes):
    specs = [TensorSpec(f'o{i}', shape, np.dtype(np.float32)) for i, shape in enumerate(shapes)]
    with pytest.raises(DecoderMismatchError) as caught:
        make_decoder(manifest, *specs)
    message = str(caught.value)
    got = ', '.join(f'{spec.name} {spec.describe()}' for spec in specs) or 'nothing'
    assert message.startswith(f"decoder 'yolo' of color: got outputs {got}, expected one output")
    # Beside prototypes there are coefficients.
    extra = ' + 32' if len(shapes) == 2 else ''
    assert f'1x(4 + classes{extra})x84' in message
    assert 'layout' in message


def test_a_row_of_six_is_ambiguous_with_two_labels(manifest):
    two = replace(manifest, labels=type(manifest.labels)(('cat', 'dog')))
    with pytest.raises(DecoderMismatchError, match='set the option layout'):
        bind(two, 1, -1, 6)
    assert bind(two, 1, -1, 6, layout='channels_last').class_count == 2
    assert bind(two, 1, -1, 6, layout='end_to_end').class_count is None


def test_more_or_fewer_labels_than_classes_are_no_error(manifest):
    assert bind(manifest, 1, 4 + 80, 84).class_count == 80
    assert bind(manifest, 1, 4 + 1, 84).class_count == 1


@pytest.mark.parametrize('number', [np.nan, np.inf])
def test_a_box_that_is_not_finite_is_an_error_and_not_an_empty_scene(manifest, number):
    decoder = bind(manifest, 1, 7, 84)
    output = np.zeros((1, 7, 84), np.float32)
    output[0, 5, 20] = 0.9
    output[0, 0, 20] = number
    with pytest.raises(DecodeError, match='not finite'):
        decoder.decode(
            {'output': output},
            transform=ImageTransform(64, 64, 64, 64),
            selection=Selection(score_threshold=0.5),
        )


@pytest.mark.parametrize('wanted', [None, frozenset({0})])
@pytest.mark.parametrize('number', [np.nan, np.inf, 1e12, 2.0**31, -1])
def test_a_class_that_is_none_is_an_error_and_not_the_first_label(manifest, number, wanted):
    output = np.zeros((1, 8, 6), np.float32)
    output[0, 0] = [1, 1, 30, 30, 0.9, number]
    with pytest.raises(DecodeError, match='the model gave class'):
        bind(manifest, *output.shape).decode(
            {'output': output},
            transform=ImageTransform(64, 64, 64, 64),
            selection=Selection(class_ids=wanted),
        )


@pytest.mark.parametrize('logit', [3.2, -6.5])
def test_a_network_without_its_sigmoid_is_an_error(manifest, logit):
    output = np.zeros((1, 7, 84), np.float32)
    output[0, 4:, 20] = [0.6, 0, logit]
    words = 'up to 3.2' if logit > 1 else 'down to -6.5'
    with pytest.raises(DecodeError, match=f'scores {words}, expected 0 to 1; export it with its'):
        bind(manifest, *output.shape).decode(
            {'output': output}, transform=ImageTransform(64, 64, 64, 64), selection=Selection()
        )


def test_a_keypoint_score_that_is_none_is_an_error(manifest):
    output = np.zeros((1, 7 + 3, 84), np.float32)
    output[0, :, 20] = [32, 32, 16, 8, 0, 0.5, 0, 10, 20, 6]
    with pytest.raises(DecodeError, match='scores up to 6, expected 0 to 1'):
        bind(replace(manifest, keypoint_names=('bow',)), *output.shape).decode(
            {'output': output}, transform=ImageTransform(64, 64, 64, 64), selection=Selection()
        )


def test_boxes_in_half_precision_keep_their_pixels(manifest):
    decoder = make_decoder(manifest, TensorSpec('output', (1, 7, 84), np.dtype(np.float16)))
    output = np.zeros((1, 7, 84), np.float16)
    output[0, :, 20] = [33.03125, 32, 15.9609375, 8, 0, 0.75, 0]
    # In a large source the half precision of the difference would be a quarter of a pixel.
    transform = ImageTransform(4096, 4096, 64, 64, scale_x=1 / 64, scale_y=1 / 64)
    found = decoder.decode({'output': output}, transform=transform, selection=Selection())
    assert found.detections.xyxy.tolist() == [[1603.25, 1792, 2624.75, 2304]]


@pytest.mark.parametrize('values, score', [(3, [0.25, 0.75]), (2, [0.5, 0.5])])
def test_keypoints_have_their_own_score_or_that_of_their_object(manifest, values, score):
    pose = replace(manifest, keypoint_names=('bow', 'stern'))
    decoder = bind(pose, 1, 7 + 2 * values, 84, keypoint_values=values)
    assert decoder.class_count == 3
    output = np.zeros((1, 7 + 2 * values, 84), np.float32)
    output[0, :7, 20] = [32, 32, 16, 8, 0, 0.5, 0]
    points = np.array([[10, 20, 0.25], [30, 40, 0.75]])[:, :values]
    output[0, 7:, 20] = points.reshape(-1)
    found = decoder.decode(
        {'output': output}, transform=ImageTransform(64, 64, 64, 64), selection=Selection()
    )
    assert found.keypoints.xy.tolist() == [[[10, 20], [30, 40]]]
    assert found.keypoints.score.tolist() == [score]


def test_rows_of_center_and_size_are_not_read_as_corners(manifest):
    output = np.zeros((1, 300, 6), np.float32)
    output[0, 0] = [48, 32, 16, 24, 0.9, 1]
    with pytest.raises(DecodeError, match='layout'):
        bind(manifest, *output.shape).decode(
            {'output': output}, transform=ImageTransform(64, 64, 64, 64), selection=Selection()
        )
