# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from edge_perception.contract import ConfigurationError
from edge_perception.simulation.matching import FoundObject
from edge_perception.simulation.matching import intersection_over_union
from edge_perception.simulation.matching import match_images
from edge_perception.simulation.matching import Placement
from edge_perception.simulation.matching import ScoredImage
from edge_perception.simulation.matching import TrueObject
from edge_perception.simulation.scoring import Score
from edge_perception.simulation.scoring import Threshold
from edge_perception.simulation.scoring import worst
from edge_perception.testing.junit import junit_xml
from edge_perception.testing.thresholds import read_thresholds
from test.support.raising import raises

FACING = (1.0, 0.0, 0.0, 0.0)


def at(x: float, y: float, z: float) -> Placement:
    return Placement((x, y, z), FACING)


def pad(z: float, *, size_px: float = 100.0, inside: float = 1.0) -> TrueObject:
    return TrueObject(pose=at(0, 0, z), size_px=size_px, inside=inside)


def image(stamp: int, *truths: TrueObject, found=(), age_ms: float | None = 10.0) -> ScoredImage:
    return ScoredImage(stamp, truths, found, age_ms=age_ms, response_ms=age_ms)


def of(threshold: Threshold, *images: ScoredImage, **more):
    (check,) = Score(images, **more).judge([threshold])
    return check


def test_each_true_object_gets_the_nearest_find_and_each_find_is_used_once():
    near, far = at(0, 0, 2.01), at(0, 0, 2.2)
    found = (FoundObject(pose=far), FoundObject(pose=near))
    matches = match_images([image(1, pad(2.0), found=found)])
    assert [(m.truth is not None, m.found.pose) for m in matches] == [(True, near), (False, far)]
    assert matches[0].error.share == pytest.approx(0.005)


def test_a_pose_far_from_the_truth_is_a_miss_and_a_false_detection():
    matches = match_images([image(1, pad(2.0), found=(FoundObject(pose=at(0, 0, 3.0)),))])
    assert [(m.truth is None, m.found is None) for m in matches] == [(False, True), (True, False)]


def test_boxes_are_compared_where_the_truth_has_no_poses():
    truth = TrueObject(box=(0, 0, 10, 10), label='cup')
    found = (
        FoundObject(box=(0, 0, 10, 9), label='plate'),
        FoundObject(box=(0, 0, 10, 8), label='cup'),
    )
    matches = match_images([image(1, truth, found=found)])
    assert matches[0].overlap == pytest.approx(0.8)
    assert [m.found.label for m in matches] == ['cup', 'plate']


@pytest.mark.parametrize(
    ('second', 'share'),
    [((0, 0, 2, 2), 1.0), ((1, 0, 3, 2), 1 / 3), ((2, 2, 4, 4), 0.0), ((0, 0, 1, 1), 0.25)],
)
def test_intersection_over_union(second, share):
    assert intersection_over_union((0, 0, 2, 2), second) == pytest.approx(share)


def test_images_without_a_result_are_no_misses():
    images = [image(1, pad(2.0)), ScoredImage(2, (pad(2.0),), None)]
    recall = of(Threshold('recall', minimum=0.5), *images)
    assert (recall.got, recall.count, recall.passed) == (0.0, 1, False)
    assert of(Threshold('answered', minimum=0.5), *images).got == 0.5


def test_small_and_cut_objects_are_left_out_where_the_threshold_says_so():
    found = (FoundObject(pose=at(0, 0, 2.0)),)
    images = [
        image(1, pad(2.0, size_px=60), found=found),
        image(2, pad(9.0, size_px=30)),
        image(3, pad(2.0, inside=0.3)),
    ]
    assert of(Threshold('recall', minimum=0.9), *images).got == pytest.approx(1 / 3)
    strict = Threshold('recall', minimum=0.9, from_size_px=48, from_inside=0.6)
    assert of(strict, *images).passed


def test_false_detections_are_counted_for_each_image():
    two = (FoundObject(pose=at(5, 0, 2)), FoundObject(pose=at(-5, 0, 2)))
    images = [image(1, found=two), image(2, pad(2.0), found=(FoundObject(pose=at(0, 0, 2.0)),))]
    assert of(Threshold('false_detections', maximum=0.0), *images).got == 1.0


