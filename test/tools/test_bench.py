# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of ``make bench`` on samples that are known, and one very short real run."""

from __future__ import annotations

import json
from pathlib import Path
import re

import pytest

from edge_perception.simulation.playback import paced
from edge_perception.simulation.playback import Shown
from test.support.raising import raises
from tools.benchmark import __main__ as command
from tools.benchmark import rounds
from tools.benchmark import stations
from tools.benchmark import subjects
from tools.benchmark.bare_loop import BareLoop
from tools.benchmark.figures import latencies_ms
from tools.benchmark.figures import Limit
from tools.benchmark.figures import limits
from tools.benchmark.figures import overhead_figures
from tools.benchmark.harness import Observed
from tools.benchmark.rounds import Round
from tools.benchmark.subjects import BenchmarkError
from tools.benchmark.subjects import Subject

LINE = re.compile(r'^([a-z0-9_.]+): (-?\d+(?:\.\d+)?)$')


def observed(*latencies_ms: float | None, rss_mb: float = 0.0, idle: float = 0.0) -> Observed:
    """Return what a run with one camera saw, from how long each answer took."""
    shown = [
        Shown(number, 0, answered_ns=None if each is None else round(each * 1e6))
        for number, each in enumerate(latencies_ms)
    ]
    return Observed(shown={'': shown}, rss_mb=[(0.0, rss_mb)], idle_cpu_percent=idle)


def bare(*samples_ms: float, infer_ms: float) -> BareLoop:
    times = {'preprocess': 0, 'infer': round(infer_ms * 1e6), 'decode': 0}
    return BareLoop(list(samples_ms), counts=[3] * len(samples_ms), times_ns=[times])


@pytest.fixture
def measured() -> list[Round]:
    """Two rounds; medians 10, 12 and 1.5 ms."""
    return [
        Round(
            bare(9, 10, infer_ms=8),
            observed(11, 12, 12, rss_mb=120, idle=1.0),
            observed(1.5, 1.5),
        ),
        Round(
            bare(10, 11, infer_ms=9),
            observed(12, None, 13, rss_mb=140, idle=3.5),
            observed(1.5),
        ),
    ]


@pytest.fixture
def subject(tmp_path) -> Subject:
    return Subject('yolox_nano', folder=tmp_path, images=tmp_path / 'images.npy')


@pytest.fixture
def run(monkeypatch, tmp_path, capsys, measured, subject):
    """Return a function that runs the command with known samples: status, output, errors."""
    monkeypatch.setattr(command, 'BUILD', tmp_path)

    def call(**failures):
        def answer(name, value):
            if name in failures:
                raise BenchmarkError(failures[name])
            return value

        monkeypatch.setattr(command, 'prepare', lambda *_: answer('prepare', subject))
        monkeypatch.setattr(
            command, 'measure_models', lambda *_: answer('measure', {'yolox_nano': measured})
        )
        status = command.main(['node', '--models', 'yolox_nano', '--engines', '--gains'])
        return (status, *capsys.readouterr())

    return call


def test_figures_are_those_of_the_definition(measured):
    figures = overhead_figures(rounds.samples_of(measured))
    assert figures['overhead_ratio'] == pytest.approx(12 / 10)
    assert figures['overhead_over_echo_ms'] == pytest.approx((12 - 10) - 1.5)
    # Of 11, 12, 12, 12, 13, the 99th percentile lies at 0.96 between the last two.
    assert figures['p99_over_p50'] == pytest.approx(12.96 / 12)


@pytest.mark.parametrize(('value', 'met'), [(1.14, True), (1.15, True), (1.16, False)])
def test_a_limit_is_met_up_to_its_value(value, met):
    (limit,) = limits({'yolox_nano.overhead_ratio': value, 'yolox_nano.bare_p50_ms': 10.0})
    assert limit == Limit('yolox_nano.overhead_ratio', value=value, limit=1.15)
    assert limit.met is met


def test_images_without_an_answer_have_no_latency():
    shown = [Shown(1, 0, 2_000_000), Shown(2, 0), Shown(3, 5, 1_500_005)]
    assert latencies_ms(shown) == [2.0, 1.5]


def test_a_round_with_too_many_images_unanswered_says_nothing(subject):
    with raises(BenchmarkError, 'node', '1 of 3'):
        rounds.require_answers(
            subject, Round(bare(1.0, infer_ms=1), observed(1, None, 1), observed(1))
        )


def test_the_pace_leaves_no_turn_out():
    assert list(paced(4, rate_hz=1e6)) == [0, 1, 2, 3]


