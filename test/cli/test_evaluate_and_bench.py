# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from contextlib import contextmanager
import json
from pathlib import Path
import re
import shutil
import sys

import pytest
import yaml

from edge_perception.cli.model import bench
from edge_perception.models.artifact_directories import cache_directory
from edge_perception.models.digests import file_sha256
from edge_perception.models.finding import find_model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.proofs import Proof
from edge_perception.models.proofs import write_proof
from edge_perception.tooling.benchmark import benchmark_child
from edge_perception.tooling.benchmark.engine_benchmark import EngineTimes
from edge_perception.tooling.benchmark.engine_benchmark import figures


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('XDG_DATA_HOME', str(tmp_path / 'data'))


def test_average_precision_is_the_golden_one(invoke, yolox, shared_data):
    pytest.importorskip('pycocotools', reason='pycocotools is not installed')
    golden = json.loads((shared_data / 'golden' / 'coco_cc20_ap.json').read_text())
    folder = shared_data / 'coco_cc20'
    result = invoke(
        *('evaluate', yolox, '--dataset', folder / 'instances_val2017_cc20.json'),
        *('--images', folder / 'images', '--engine', 'onnxruntime', '--json'),
    )
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)
    expected = golden['yolox_nano.onnx|onnxruntime']
    assert [row[name] for name in expected] == pytest.approx(list(expected.values()), abs=0.005)


def test_files_of_one_name_are_told_apart_and_copies_are_left_out(invoke, yolox, shared_data):
    pytest.importorskip('pycocotools', reason='pycocotools is not installed')
    pytest.importorskip('ai_edge_litert', reason='LiteRT is not installed')
    name = 'yolox_nano_float16_quantize.tflite'
    entries = [yolox / 'artifacts', directory_of(yolox) / 'fp16-a', directory_of(yolox) / 'fp16-b']
    for folder in entries:
        folder.mkdir(parents=True)
        shutil.copyfile(shared_data / 'yolox_nano' / name, folder / name)
        (folder / 'entry.json').write_text('{}')
        (folder.parent / f'{folder.name}.current').write_text(folder.name)
    (entries[0] / 'entry.json').unlink()
    with (entries[2] / name).open('ab') as file:
        file.write(b'another build')
    for folder in entries:
        prove(folder / name, yolox)
    data = shared_data / 'coco_cc20'
    given = ('--dataset', data / 'instances_val2017_cc20.json', '--images', data / 'images')
    result = invoke('evaluate', yolox, *given, '--engine', 'litert')
    assert result.exit_code == 0, result.output
    assert re.findall(rf'(\S+)/{name}', result.stdout) == ['artifacts', 'cache']


def test_a_dataset_that_is_none_is_a_sentence(invoke, yolox, tmp_path):
    pytest.importorskip('pycocotools', reason='pycocotools is not installed')
    (tmp_path / 'labels.json').write_text('[]')
    result = invoke('evaluate', yolox, '--dataset', tmp_path / 'labels.json', '--images', tmp_path)
    assert result.exit_code == 2
    assert 'is not a file of COCO annotations' in result.stderr


def test_bench_writes_figures_and_a_report(invoke, yolox, tmp_path):
    pytest.importorskip('matplotlib', reason='matplotlib is not installed')
    report = tmp_path / 'bench.html'
    result = invoke(
        *('bench', yolox, '--engine', 'onnxruntime', '--threads', '1,2', '--frames', '3'),
        *('--report', report, '--json'),
    )
    assert result.exit_code == 0, result.output
    runs = json.loads(result.stdout)['runs']
    assert [run['threads'] for run in runs] == [1, 2]
    for run in runs:
        assert run['trouble'] == ''
        assert run['BasicPerformanceMetrics.NUM_FRAMES_SENT'] == 3
        assert run['P50_LATENCY'] <= run['P95_LATENCY'] <= run['P99_LATENCY']
        assert run['RSS_MB'] > 20
    assert report.read_text().count('<svg') == 2