def test_errors_and_ages_by_statistic():
    images = [
        image(i, pad(2.0), found=(FoundObject(pose=at(0, 0, 2 + 0.02 * i)),), age_ms=10.0 * i)
        for i in range(1, 4)
    ]
    assert of(Threshold('position_percent', maximum=2.0), *images).got == pytest.approx(2.0)
    most = Threshold('position_percent', maximum=2.0, statistic='max')
    assert of(most, *images).got == pytest.approx(3.0)
    assert of(Threshold('age_ms', maximum=1.0, statistic='mean'), *images).got == 20.0
    dropped = of(
        Threshold('dropped', maximum=0.1),
        *images,
        dropped={'stale': 1, 'superseded': 5},
        received=8,
    )
    assert dropped.got == 0.125


def test_nothing_to_measure_is_no_pass():
    check = of(Threshold('yaw_degrees', maximum=3.0), image(1))
    assert math.isnan(check.got) and not check.passed
    assert check.sentence == 'yaw_degrees, p50: got nothing to measure, expected at most 3'


def test_the_worst_are_false_ones_then_misses_then_the_largest_errors():
    found = (FoundObject(pose=at(0, 0, 2.2)),)
    images = [
        image(1, pad(2.0), found=(FoundObject(pose=at(0, 0, 2.01)),)),
        image(2, pad(2.0), found=found),
        image(3, pad(2.0)),
        image(4, found=found),
        image(5, pad(9.0, size_px=20)),
    ]
    score = Score(images)
    order = [match.image.stamp_ns for match in worst(score, count=10, from_size_px=48)]
    assert order == [4, 3, 2, 1]


def test_junit_has_a_case_for_each_threshold():
    thresholds = [Threshold('recall', minimum=0.9), Threshold('age_ms', maximum=50.0)]
    checks = Score([image(1, pad(2.0))]).judge(thresholds)
    suite = ElementTree.fromstring(junit_xml(checks, suite='mine'))
    assert (suite.get('tests'), suite.get('failures')) == ('2', '1')
    failed, passed = suite
    assert failed.find('failure').get('message') == 'recall: got 0 of one, expected at least 0.9'
    assert passed.find('failure') is None


def test_thresholds_of_the_package_are_read(repository):
    thresholds = read_thresholds(repository / 'config' / 'thresholds_landing_pad.yaml')
    assert thresholds[0] == Threshold('recall', minimum=0.95, from_size_px=48.0, from_inside=0.6)


@pytest.mark.parametrize(
    ('text', 'sentence'),
    [
        ('- {figure: recal, minimum: 1}', "figure: got 'recal', expected one of recall"),
        ('- {figure: [recall], minimum: 1}', "figure: got ['recall'], expected one of recall"),
        ('- {figure: {recall: 1}, minimum: 1}', "figure: got {'recall': 1}, expected one of"),
        ('- {figure: recall, minimum: 2026-13-45}', 'cannot be read: is not YAML: month must be'),
        ('- {figure: recall}', 'got neither minimum nor maximum, so nothing could fail'),
        ('- {figure: recall, minimum: high}', "minimum: got 'high'"),
        ('- {figure: age_ms, maximum: 1, statistic: p42}', "statistic: got 'p42'"),
        ('- {figure: age_ms, maximun: 1}', "maximun: unknown option, did you mean 'maximum'"),
        ('recall: 1', 'got dict, expected a list of thresholds'),
        ('[', 'cannot be read'),
    ],
)
def test_a_mistake_in_thresholds_is_a_sentence(tmp_path, text, sentence):
    path = tmp_path / 'thresholds.yaml'
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_thresholds(path)
    assert sentence in str(caught.value)


def test_thresholds_without_end_are_a_sentence(tmp_path):
    path = tmp_path / 'deep.yaml'
    path.write_text('[' * 100_000)
    with raises(ConfigurationError, '50', subject=str(path)):
        read_thresholds(path)