def test_only_frames_that_came_all_the_way_have_stages():
    whole = {'woken': 2, 'received': 3, 'served': 4, 'process': 5, 'deliver': 6, 'delivered': 7}
    moments = {10: whole, 20: {'woken': 2, 'received': 3}, 30: whole}
    shown = [Shown(10, 1, 8), Shown(20, 1), Shown(30, 1), Shown(40, 1, 9)]
    frames = stations.join(shown, moments)
    assert frames == [{'published': 1, **whole, 'answered': 8}]
    assert stations.table(frames)[-1].startswith('| all |')


def test_the_command_ends_with_the_figures_and_leaves_a_report(run, tmp_path):
    status, output, _ = run()
    assert status == 0  # although a bar is missed
    assert 'MISSED node.idle_cpu_percent 3.5, at most 3' in output
    lines = output[output.index('written to') :].splitlines()[2:]
    printed = {found[1]: float(found[2]) for found in map(LINE.match, lines) if found}
    assert len(printed) == len(lines)
    assert printed['yolox_nano.overhead_ratio'] == 1.2
    assert printed['yolox_nano.overhead_over_echo_ms'] == 0.5
    assert printed['node.rss_mb'] == 140

    (path,) = tmp_path.glob('bench/*.json')
    report = json.loads(path.read_text())
    assert report['schema_version'] == 1
    assert report['figures'] == printed
    assert {'date', 'processor', 'cores', 'python', 'numpy', 'load'} <= report['machine'].keys()
    assert report['settings']['rate_hz'] == 15
    missed = [bar['name'] for bar in report['bars'] if not bar['met']]
    assert missed == ['yolox_nano.overhead_ratio', 'yolox_nano.overhead_over_echo_ms'] + [
        'node.idle_cpu_percent'
    ]
    model = report['models']['yolox_nano']
    assert model['round_p50_ms'] == {'bare': [9.5, 10.5], 'node': [12, 12.5], 'echo': [1.5, 1.5]}
    assert model['lost'] == {'node': [0, 1], 'echo': [0, 0]}
    assert [each['infer'] for each in model['bare_stages_p50_ms']] == [8, 9]


def test_what_cannot_be_measured_is_said_and_leaves_no_report(run, tmp_path):
    status, _, errors = run(measure='the camera broke')
    assert (status, errors) == (1, 'error: the camera broke\n')
    assert not list(tmp_path.rglob('*.json'))


def test_without_any_model_there_is_nothing_to_measure(run):
    status, output, errors = run(prepare='no photographs')
    assert status == 1
    assert 'yolox_nano is left out: no photographs' in output
    assert 'no model to measure' in errors


def test_without_shared_data_the_model_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv('EDGE_PERCEPTION_SHARED_DATA', str(tmp_path / 'nowhere'))
    with raises(BenchmarkError, 'EDGE_PERCEPTION_SHARED_DATA'):
        subjects.prepare('yolox_nano', tmp_path)


@pytest.mark.parametrize(
    ('option', 'value', 'expected'),
    [('--rounds', '0', 'an integer from 1'), ('--seconds', 'nan', 'a float from 0.1')],
)
def test_a_setting_that_measures_nothing_is_refused_in_a_sentence(capsys, option, value, expected):
    with pytest.raises(SystemExit) as ended:
        command.main(['node', option, value])
    assert ended.value.code == 2
    assert f"argument {option}: got '{value}', expected {expected}\n" in capsys.readouterr().err


@pytest.mark.slow
def test_a_real_run_measures_everything(shared_data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, 'BUILD', tmp_path)
    # However busy the machine is.
    monkeypatch.setattr(rounds, 'LOST_AT_MOST', 1.0)
    quick = ['--rounds', '1', '--seconds', '1', '--warm-up-s', '1', '--idle-s', '0.5', '--gains']
    status = command.main(['node', '--models', 'yolox_nano', '--engines', 'onnxruntime', *quick])
    output, errors = capsys.readouterr()
    assert status == 0, errors
    (path,) = Path(tmp_path).glob('bench/*.json')
    report = json.loads(path.read_text())
    assert report['figures']['onnxruntime.infer_ratio'] > 0
    model = report['models']['yolox_nano']
    lost = {'bare': 0, **{who: each[0] for who, each in model['lost'].items()}}
    assert {who: len(each[0]) + lost[who] for who, each in model['samples_ms'].items()} == {
        'bare': 15,
        'node': 15,
        'echo': 15,
    }
    assert model['boxes'][0] > 0
    assert model['rss_mb'][0] > 0
