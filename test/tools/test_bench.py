# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of ``make bench`` on samples that are known, and one very short real run."""

from __future__ import annotations

import json
from pathlib import Path
import re

import pytest

from edge_perception.simulation.pace import paced
from tools.bench import command
from tools.bench import rounds
from tools.bench import stages
from tools.bench import subjects
from tools.bench.children import BenchmarkError
from tools.bench.figures import answers_ms
from tools.bench.figures import Bar
from tools.bench.figures import bars
from tools.bench.figures import model_figures
from tools.bench.figures import Samples
from tools.bench.rounds import Measured
from tools.bench.subjects import LeftOut
from tools.bench.subjects import Subject

LINE = re.compile(r'^([a-z0-9_.]+): (-?\d+(?:\.\d+)?)$')


@pytest.fixture
def samples() -> Samples:
    """Two rounds; medians 10, 12 and 1.5 ms."""
    return Samples(
        bare=[[9.0, 10.0], [10.0, 11.0]],
        node=[[11.0, 12.0, 12.0], [12.0, 13.0]],
        echo=[[1.5, 1.5], [1.5]],
    )


@pytest.fixture
def measured(samples) -> Measured:
    return Measured(
        samples=samples,
        lost={'node': [0, 1], 'echo': [0, 0]},
        rss_mb=[120.0, 140.0],
        idle_cpu_percent=[1.0, 3.5],
        boxes=[3, 3],
        stages_ms=[{'infer': 8.0}, {'infer': 9.0}],
    )


@pytest.fixture
def subject(tmp_path) -> Subject:
    return Subject('yolox_nano', folder=tmp_path, pictures=tmp_path / 'pictures.npy')


@pytest.fixture
def run(monkeypatch, tmp_path, capsys, measured, subject):
    """Return a function that runs the command with known samples: status, output, errors."""
    monkeypatch.setattr(command, 'WORKSPACE', tmp_path)
    monkeypatch.setattr(command, 'ROOT', tmp_path)

    def call(*, prepared=subject, failure=None):
        def measure(*_):
            if failure is not None:
                raise failure
            return {'yolox_nano': measured}

        monkeypatch.setattr(command, 'prepare', lambda name, workspace: prepared)
        monkeypatch.setattr(command, 'measure', measure)
        status = command.main(['--models', 'yolox_nano', '--engines'])
        return (status, *capsys.readouterr())

    return call


def test_figures_are_those_of_the_definition(samples):
    figures = model_figures(samples)
    assert figures['overhead_ratio'] == pytest.approx(12 / 10)
    assert figures['overhead_over_echo_ms'] == pytest.approx((12 - 10) - 1.5)
    # Of 11, 12, 12, 12, 13, the 99th percentile lies at 0.96 between the last two.
    assert figures['p99_over_p50'] == pytest.approx(12.96 / 12)


@pytest.mark.parametrize(('value', 'met'), [(1.14, True), (1.15, True), (1.16, False)])
def test_a_bar_is_met_up_to_its_limit(value, met):
    (bar,) = bars({'yolox_nano.overhead_ratio': value, 'yolox_nano.bare_p50_ms': 10.0})
    assert bar == Bar('yolox_nano.overhead_ratio', value=value, limit=1.15)
    assert bar.met is met


def test_pictures_without_an_answer_have_no_latency():
    assert answers_ms([(1, 0, 2_000_000), (2, 0, None), (3, 5, 1_500_005)]) == [2.0, 1.5]


def test_the_pace_leaves_no_turn_out():
    assert list(paced(4, rate_hz=1e6)) == [0, 1, 2, 3]


def test_only_frames_that_came_all_the_way_have_stages():
    whole = {'woken': 2, 'received': 3, 'served': 4, 'process': 5, 'deliver': 6, 'delivered': 7}
    stations = {10: whole, 20: {'woken': 2, 'received': 3}, 30: whole}
    frames = stages.join([(10, 1, 8), (20, 1, None), (30, 1, None), (40, 1, 9)], stations)
    assert frames == [{'published': 1, **whole, 'answered': 8}]
    assert stages.table(frames)[-1].startswith('| all |')


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

    (path,) = tmp_path.glob('*.json')
    report = json.loads(path.read_text())
    assert report['schema_version'] == 1
    assert report['figures'] == printed
    assert {'date', 'cpu', 'cores', 'python', 'numpy', 'load'} <= report['machine'].keys()
    assert report['settings']['rate_hz'] == 15
    missed = [bar['name'] for bar in report['bars'] if not bar['met']]
    assert missed == ['yolox_nano.overhead_ratio', 'yolox_nano.overhead_over_echo_ms'] + [
        'node.idle_cpu_percent'
    ]
    model = report['models']['yolox_nano']
    assert model['round_p50_ms'] == {'bare': [9.5, 10.5], 'node': [12, 12.5], 'echo': [1.5, 1.5]}
    assert model['lost'] == {'node': [0, 1], 'echo': [0, 0]}


def test_what_cannot_be_measured_is_said_and_leaves_no_report(run, tmp_path):
    status, _, errors = run(failure=BenchmarkError('the camera broke'))
    assert (status, errors) == (1, 'error: the camera broke\n')
    assert not list(tmp_path.glob('*.json'))


def test_without_any_model_there_is_nothing_to_measure(run):
    status, output, errors = run(prepared=LeftOut('yolox_nano', 'no photographs'))
    assert status == 1
    assert 'yolox_nano is left out: no photographs' in output
    assert 'no model to measure' in errors


def test_without_shared_data_the_model_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv('EDGE_PERCEPTION_SHARED_DATA', str(tmp_path / 'nowhere'))
    left_out = subjects.prepare('yolox_nano', tmp_path)
    assert isinstance(left_out, LeftOut)
    assert 'EDGE_PERCEPTION_SHARED_DATA' in left_out.reason


@pytest.mark.parametrize(
    ('option', 'value', 'expected'),
    [('--rounds', '0', 'a whole number from 1'), ('--seconds', 'nan', 'a number from 0.1')],
)
def test_a_setting_that_measures_nothing_is_refused_in_a_sentence(capsys, option, value, expected):
    with pytest.raises(SystemExit) as ended:
        command.main([option, value])
    assert ended.value.code == 2
    assert f"argument {option}: got '{value}', expected {expected}\n" in capsys.readouterr().err


@pytest.mark.slow
def test_a_real_run_measures_everything(shared_data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, 'WORKSPACE', tmp_path)
    monkeypatch.setattr(command, 'ROOT', tmp_path)
    monkeypatch.setattr(rounds, 'LOST_AT_MOST', 1.0)  # of 15 images, on a busy machine
    quick = ['--rounds', '1', '--seconds', '1', '--warm-up-s', '1', '--idle-s', '0.5']
    status = command.main(['--models', 'yolox_nano', '--engines', 'onnxruntime', *quick])
    output, errors = capsys.readouterr()
    assert status == 0, errors
    (path,) = Path(tmp_path).glob('*.json')
    report = json.loads(path.read_text())
    assert report['figures']['onnxruntime.infer_ratio'] > 0
    model = report['models']['yolox_nano']
    answered = {name: [len(each) for each in parts] for name, parts in model['samples_ms'].items()}
    assert answered['bare'] == [15]
    # On a busy machine an image may be replaced by the next one; then it is counted as lost.
    for name in ('node', 'echo'):
        assert answered[name][0] > 0
        assert answered[name][0] + model['lost'][name][0] == 15
    assert model['boxes'][0] > 0
    assert model['rss_mb'][0] > 0
