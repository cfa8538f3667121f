# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of the latency contract: figures, exit status, and one scenario for real."""

from __future__ import annotations

import json

import pytest

from edge_perception.simulation.playback import Shown
from tools.benchmark import __main__ as command
from tools.benchmark import figures
from tools.benchmark.harness import ImageStream
from tools.benchmark.harness import Observed
from tools.benchmark.scenarios import Outcome

MS = 1_000_000
STREAM = ImageStream('only', rate_hz=10, budget_ms=50)


def film(*answers: tuple[int, int] | None, period: int = 100) -> list[Shown]:
    """Return images in step, each with age at publication and delay of its answer, in ms."""
    return [
        Shown(number, number * period * MS)
        if answer is None
        else Shown(
            number,
            number * period * MS,
            answered_ns=(number * period + answer[1]) * MS,
            published_age_ns=answer[0] * MS,
        )
        for number, answer in enumerate(answers)
    ]


def test_a_result_is_over_its_budget_by_its_age_when_it_was_published():
    # The second one was published in time and arrived later; the third was not.
    found = figures.stream_figures(STREAM, film((20, 21), (49, 60), (51, 52), None))
    assert (found['sent'], found['published'], found['over_budget']) == (4, 3, 1)
    assert found['age_max_ms'] == 51


def test_without_a_budget_nothing_is_over_it():
    stream = ImageStream('only', rate_hz=10, budget_ms=0)
    assert figures.stream_figures(stream, film((5000, 5000)))['over_budget'] == 0


def test_the_longest_gap_counts_the_beginning_and_the_end():
    assert figures.longest_gap_ms(film(None, None, (10, 10), (10, 10))) == 210
    assert figures.longest_gap_ms(film((10, 10), None, None, None)) == 290
    assert figures.longest_gap_ms(film(None, None)) == 100


def test_the_bound_is_a_period_the_budget_and_a_service_of_every_camera():
    assert figures.gap_bound_ms(STREAM, 4, 25) == 100 + 50 + 100


def test_recovery_is_when_as_much_is_published_as_before():
    good, none = [(10, 10)], [None]
    shown = film(*good * 40, *none * 20, *none * 5, *good * 40)
    found = figures.recovery_s(shown, work_from_s=4.0, work_until_s=6.0)
    assert found == pytest.approx(0.51)
    shown = film(*good * 40, *none * 60)
    assert figures.recovery_s(shown, work_from_s=4.0, work_until_s=6.0) == float('inf')


def test_drift_compares_the_last_quarter_with_the_first():
    observed = Observed(begun_ns=0)
    observed.shown['only'] = film(*[(10, 10)] * 50, *[(30, 30)] * 50)
    observed.rss_mb = [(n, 100.0 + (n >= 50) * 1.5) for n in range(100)]
    found = figures.drift_figures(STREAM, observed)
    assert (found['p99_first_quarter_ms'], found['p99_last_quarter_ms']) == (10, 30)
    assert found['rss_growth_mb'] == 1.5


def test_what_the_node_reports_is_taken_over_without_zeros():
    report = {'received': '10', 'dropped.stale': '2', 'dropped.overrun': '0', 'topic': '/a'}
    report['lost_before_node'] = 'unknown'
    assert figures.report_figures(report) == {'received': 10, 'dropped.stale': 2}


def test_any_result_over_its_budget_is_a_failure():
    outcome = Outcome({'a.over_budget': 0, 'b.over_budget': 1, 'b.published': 7}, {})
    found = command.outcome_figures({'four_cameras': outcome})
    assert command.late(found) == 1
    assert command.late(command.outcome_figures({'x': Outcome({'over_budget': 0.0}, {})})) == 0


def test_a_scenario_is_measured_over_dds_and_written_down(tmp_path, monkeypatch, capsys):
    pytest.importorskip('onnxruntime', reason='needs ONNX Runtime to run the network')
    monkeypatch.setattr(command, 'BUILD', tmp_path)
    status = command.main(['contract', '--scenarios', 'overload', '--seconds', '3'])
    lines = capsys.readouterr().out.splitlines()
    printed = dict(line.split(': ') for line in lines[lines.index('') :] if ': ' in line)
    assert status == (1 if float(printed['overload.over_budget']) else 0)
    assert float(printed['overload.sent']) == 90
    assert float(printed['overload.published']) > 0
    (report,) = tmp_path.glob('bench_latency/*.json')
    values = json.loads(report.read_text())
    assert values['figures']['overload.sent'] == 90
    metrics = values['scenarios']['overload']['only']
    assert metrics['BasicPerformanceMetrics.NUM_FRAMES_SENT'] == 90
