# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
import re
from xml.etree import ElementTree

import pytest

from edge_perception.simulation.pose_errors import PoseError
from edge_perception.tooling.reports.demo_record import rate
from edge_perception.tooling.reports.demo_record import Sample
from edge_perception.tooling.reports.demo_record import summarize
from edge_perception.tooling.reports.demo_report import draw_plots
from edge_perception.tooling.reports.demo_report import page

SVG = '{http://www.w3.org/2000/svg}'


def answered(time_s: float, *, age_ms: float = 20.0, objects: int = 1, **more) -> Sample:
    return Sample(time_s, arrival_s=100 + time_s, age_ms=age_ms, objects=objects, **more)


def error(distance: float, **more) -> PoseError:
    values = {'position': 0.01 * distance, 'yaw': math.radians(-2), 'tilt': math.radians(3)}
    return PoseError(distance=distance, **{**values, **more})


def test_frames_without_a_result_count_in_nothing():
    samples = [answered(0.0), Sample(0.1), answered(0.2, objects=0), answered(0.4)]
    summary = summarize(samples)
    assert summary['results'] == 3
    assert summary['rate_hz'] == 5.0
    assert summary['results_with_objects'] == 2
    assert summary['share_with_objects'] == pytest.approx(2 / 3, abs=1e-4)


def test_age_is_given_by_percentiles():
    ages = [float(age) for age in range(1, 102)]
    summary = summarize([answered(age, age_ms=age) for age in ages])
    assert summary['age_ms'] == {'p50': 51.0, 'p95': 96.0, 'p99': 100.0, 'max': 101.0}


def test_errors_are_shares_and_degrees_without_sign():
    summary = summarize([answered(0.0, error=error(8.0)), answered(1.0, error=error(1.0))])
    found = summary['pose_error']
    assert found['poses'] == 2
    assert found['position_percent_of_distance']['p50'] == 1.0
    assert found['yaw_degrees']['max'] == 2.0
    assert found['tilt_degrees']['p95'] == 3.0


def test_nothing_at_all_is_valid_json():
    values = json.loads(json.dumps(summarize([Sample(0.0)]), allow_nan=False))
    assert values['results'] == 0
    assert values['rate_hz'] is values['age_ms'] is values['pose_error'] is None


def test_the_rate_of_the_last_seconds():
    samples = [answered(float(time)) for time in range(5)]
    samples += [answered(4 + time / 10) for time in range(1, 21)]
    assert rate(samples, last_s=1.0) == pytest.approx(10.0)
    assert rate(samples) == pytest.approx(24 / 6)
    assert math.isnan(rate(samples[:1]))


def test_a_page_shows_what_it_was_given_and_is_no_way_in():
    text = page(
        title='<script>alert(1)</script>',
        rows=[('age', 'p50 < 20 ms & more')],
        plots={},
        picture=b'\xff\xd8',
        notes=['no plots'],
    )
    assert '<script>' not in text
    assert 'p50 &lt; 20 ms &amp; more' in text
    assert 'src="data:image/jpeg;base64,/9g="' in text
    assert 'no plots' in text


@pytest.fixture
def plots():
    pytest.importorskip('matplotlib', reason='the plots of the report need matplotlib')
    samples = [answered(0.0, distance_m=9.0, error=error(9.0))]
    samples += [answered(1.0, distance_m=5.0, objects=0), Sample(2.0, distance_m=1.0)]
    return draw_plots(samples)


def test_plots_are_drawings_that_need_no_other_file(plots):
    assert len(plots) == 3
    for svg in plots.values():
        assert ElementTree.fromstring(svg).tag == f'{SVG}svg'
        assert not re.search(r'(href|src)="(?!#)', svg)


def test_plots_tell_found_from_not_found_and_from_no_result(plots):
    (svg,) = [svg for caption, svg in plots.items() if 'where it was found' in caption]
    texts = [element.text for element in ElementTree.fromstring(svg).iter(f'{SVG}text')]
    assert {'found (1)', 'not found (1)', 'no result (1)'} <= set(texts)


def test_without_truth_there_is_the_age_only():
    pytest.importorskip('matplotlib', reason='the plots of the report need matplotlib')
    (caption,) = draw_plots([answered(0.0), answered(1.0)])
    assert caption.startswith('Age')