def test_bench_tells_how_far_each_run_is(invoke, yolox, monkeypatch):
    shares = []

    @contextmanager
    def steps():
        yield lambda what, share: shares.append(share)

    answer = {'infer_ms': [1.0, 2.0], 'cpu_share': 1.0, 'rss_mb': 1.0, 'device': 'cpu'}
    lines = [json.dumps({'done': 50}), json.dumps(answer)]
    code = f'import sys; sys.stdin.read(); print({lines[0]!r}); print({lines[1]!r})'
    monkeypatch.setattr(bench, 'steps', steps)
    monkeypatch.setattr(benchmark_child, 'CHILD', (sys.executable, '-c', code))
    wanted = ('--engine', 'onnxruntime', '--threads', '1,2', '--json')
    result = invoke('bench', yolox, *wanted)
    assert [run['P50_LATENCY'] for run in json.loads(result.stdout)['runs']] == [1.5, 1.5]
    assert shares == [0.0, 0.25, 0.5, 0.5, 0.75, 1.0]


def test_a_run_that_dies_is_said_and_the_others_go_on(invoke, yolox, monkeypatch):
    code = 'import os, sys; sys.stdin.read(); print(\'{"done": 1}\', flush=True); os._exit(3)'
    monkeypatch.setattr(benchmark_child, 'CHILD', (sys.executable, '-c', code))
    result = invoke('bench', yolox, '--engine', 'onnxruntime', '--threads', '1,2', '--json')
    assert result.exit_code == 1
    troubles = [run['trouble'] for run in json.loads(result.stdout)['runs']]
    assert troubles == ['its process ended with status 3: it said nothing'] * 2


def test_a_folder_named_like_the_package_does_not_stand_in_its_way(
    invoke, yolox, tmp_path, monkeypatch
):
    (tmp_path / 'here' / 'edge_perception').mkdir(parents=True)
    (tmp_path / 'here' / 'edge_perception' / '__init__.py').write_text('raise ImportError')
    monkeypatch.chdir(tmp_path / 'here')
    result = invoke(
        *('bench', yolox, '--engine', 'onnxruntime', '--threads', '1', '--frames', '2', '--json')
    )
    (run,) = json.loads(result.stdout)['runs']
    assert run['trouble'] == ''


def test_a_run_that_dies_at_once_is_said_with_its_last_words(invoke, yolox, monkeypatch):
    code = "import sys; sys.exit('no such device')"
    monkeypatch.setattr(benchmark_child, 'CHILD', (sys.executable, '-c', code))
    result = invoke('bench', yolox, '--engine', 'onnxruntime', '--threads', '1', '--json')
    (run,) = json.loads(result.stdout)['runs']
    assert run['trouble'] == 'its process ended with status 1: no such device'


def test_figures_of_known_times():
    values = figures(EngineTimes(infer_ms=(10.0, 20.0, 10.0), cpu_share=1.5, rss_mb=90.0))
    assert values['BasicPerformanceMetrics.MEAN_FRAME_RATE'] == pytest.approx(75)
    assert values['BasicPerformanceMetrics.MEAN_JITTER'] == 10
    assert values['BasicPerformanceMetrics.STD_DEV_JITTER'] == 0
    assert values['ResourceMetrics.MEAN_OVERALL_CPU_UTILIZATION'] == 150
    assert values['P50_LATENCY'] == 10


@pytest.mark.parametrize('command', ['bench', 'evaluate'])
def test_an_artifact_that_does_not_exist_is_a_sentence(invoke, yolox, shared_data, command):
    pytest.importorskip('pycocotools', reason='pycocotools is not installed')
    folder = shared_data / 'coco_cc20'
    labels = ('--dataset', folder / 'instances_val2017_cc20.json', '--images', folder / 'images')
    more = labels if command == 'evaluate' else ()
    result = invoke(command, yolox, '--artifact', 'none.onnx', *more, '--json')
    assert result.exit_code == 2
    assert 'artifact none.onnx: no such file; correct the path' in result.stderr
    assert result.stdout == ''


