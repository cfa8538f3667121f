# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What ids promise: who keeps one, who gets a new one, and what compensates the camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_perception.contract import FrameTransform
from edge_perception.contract import OptionError
from edge_perception.contract import parse_options
from edge_perception.contract import Perception
from edge_perception.testing.tracking_metrics import tracking_score
from edge_perception.tracking import TrackingStage
from test.support.raising import raises
from test.tracking.moving_boxes import CALIBRATION
from test.tracking.moving_boxes import detections_of
from test.tracking.moving_boxes import inputs_at
from test.tracking.moving_boxes import MANIFEST
from test.tracking.moving_boxes import numbers
from test.tracking.moving_boxes import stage_with
from test.tracking.scenes import RATE
from test.tracking.scenes import SCENES
from test.tracking.study import ours


def test_it_is_off_by_default():
    assert not TrackingStage.applies(MANIFEST, TrackingStage.options_type())


def test_a_second_detection_confirms_a_track_and_gives_it_an_id():
    stage = stage_with()
    first = stage.run(inputs_at(0, (100, 100)))
    assert first.detections.ids() == [''] and len(first.extras['tracks']) == 0
    second = stage.run(inputs_at(0.1, (104, 100), (400, 200)))
    (name, other) = second.detections.ids()
    token, _, number = name.rpartition('-')
    assert (len(token), number, other) == (6, '1', '')
    assert second.extras['tracks'].ids() == [name]
    assert second.extras['tracks'].xyxy.tolist() == [[84, 60, 124, 140]]


def test_cameras_runs_and_restarts_share_no_id():
    frames = [inputs_at(second, (100, 100)) for second in (0, 0.1)]
    stage = stage_with()
    found = []
    for each in (stage, stage_with(), stage):
        each.reset()
        found += [each.run(frame).detections.ids() for frame in frames][-1]
    assert len(set(found)) == 3


def test_a_stamp_that_goes_backwards_begins_anew():
    stage = stage_with()
    frames = [inputs_at(second, (100, 100)) for second in (10, 10.1, 10.2, 3, 3.1)]
    names = [stage.run(frame).detections.ids()[0] for frame in frames]
    assert names[1] == names[2] and names[3] == '' and names[4] not in ('', names[1])


@pytest.mark.parametrize(('gap_s', 'expected'), [(0.5, [1]), (1.2, [0])])
@pytest.mark.parametrize('rate', [0, 5, 30])
def test_frames_without_any_detection_age_tracks(gap_s, expected, rate):
    """Whether the frames in between came empty, seldom, often, or not at all."""
    stage = stage_with(keep_s=1.0)
    numbers(stage, [inputs_at(second, (100, 100)) for second in (0, 0.1, 0.2)])
    empty = np.arange(0.2, 0.2 + gap_s, 1 / rate)[1:] if rate else ()
    numbers(stage, [inputs_at(second) for second in empty])
    assert numbers(stage, [inputs_at(0.2 + gap_s, (100, 100))]) == [expected]


def test_a_weak_detection_continues_a_track_and_starts_none():
    stage = stage_with()
    numbers(stage, [inputs_at(second, (100, 100)) for second in (0, 0.1)])
    for second in (0.2, 0.3, 0.4):
        seen = stage.run(inputs_at(second, (100, 100, 0.15), (400, 200, 0.2)))
        assert len(seen.detections) == 0
        tracks = seen.extras['tracks']
        assert (tracks.track_id.tolist(), tracks.score.tolist()) == ([1], [np.float32(0.15)])
    below = stage.run(inputs_at(0.5, (100, 100, 0.05)))
    assert len(below.extras['tracks']) == 0


def test_start_score_and_confirm_frames():
    stage = stage_with(start_score=0.6, confirm_frames=3)
    frames = [inputs_at(s / 10, (100, 100, 0.7), (400, 200, 0.5)) for s in range(4)]
    assert numbers(stage, frames) == [[0, 0], [0, 0], [1, 0], [1, 0]]
    assert numbers(stage_with(confirm_frames=1), frames[:1]) == [[1, 2]]


def test_a_track_has_the_class_of_the_vote_the_detection_its_own():
    stage = stage_with()
    classes = (3, 3, 3, 7, 3)
    results = [stage.run(inputs_at(i / 10, (100, 100, 0.9, c))) for i, c in enumerate(classes)]
    assert [each.detections.class_id[0] for each in results] == list(classes)
    assert [each.extras['tracks'].class_id.tolist() for each in results[1:]] == [[3]] * 4
    assert results[3].detections.track_id.tolist() == [1]


def test_an_object_with_boxes_of_two_classes_is_one_track():
    frames = [inputs_at(s / 10, (100, 100, 0.9, 1), (101, 100, 0.8, 2)) for s in range(4)]
    assert numbers(stage_with(), frames)[-2:] == [[1, 0], [1, 0]]


