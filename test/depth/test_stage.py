# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the stage takes for a depth image of a frame, what it refuses, and in which words."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge_perception.contract import Calibration
from edge_perception.contract import FrameTransform
from edge_perception.contract import OptionError
from edge_perception.depth import DepthStage
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.stages import in_order
from edge_perception.models.stages import make_stage
from edge_perception.testing import FakeDecoder
from test.depth.rgbd import CALIBRATION
from test.depth.rgbd import depth_image
from test.depth.rgbd import FRAME_ID
from test.depth.rgbd import fronts
from test.depth.rgbd import HEIGHT
from test.depth.rgbd import inputs_of
from test.depth.rgbd import K
from test.depth.rgbd import look
from test.depth.rgbd import MANIFEST
from test.depth.rgbd import measure
from test.depth.rgbd import stage_of
from test.depth.rgbd import STAMP
from test.depth.rgbd import WIDTH
from test.support.stage_rig import stage_type

BOX = [300, 200, 400, 300]
WALL = look(wall=2.0)
# Barrel distortion that moves the corner of the image by about 30 pixels.
LENS = (-0.15, 0.03, 0.0, 0.0, 0.0)
MS = 1_000_000


def refused(stage, inputs) -> str:
    """Return the words; the detections stay, and nothing is said of space."""
    perception = stage.run(inputs)
    assert perception is inputs.perception
    (reason,) = (name for name, count in stage.counts.items() if count)
    assert stage.problem
    return reason


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'stamp_ns': STAMP + 17 * MS}, 'out_of_sync'),
        ({'stamp_ns': STAMP - 200 * MS}, 'out_of_sync'),
        ({'frame_id': 'camera_depth_optical_frame'}, 'not_aligned'),
        ({'encoding': 'mono8'}, 'no_image'),
    ],
)
def test_a_depth_image_that_does_not_belong_to_the_image_is_refused(changes, reason):
    depth = replace(depth_image(WALL.z), **changes)
    stage = stage_of()
    assert refused(stage, inputs_of([BOX], depth)) == reason
    stage.run(inputs_of([BOX], depth_image(WALL.z)))
    assert not stage.problem and stage.counts['measured'] == 1


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'images': {}}, 'no_image'),
        ({'calibration': None}, 'no_calibration'),
        ({'calibration': replace(CALIBRATION, k=(0.0,) * 9)}, 'no_calibration'),
        ({'calibration': replace(CALIBRATION, width=640, height=360)}, 'no_calibration'),
        ({'images': {'depth': depth_image(WALL.z[:360])}}, 'not_aligned'),
    ],
)
def test_what_is_missing_is_said(changes, reason):
    assert refused(stage_of(), inputs_of([BOX], depth_image(WALL.z), **changes)) == reason


def test_limits_have_a_way_out():
    far_off = depth_image(WALL.z, stamp_ns=STAMP + 90 * MS)
    assert len(measure([BOX], far_off, max_offset_ms=100.0)) == 1
    other = depth_image(WALL.z, frame_id='left')
    assert len(measure([BOX], other, check_frame=False)) == 1
    assert len(measure([BOX], depth_image(WALL.z, frame_id='/' + FRAME_ID))) == 1


@pytest.mark.parametrize(
    ('image_ms', 'depth_ms', 'offset_ms', 'taken'),
    [(33, 33, 16, True), (33, 200, 20, False), (100, 33, 20, False), (100, 100, 49, True)],
)
def test_the_limit_is_half_of_the_shorter_period(image_ms, depth_ms, offset_ms, taken):
    stage = stage_of()
    for number in range(4):
        stamp = STAMP + number * image_ms * MS
        depth = depth_image(
            WALL.z,
            stamp_ns=stamp + (offset_ms if number == 3 else 0) * MS,
            period_ns=depth_ms * MS,
        )
        inputs = inputs_of([BOX], depth)
        stage.run(replace(inputs, frame=replace(inputs.frame, stamp_ns=stamp)))
    assert stage.counts['measured'] == 3 + taken and stage.counts['out_of_sync'] == 1 - taken


@pytest.mark.parametrize(
    ('encoding', 'pixels', 'scale'),
    [('32FC1', WALL.z * 1000, 0.001), ('16UC1', WALL.z * 10, 0.0001)],
)
def test_other_units_are_said_and_can_be_set(encoding, pixels, scale):
    depth = depth_image(pixels, encoding)
    assert fronts(measure([BOX], depth, depth_scale=scale))[0] == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize(
    ('encoding', 'pixels', 'scale'),
    [('32FC1', WALL.z * 1000, 0.0), ('16UC1', WALL.z, 1.0), ('32FC1', WALL.z, 0.001)],
)
def test_millimeters_taken_for_meters_are_said(encoding, pixels, scale):
    stage = stage_of(depth_scale=scale)
    got = stage.run(inputs_of([BOX], depth_image(pixels, encoding)))
    assert not len(got.extras['detections_3d']) and 'depth_scale' in stage.problem


