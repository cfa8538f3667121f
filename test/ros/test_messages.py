# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

from builtin_interfaces.msg import Time
import numpy as np
import pytest
from rclpy.serialization import deserialize_message
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from edge_perception.contract import Classes
from edge_perception.contract import Detections
from edge_perception.contract import InputRecipe
from edge_perception.contract import Keypoints
from edge_perception.contract import LabelMap
from edge_perception.contract import ModelManifest
from edge_perception.ros.input.raw_images import image_to_frame
from edge_perception.ros.output import result_messages as messages
from edge_perception.simulation.nodes import readback

HEADER = Header(stamp=Time(sec=12, nanosec=345), frame_id='camera_optical_frame')
LABELS = LabelMap(('person', 'bicycle', 'car'))
TWO_OBJECTS = Detections(
    xyxy=np.array([[10, 20, 50, 100], [-4.5, 0, 3.25, 8]], np.float32),
    score=np.array([0.75, 0.5], np.float32),
    class_id=np.array([2, 0], np.int32),
)


def over_the_wire(message):
    """Return what a subscriber gets."""
    return deserialize_message(serialize_message(message), type(message))


def test_boxes_are_centers_and_sizes_in_source_pixels():
    message = over_the_wire(messages.detections_message(TWO_OBJECTS, header=HEADER, labels=LABELS))
    boxes = [detection.bbox for detection in message.detections]
    assert [(box.center.position.x, box.center.position.y) for box in boxes] == [
        (30.0, 60.0),
        (-0.625, 4.0),
    ]
    assert [(box.size_x, box.size_y) for box in boxes] == [(40.0, 80.0), (7.75, 8.0)]
    assert [box.center.theta for box in boxes] == [0.0, 0.0]


def test_a_rotated_box_has_its_own_size_and_an_angle():
    rotated = np.array([[30, 60, 70, 20, 0.5], [-1, 4, 8, 7, 0]], np.float32)
    message = messages.detections_message(
        replace(TWO_OBJECTS, rotated=rotated), header=HEADER, labels=LABELS
    )
    box = over_the_wire(message).detections[0].bbox
    assert (box.size_x, box.size_y, box.center.theta) == (70, 20, 0.5)
    # The upright box around it, as scores are counted with.
    around = readback.perception({'detections': message}, labels=LABELS).detections.xyxy[0]
    half_x, half_y = 35 * np.cos(0.5) + 10 * np.sin(0.5), 35 * np.sin(0.5) + 10 * np.cos(0.5)
    np.testing.assert_allclose(around, [30 - half_x, 60 - half_y, 30 + half_x, 60 + half_y])


def test_every_header_is_that_of_the_image():
    message = messages.detections_message(TWO_OBJECTS, header=HEADER, labels=LABELS)
    message = over_the_wire(message)
    assert message.header == HEADER
    assert [detection.header for detection in message.detections] == [HEADER, HEADER]


@pytest.mark.parametrize(
    ('class_id_format', 'expected'), [('name', ['car', 'person']), ('index', ['2', '0'])]
)
def test_classes_are_names_or_indices(class_id_format, expected):
    message = over_the_wire(
        messages.detections_message(
            TWO_OBJECTS, header=HEADER, labels=LABELS, class_id_format=class_id_format
        )
    )
    results = [detection.results for detection in message.detections]
    assert [len(each) for each in results] == [1, 1]
    assert [each[0].hypothesis.class_id for each in results] == expected
    assert [each[0].hypothesis.score for each in results] == [0.75, 0.5]


def test_a_class_without_a_name_is_its_index():
    message = messages.detections_message(TWO_OBJECTS, header=HEADER, labels=LabelMap(('person',)))
    names = [detection.results[0].hypothesis.class_id for detection in message.detections]
    assert names == ['2', 'person']


def test_an_id_is_given_only_to_what_is_tracked():
    untracked = messages.detections_message(TWO_OBJECTS, header=HEADER, labels=LABELS)
    tracked = messages.detections_message(
        Detections(
            xyxy=TWO_OBJECTS.xyxy,
            score=TWO_OBJECTS.score,
            class_id=TWO_OBJECTS.class_id,
            track_id=np.array([17, 4], np.int32),
        ),
        header=HEADER,
        labels=LABELS,
    )
    assert [detection.id for detection in untracked.detections] == ['', '']
    assert [detection.id for detection in tracked.detections] == ['17', '4']


def test_nothing_seen_is_an_empty_array_with_the_header_of_the_image():
    nothing = Keypoints(xy=np.zeros((0, 3, 2), np.float32), score=np.zeros((0, 3), np.float32))
    for message in (
        messages.detections_message(Detections.empty(), header=HEADER, labels=LABELS),
        messages.keypoints_message(nothing, header=HEADER, names=('a', 'b', 'c')),
    ):
        received = over_the_wire(message)
        assert received.header == HEADER
        assert list(received.detections) == []