def test_crossing_objects_keep_their_ids():
    """Two persons walk through each other; in the middle only the nearer one is seen."""
    stage, left, right = stage_with(), {}, {}
    for frame in range(41):
        seconds, x = frame / 20, 100 + 8 * frame
        boxes = [(x, 100, 0.9), (520 - x, 110, 0.8)]
        got = stage.run(inputs_at(seconds, *(boxes if abs(x - 260) > 15 else boxes[:1])))
        for box, number in zip(got.detections.xyxy, got.detections.track_id):
            seen = left if box[1] == 60 else right
            seen[frame] = int(number)
    assert (left[1], right[1]) == (left[40], right[40]) and left[40] != right[40]


def test_boxes_that_are_no_numbers_get_no_id():
    stage = stage_with()
    frames = [inputs_at(s / 10, (100, 100), (float('nan'), 1)) for s in range(3)]
    assert numbers(stage, frames)[-1] == [1, 0]


def test_boxes_of_a_stage_before_are_all_there_is():
    stage = stage_with()
    given = inputs_at(0, (100, 100), (300, 100), (200, 200, 0.1))
    other = replace(given.perception.detections, xyxy=given.perception.detections.xyxy + 1)
    given = replace(given, perception=replace(given.perception, detections=other))
    stage.run(given)
    assert len(stage.run(given).extras['tracks']) == 2


@pytest.mark.parametrize('hertz', [10, 30])
def test_an_object_that_comes_near_keeps_its_id(hertz):
    """Its distance halves in .7 s, as in a descent to a pad."""
    stage, seen = stage_with(), set()
    for frame in range(2 * hertz):
        side = 30 * np.exp(frame / hertz)
        found = detections_of((320, 240), size=(side, side))
        perception = Perception(detections=found)
        given = replace(inputs_at(frame / hertz), perception=perception, candidates=found)
        seen |= set(stage.run(given).detections.track_id.tolist())
    assert seen == {0, 1}


@pytest.mark.parametrize(('name', 'persons'), [('crossing', 3), ('occlusion', 1)])
def test_what_passes_behind_another_keeps_its_id(name, persons):
    """Boxes are those of what a rendered image shows: shorter before they are gone for .5 s."""
    truth = SCENES[name].truth()
    tracks = ours([(each.xyxy, np.full(len(each.ids), 0.9)) for each in truth], RATE)
    score = tracking_score(truth, tracks)
    assert (score.switches, score.false_positives) == (0, 0)
    assert len({number for each in tracks for number in each.ids}) == persons


def turning(rate: float, *, frames: int = 12, hertz: float = 10, **given):
    """Return frames in which the camera turns about its vertical axis, rad/s, past a pole."""
    made = []
    for frame in range(frames):
        angle = rate * frame / hertz - 0.5 * np.sign(rate)
        cos, sin = np.cos(angle), np.sin(angle)
        point = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]) @ (0, 0, 1)
        x = 500 * point[0] / point[2] + 320
        pose = FrameTransform(np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]), np.zeros(3))
        other = {name: make(rate, pose) for name, make in given.items()}
        made.append(inputs_at(frame / hertz, (x, 240), calibration=CALIBRATION, **other))
    return made


GYRO = {'angular_rate': lambda rate, pose: np.array([0, rate, 0])}
TRANSFORM = {'transforms': lambda rate, pose: {'odom': pose}}
YAW = np.deg2rad(60)


@pytest.mark.parametrize(
    ('options', 'given'),
    [({'imu_topic': 'imu'}, GYRO), ({'fixed_frame': 'odom'}, TRANSFORM)],
)
@pytest.mark.parametrize('direction', [1, -1])
def test_a_turn_of_the_camera_is_compensated(options, given, direction):
    """60 degrees a second at 10 frames a second: 52 px or more a frame, boxes of 40 px."""
    frames = turning(direction * YAW, **given)
    assert numbers(stage_with(), frames)[-1] == [0]
    stage = stage_with(**options)
    assert numbers(stage, frames)[1:] == [[1]] * (len(frames) - 1)
    assert stage.problem == ''


def test_without_what_compensates_ids_go_on_and_it_is_said():
    stage = stage_with(imu_topic='imu')
    frames = turning(0.0)
    missing = {'angular_rate': 'no message has come on /imu so far'}
    assert numbers(stage, [replace(each, missing=missing) for each in frames])[-1] == [1]
    assert missing['angular_rate'] in stage.problem
    numbers(stage, [replace(frames[-1], calibration=None)])
    assert 'CameraInfo' in stage.problem


def test_a_transform_that_was_missing_in_between_turns_nothing_twice():
    stage = stage_with(fixed_frame='odom')
    frames = turning(0.3, **TRANSFORM)
    frames[5] = replace(frames[5], transforms={}, missing={'odom': 'no odom at the stamp'})
    assert numbers(stage, frames)[1:] == [[1]] * (len(frames) - 1)


@pytest.mark.parametrize(
    'options',
    [
        {'imu_topic': 'imu', 'fixed_frame': 'odom'},
        {'low_score': 1.5},
        {'confirm_frames': 0},
        {'keep_s': -1.0},
    ],
)
def test_mistakes_are_refused(options):
    with raises(OptionError, *options, *options.values()):
        TrackingStage.applies(
            MANIFEST, parse_options(TrackingStage.options_type, options, owner='stage')
        )