@pytest.mark.parametrize('command', ['bench', 'evaluate'])
def test_artifacts_that_no_engine_reads_are_named(invoke, yolox, shared_data, tmp_path, command):
    pytest.importorskip('pycocotools', reason='pycocotools is not installed')
    folder = shared_data / 'coco_cc20'
    labels = ('--dataset', folder / 'instances_val2017_cc20.json', '--images', folder / 'images')
    more = labels if command == 'evaluate' else ()
    files = (tmp_path / 'a.tflite', tmp_path / 'b.plan')
    for file in files:
        file.touch()
        more = (*more, '--artifact', file)
    readable = ('--artifact', yolox / 'yolox_nano.onnx')
    result = invoke(command, yolox, *more, *readable, '--engine', 'onnxruntime')
    assert result.exit_code == 2
    for file in files:
        assert f'artifact {file}: is read by none of the engines that are measured: ' in (
            result.stderr
        )


def test_a_model_that_no_engine_here_reads_is_a_sentence(invoke, yolox):
    model, manifest = yolox / 'net.vendor', yolox / 'model.yaml'
    model.touch()
    values = yaml.safe_load(manifest.read_text())
    values['source'] = {'file': model.name}
    manifest.write_text(yaml.safe_dump(values))
    result = invoke('bench', yolox)
    assert result.exit_code == 2
    assert f'artifact {model}: is read by none of the engines that are measured: ' in result.stderr
    assert 'has no artifact that is proven for them; build one' in result.stderr


@pytest.fixture
def instant(monkeypatch):
    """Make bench answer at once with the options that it was asked for."""
    answer = {'infer_ms': [1.0, 2.0], 'cpu_share': 1.0, 'rss_mb': 1.0}
    code = (
        'import json, sys; order = json.load(sys.stdin); '
        f'print(json.dumps({answer!r} | {{"device": str(order["options"])}}))'
    )
    monkeypatch.setattr(benchmark_child, 'CHILD', (sys.executable, '-c', code))


def test_options_of_the_engine_reach_what_is_measured(invoke, yolox, instant):
    options = ('--threads', '2', '-o', 'onnxruntime.graph_level=basic')
    result = invoke('bench', yolox, *options, '--json')
    runs = {run['engine']: run for run in json.loads(result.stdout)['runs']}
    expected = {'graph_level': 'basic', 'threads': 2}
    assert runs['onnxruntime']['device'] == str(expected)
    result = invoke('bench', yolox, '--engine', 'onnxruntime', '-o', 'graph_level=bacis')
    assert result.exit_code == 2
    assert "graph_level: got 'bacis', expected one of" in result.stderr
    result = invoke('bench', yolox, '--engine', 'onnxruntime', '-o', 'threads=2')
    assert result.exit_code == 2
    assert '-o threads: has an option of its own, expected --threads N' in result.stderr


def test_average_precision_is_measured_with_the_options_of_the_engine(invoke, yolox, shared_data):
    pytest.importorskip('pycocotools', reason='pycocotools is not installed')
    folder = shared_data / 'coco_cc20'
    labels = ('--dataset', folder / 'instances_val2017_cc20.json', '--images', folder / 'images')
    result = invoke('evaluate', yolox, *labels, '--engine', 'onnxruntime', '-o', 'threads=many')
    assert result.exit_code == 2
    assert "threads: got 'many', expected an integer" in result.stderr


@pytest.mark.parametrize('what', ['artifact', 'model'])
def test_a_proof_that_does_not_hold_is_said_and_its_artifact_left_out(
    invoke, yolox, shared_data, instant, what
):
    pytest.importorskip('ai_edge_litert', reason='LiteRT is not installed')
    (yolox / 'artifacts').mkdir()
    for name in ('good.tflite', 'bad.tflite'):
        artifact = yolox / 'artifacts' / name
        source = shared_data / 'yolox_nano' / 'yolox_nano_float16_quantize.tflite'
        shutil.copyfile(source, artifact)
        prove(artifact, yolox)
    if what == 'artifact':
        with artifact.open('ab') as file:
            file.write(b'another build')
    else:
        proof = yolox / 'artifacts' / 'bad.tflite.litert.proof.json'
        values = json.loads(proof.read_text())
        proof.write_text(json.dumps(values | {'model_digest': '0' * 64}))
    result = invoke('bench', yolox, '--engine', 'litert', '--threads', '1', '--json')
    assert [run['artifact'] for run in json.loads(result.stdout)['runs']] == ['good.tflite']
    why = {'artifact': 'was changed after', 'model': 'was proven for another '}[what]
    assert f'left out: artifact {artifact}: {why}' in result.stderr