def test_a_size_that_changes_in_flight_is_measured_at_once():
    stage = stage_of()
    for scale in (1.0, 0.5, 1.0):
        got = stage.run(inputs_of([BOX], depth_image(look(wall=2.0, scale=scale).z)))
        assert got.extras['detections_3d'].center[0, 2] == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize(
    ('image_rectified', 'options'),
    [
        (False, {'depth_topic': 'depth/image_rect'}),
        (False, {'depth_rectified': True}),
        (True, {'depth_rectified': True}),
        (True, {}),
        (False, {}),
    ],
)
def test_boxes_are_where_the_lens_of_the_depth_image_puts_them(image_rectified, options):
    # A square of 0.3 m at 2 m near the corner, before a wall at 4 m.
    camera = np.array(K).reshape(3, 3)
    corners = np.array([[0.75, 0.5, 2], [1.05, 0.5, 2], [1.05, 0.8, 2], [0.75, 0.8, 2]])
    bent, _ = cv2.projectPoints(corners, np.zeros(3), np.zeros(3), camera, np.array(LENS))
    straight, _ = cv2.projectPoints(corners, np.zeros(3), np.zeros(3), camera, np.zeros(5))
    bent, straight = bent[:, 0] + 0.5, straight[:, 0] + 0.5
    depth_is_straight = image_rectified or bool(options)
    z = np.full((HEIGHT, WIDTH), 4.0)
    outline = straight if depth_is_straight else bent
    cv2.fillPoly(z, [np.round(outline - 0.5).astype(np.int32)], 2.0)
    seen = straight if image_rectified else bent
    p = (*K[:3], 0.0, *K[3:6], 0.0, *K[6:], 0.0)
    calibration = Calibration(WIDTH, HEIGHT, K, LENS, p, rectified=image_rectified)
    box = [*seen.min(axis=0), *seen.max(axis=0)]
    stage = stage_of(**options)
    got = stage.run(inputs_of([box], depth_image(z), calibration=calibration))
    (center,) = got.extras['detections_3d'].center
    np.testing.assert_allclose(center, [0.9, 0.65, 2.0], atol=0.02)


def test_the_target_frame_is_taken_at_the_stamp_or_refused():
    """Where it is not known, yolo_ros publishes an empty array."""
    # The camera looks along x of the target, one meter above it.
    rotation = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    transform = FrameTransform(rotation, np.array([0.0, 0.0, 1.0]))
    stage = stage_of(target_frame='base_link')
    assert stage.reads.transforms == ('base_link',)
    inputs = inputs_of([[320, 240, 420, 340]], depth_image(WALL.z))
    got = stage.run(replace(inputs, transforms={'base_link': transform})).extras['detections_3d']
    here = measure([[320, 240, 420, 340]], depth_image(WALL.z))
    assert got.frame_id == 'base_link' and not here.frame_id
    x, y, z = here.center[0]
    np.testing.assert_allclose(got.center, [[z, -x, 1 - y]], atol=1e-9)
    np.testing.assert_array_equal(got.size, here.size)
    turned = rotation @ here.covariance[0, :3, :3] @ rotation.T
    np.testing.assert_allclose(got.covariance[0, :3, :3], turned, atol=1e-12)
    np.testing.assert_allclose(np.abs(got.orientation), 0.5)
    lacking = stage_of(target_frame='base_link')
    assert refused(lacking, replace(inputs, missing={'base_link': 'no such frame'})) == 'no_tf'
    assert 'no such frame' in lacking.problem


def test_an_object_without_distance_keeps_its_detection():
    """yolo_ros leaves such detections out."""
    z = WALL.z.copy()
    z[:, :320] = 0
    boxes = [[400, 200, 500, 300], [100, 200, 200, 300], [500, 200, 600, 300]]
    perception = stage_of().run(inputs_of(boxes, depth_image(z)))
    assert len(perception.detections) == 3
    assert perception.extras['detections_3d'].instance.tolist() == [0, 2]


def test_it_is_off_until_it_has_a_topic():
    assert make_stage(DepthStage, MANIFEST, {}) is None
    assert PluginHost().stages['depth'] is DepthStage


@pytest.mark.parametrize(
    'options', [{'noise': [0.1]}, {'min_distance': 30.0}, {'noise': [-1.0, 0.0, 0.0]}]
)
def test_options_that_do_not_fit_are_refused(options):
    with pytest.raises(OptionError):
        make_stage(DepthStage, MANIFEST, {'depth_topic': 'depth', **options})


def test_it_comes_after_the_stages_that_change_detections():
    detections = frozenset({'detections'})
    later = stage_type('tracking', needs=detections, tasks=detections)
    stages = [kind(MANIFEST, options=kind.options_type()) for kind in (later,)]
    ordered = in_order([stage_of(), *stages], decoder=FakeDecoder, model='net')
    assert [each.name for each in ordered] == ['tracking', 'depth']