def test_keypoints_come_instance_by_instance_in_manifest_order():
    xy = np.array([[[1, 2], [3, 4.5]], [[5, 6], [7, 8]]], np.float32)
    score = np.array([[0.25, 0.5], [0.75, 1.0]], np.float32)
    message = over_the_wire(
        messages.keypoints_message(Keypoints(xy, score), header=HEADER, names=('nose', 'tail'))
    )
    assert message.header == HEADER
    points = [
        (
            point.id,
            point.results[0].hypothesis.class_id,
            point.results[0].hypothesis.score,
            point.bbox.center.position.x,
            point.bbox.center.position.y,
            point.bbox.size_x,
            point.bbox.size_y,
        )
        for point in message.detections
    ]
    assert points == [
        ('0', 'nose', 0.25, 1.0, 2.0, 0.0, 0.0),
        ('0', 'tail', 0.5, 3.0, 4.5, 0.0, 0.0),
        ('1', 'nose', 0.75, 5.0, 6.0, 0.0, 0.0),
        ('1', 'tail', 1.0, 7.0, 8.0, 0.0, 0.0),
    ]


def test_an_unseen_keypoint_keeps_its_place_with_score_zero_and_no_position():
    xy = np.array([[[np.nan, np.nan], [3, 4]]], np.float32)
    score = np.array([[0.0, 0.5]], np.float32)
    message = over_the_wire(
        messages.keypoints_message(Keypoints(xy, score), header=HEADER, names=('nose', 'tail'))
    )
    unseen, seen = message.detections
    assert unseen.results[0].hypothesis.class_id == 'nose'
    assert unseen.results[0].hypothesis.score == 0.0
    assert np.isnan([unseen.bbox.center.position.x, unseen.bbox.center.position.y]).all()
    assert (seen.bbox.center.position.x, seen.bbox.center.position.y) == (3.0, 4.0)


def test_keypoints_without_names_are_numbered():
    keypoints = Keypoints(np.ones((1, 2, 2), np.float32), np.ones((1, 2), np.float32))
    message = messages.keypoints_message(keypoints, header=HEADER, names=())
    names = [point.results[0].hypothesis.class_id for point in message.detections]
    assert names == ['0', '1']


@pytest.mark.parametrize(
    ('class_id_format', 'expected'), [('name', ['bicycle', 'person']), ('index', ['1', '0'])]
)
def test_a_classification_lists_the_classes(class_id_format, expected):
    classes = Classes(
        class_id=np.array([1, 0], np.int32), score=np.array([0.875, 0.125], np.float32)
    )
    message = over_the_wire(
        messages.classification_message(
            classes, header=HEADER, labels=LABELS, class_id_format=class_id_format
        )
    )
    assert message.header == HEADER
    assert [result.class_id for result in message.results] == expected
    assert [result.score for result in message.results] == [0.875, 0.125]


@pytest.mark.parametrize('sliced', [False, True])
def test_a_mask_is_an_image_that_our_own_reader_gives_back(sliced):
    mask = np.random.default_rng(1).integers(0, 21, (30, 40), np.uint8)
    if sliced:
        mask = mask[::2, 3:33]
    message = over_the_wire(messages.segmentation_message(mask, header=HEADER))
    assert message.header == HEADER
    assert (message.encoding, message.width, message.height, message.step) == (
        'mono8',
        mask.shape[1],
        mask.shape[0],
        mask.shape[1],
    )
    assert bytes(message.data) == mask.tobytes()
    np.testing.assert_array_equal(image_to_frame(message).image, mask)


def test_label_info_gives_the_index_of_each_name():
    message = over_the_wire(
        messages.label_info_message(LABELS, header=HEADER, threshold=np.float32(0.25))
    )
    assert message.header == HEADER
    assert message.threshold == 0.25
    assert [(each.class_id, each.class_name) for each in message.class_map] == [
        (0, 'person'),
        (1, 'bicycle'),
        (2, 'car'),
    ]


def test_vision_info_names_the_model_and_where_its_labels_are():
    manifest = ModelManifest(
        name='yolox_nano', source='model.onnx', input=InputRecipe(416, 416), decoder='yolox'
    )
    message = over_the_wire(
        messages.vision_info_message(manifest, header=HEADER, label_topic='/perception/label_info')
    )
    assert message.header == HEADER
    assert message.method == 'yolox_nano'
    assert message.database_location == '/perception/label_info'