def test_a_report_that_cannot_be_written_does_not_cost_the_figures(
    invoke, yolox, instant, tmp_path
):
    (tmp_path / 'file').touch()
    report = tmp_path / 'file' / 'bench.html'
    wanted = ('--engine', 'onnxruntime', '--threads', '1', '--report', report)
    result = invoke('bench', yolox, *wanted)
    assert result.exit_code == 2
    assert f'{report}: cannot be written' in result.stderr
    assert 'yolox_nano.onnx' in result.stdout


def test_without_matplotlib_the_report_has_no_plots_and_says_so(
    invoke, yolox, instant, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    report = tmp_path / 'bench.html'
    wanted = ('--engine', 'onnxruntime', '--threads', '1', '--report', report)
    result = invoke('bench', yolox, *wanted)
    assert result.exit_code == 0, result.stderr
    assert 'the report has no plots: matplotlib is missing' in result.stderr
    assert 'the report has no plots' in report.read_text()


@pytest.mark.parametrize('command', ['bench', 'evaluate'])
def test_brackets_in_troubles_are_no_markup(
    invoke, yolox, shared_data, tmp_path, monkeypatch, command
):
    pytest.importorskip('pycocotools', reason='pycocotools is not installed')
    folder = shared_data / 'coco_cc20'
    labels = ('--dataset', folder / 'instances_val2017_cc20.json', '--images', folder / 'images')
    more = labels if command == 'evaluate' else ('--threads', '1')
    artifact = tmp_path / '[cpu] [' / 'x]' / 'net.onnx'
    artifact.parent.mkdir(parents=True)
    artifact.write_text('no network')
    result = invoke(command, yolox, *more, '--artifact', artifact, '--engine', 'onnxruntime')
    assert result.exit_code == 1
    assert str(artifact) in result.stdout


def test_threads_that_are_no_numbers(invoke, yolox):
    result = invoke('bench', yolox, '--threads', 'many')
    assert result.exit_code == 2
    assert "got 'many', expected numbers such as 1,2" in result.stderr


def test_the_toolchain_says_what_it_needs_before_it_does_anything(invoke, tmp_path):
    result = invoke('toolchain', 'install', 'tflite', '--python', tmp_path / 'no_python')
    assert result.exit_code == 2
    assert 'needs Python 3.12 or newer, and' in result.stderr
    result = invoke('toolchain', 'install', 'tflit')
    assert result.exit_code == 2
    assert "did you mean 'tflite'?" in result.stderr
    result = invoke('toolchain', 'list')
    assert 'tflite: 661 MB, not installed' in result.stdout


def test_a_python_that_stands_on_the_path_but_does_not_run_is_named(invoke, tmp_path):
    shim = tmp_path / 'python3.12'
    shim.write_text('#!/bin/sh\nexit 127\n')
    shim.chmod(0o755)
    result = invoke('toolchain', 'install', 'tflite', '--python', shim)
    assert result.exit_code == 2
    assert f'({shim}: cannot be run); install one, e.g. apt' in result.stderr


def test_cache_of_nothing(invoke, tmp_path):
    assert str(tmp_path / 'cache') in invoke('cache', 'path').stdout
    assert json.loads(invoke('cache', 'list', '--json').stdout) == []
    assert json.loads(invoke('cache', 'prune', '--json').stdout) == {'removed': 0, 'bytes': 0}


def directory_of(folder: Path) -> Path:
    return cache_directory(find_model(str(folder), draft=lambda _: None))


def prove(artifact: Path, folder: Path) -> None:
    proof = Proof(
        artifact_sha256=file_sha256(artifact),
        model_digest=find_model(str(folder), draft=lambda _: None).digest(),
        engine='litert',
        precision='fp16',
        reference='the model',
        passed=True,
        versions={'engine': PluginHost().engines['litert'].probe().runtime},
    )
    write_proof(artifact, proof)
