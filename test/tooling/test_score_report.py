# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What ``demo`` and ``score`` say about the images of a run."""

from __future__ import annotations

import csv
import json
import math
import re
from xml.etree import ElementTree

import pytest

from edge_perception.simulation.matching import FoundObject
from edge_perception.simulation.matching import Placement
from edge_perception.simulation.matching import ScoredImage
from edge_perception.simulation.matching import TrueObject
from edge_perception.simulation.scoring import Score
from edge_perception.simulation.scoring import Threshold
from edge_perception.tooling.reports.page import page
from edge_perception.tooling.reports.score_files import draw_plots
from edge_perception.tooling.reports.score_report import check_rows
from edge_perception.tooling.reports.score_report import images_csv
from edge_perception.tooling.reports.score_report import rate
from edge_perception.tooling.reports.score_report import score_figures
from edge_perception.tooling.reports.score_report import score_rows

SVG = '{http://www.w3.org/2000/svg}'
THING = FoundObject()


def at(z: float) -> Placement:
    return Placement((0.0, 0.0, z), (1.0, 0.0, 0.0, 0.0))


def image(time_s: float, *found: FoundObject, age_ms: float | None = 20.0, truths=None):
    """Return an image with a result; ``age_ms`` None leaves the result out."""
    answered = age_ms is not None
    return ScoredImage(
        stamp_ns=int(time_s * 1e9),
        truths=truths,
        found=found if answered else None,
        age_ms=age_ms,
        response_ms=age_ms,
        result_s=100 + time_s if answered else None,
    )


def of_pad(time_s: float, z: float, *, off: float = 0.0, **more) -> ScoredImage:
    found = (FoundObject(pose=at(z * (1 + off))),)
    return image(time_s, *found, truths=(TrueObject(pose=at(z)),), **more)


def test_frames_without_a_result_count_in_nothing():
    images = [image(0.0, THING), image(0.1, age_ms=None), image(0.2), image(0.4, THING)]
    figures = score_figures(Score(images))
    assert (figures['images'], figures['results']) == (4, 3)
    assert figures['rate_hz'] == 5.0
    assert figures['results_with_objects'] == 2
    assert figures['share_with_objects'] == pytest.approx(2 / 3, abs=1e-4)


def test_an_object_is_found_where_it_is_and_not_elsewhere():
    images = [of_pad(0.0, 2.0), of_pad(0.1, 2.0, off=0.5)]
    assert score_figures(Score(images))['results_with_objects'] == 1


def test_age_is_given_by_percentiles():
    images = [image(age, age_ms=float(age)) for age in range(1, 102)]
    figures = score_figures(Score(images))
    assert figures['age_ms'] == {'p50': 51.0, 'p95': 96.0, 'p99': 100.0, 'max': 101.0}


def test_errors_of_positions_are_shares_of_the_distance():
    found = score_figures(Score([of_pad(0.0, 8.0, off=0.01), of_pad(1.0, 1.0, off=0.01)]))
    assert found['pose_error']['poses'] == 2
    assert found['pose_error']['position_percent_of_distance']['p50'] == pytest.approx(1.0)
    assert found['pose_error']['tilt_degrees']['max'] == 0.0


def test_nothing_at_all_is_valid_json_and_has_rows():
    score = Score([image(0.0, age_ms=None)])
    values = json.loads(json.dumps(score_figures(score), allow_nan=False))
    assert values['results'] == 0
    assert values['rate_hz'] is values['age_ms'] is values['pose_error'] is None
    assert dict(score_rows(score))['age'] == '-'


def test_the_rate_of_the_last_seconds():
    images = [image(float(time)) for time in range(5)]
    images += [image(4 + time / 10) for time in range(1, 21)]
    assert rate(Score(images), last_s=1.0) == pytest.approx(10.0)
    assert rate(Score(images)) == pytest.approx(24 / 6)
    assert math.isnan(rate(Score(images[:1])))


def test_rows_of_a_run_with_truth():
    score = Score([of_pad(1.0, 2.0), of_pad(2.0, 1.0)], dropped={'stale': 1}, received=4)
    rows = dict(score_rows(score))
    assert rows['dropped'] == 'of 4: 1 stale (25.0 %)'
    assert rows['distance'] == '2.00 m to 1.00 m'
    assert rows['false detections'] == '0 in 2 images'
    assert 'position error' in rows
    limits = [Threshold('recall', minimum=0.9), Threshold('age_ms', maximum=5.0)]
    recall, age = (row[1] for row in check_rows(score.judge(limits)))
    assert recall.startswith('passed: ') and age.startswith('FAILED: ')


def test_every_image_is_a_line_of_the_table():
    rows = list(csv.DictReader(images_csv(Score([of_pad(1.0, 2.0), image(2.0)])).splitlines()))
    assert [row['found'] for row in rows] == ['1', '0']
    assert (rows[0]['distance_m'], rows[1]['distance_m']) == ('2', '')


def test_a_page_shows_what_it_was_given_and_is_no_way_in():
    text = page(
        title='<script>alert(1)</script>',
        rows=[('age', 'p50 < 20 ms & more')],
        plots={},
        images=[('missed <it>', b'\xff\xd8')],
        notes=['no plots'],
    )
    assert '<script>' not in text
    assert 'p50 &lt; 20 ms &amp; more' in text and 'missed &lt;it&gt;' in text
    assert 'src="data:image/jpeg;base64,/9g="' in text
    assert 'no plots' in text


@pytest.fixture
def plots():
    pytest.importorskip('matplotlib', reason='the plots of the report need matplotlib')
    unseen = image(1.0, truths=(TrueObject(pose=at(5.0)),))
    silent = image(2.0, age_ms=None, truths=(TrueObject(pose=at(1.0)),))
    return draw_plots(Score([of_pad(0.0, 9.0, off=0.01), unseen, silent]))


def test_plots_are_drawings_that_need_no_other_file(plots):
    assert len(plots) == 3
    for svg in plots.values():
        assert ElementTree.fromstring(svg).tag == f'{SVG}svg'
        assert not re.search(r'(href|src)="(?!#)', svg)


def test_plots_tell_found_from_not_found_and_from_no_result(plots):
    (svg,) = [svg for caption, svg in plots.items() if 'where it was found' in caption]
    texts = [element.text for element in ElementTree.fromstring(svg).iter(f'{SVG}text')]
    assert {'found (1)', 'not found (1)', 'no result (1)'} <= set(texts)


def test_without_poses_there_is_the_age_only():
    pytest.importorskip('matplotlib', reason='the plots of the report need matplotlib')
    (caption,) = draw_plots(Score([image(0.0), image(1.0)]))
    assert caption.startswith('Age')
