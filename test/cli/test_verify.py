# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
import re
import shutil

import pytest
import yaml

from edge_perception.models.proofs import read_proof
from edge_perception.models.proofs import write_proof


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """Stand in an empty folder: reports of what is rejected go there."""
    folder = tmp_path / 'here'
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def verify(invoke, shared_data, here):
    """Verify a copy of a file of YOLOX-nano, as the README shows it."""

    def call(name: str, *extra: object):
        pytest.importorskip('ai_edge_litert', reason='LiteRT is not installed')
        source = shared_data / 'yolox_nano'
        artifact = Path(shutil.copy(source / name, here))
        images = shared_data / 'coco_cc20' / 'images'
        arguments = (artifact, '--reference', source / 'yolox_nano.onnx', '--images', images)
        return artifact, invoke('verify', *arguments, *extra)

    return call


def test_a_good_artifact_passes_and_is_proven(verify):
    artifact, result = verify('yolox_nano_float16_quantize.tflite', '--json')
    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout)
    assert values['passed']
    assert values['precision'] == 'fp16'
    assert values['agreement']['missed'] == values['agreement']['false_positives'] == 0
    proof = read_proof(artifact, 'litert')
    assert proof is not None
    assert proof.passed
    assert proof.figures['images'] == 20


def test_a_proof_outside_of_the_model_folder_comes_with_what_to_do(
    yolox, invoke, shared_data, here, street
):
    pytest.importorskip('ai_edge_litert', reason='LiteRT is not installed')
    source = shared_data / 'yolox_nano' / 'yolox_nano_float16_quantize.tflite'
    artifact = Path(shutil.copy(source, yolox))
    result = invoke('verify', artifact, '--reference', yolox, '--images', street)
    assert result.exit_code == 0, result.output
    command = f'edge-perception run {yolox} {street} --engine litert --artifact {artifact}'
    assert f'look at it: {command}' in result.stdout
    assert f'parameters of the node: engine: litert, artifact: {artifact}' in result.stdout
    assert f'copy it and its proof to {yolox}/artifacts' in result.stdout
    result = invoke('run', yolox, street, '--engine', 'litert')
    assert f'{artifact.name} beside the model is not looked at: move it' in result.stderr
    (yolox / 'artifacts').mkdir()
    for path in yolox.glob(f'{artifact.name}*'):
        path.rename(yolox / 'artifacts' / path.name)
    assert invoke('run', yolox, street, '--engine', 'litert').exit_code == 0
    artifact = yolox / 'artifacts' / artifact.name
    result = invoke('verify', artifact, '--reference', yolox, '--images', street)
    assert 'parameters of the node: engine: litert\n' in result.stdout
    assert 'copy it' not in result.stdout


def test_options_with_the_name_of_the_engine_prove_and_are_told_to_the_node(
    yolox, invoke, shared_data, here, street
):
    pytest.importorskip('ai_edge_litert', reason='LiteRT is not installed')
    source = shared_data / 'yolox_nano' / 'yolox_nano_float16_quantize.tflite'
    artifact = shutil.copy(source, here)
    given = ('--reference', yolox, '--images', street)
    for option in ('litert.threads=1', 'threads=1'):
        result = invoke('verify', artifact, *given, '-o', option)
        assert result.exit_code == 0, result.output
        assert f'--artifact {artifact} --option threads=1\n' in result.stdout
        assert 'engine: litert, engine_options.litert.threads: 1, artifact: ' in result.stdout


@pytest.fixture
def bare(shared_data, here) -> Path:
    """Return a bare file of YOLOX-nano."""
    (here / 'bare').mkdir()
    source = shared_data / 'yolox_nano' / 'yolox_nano.onnx'
    return Path(shutil.copyfile(source, here / 'bare' / source.name))


def test_a_manifest_of_another_file_is_refused(yolox, invoke, bare, street):
    manifest = yolox / 'model.yaml'
    values = yaml.safe_load((yolox / 'model.yaml').read_text())
    values['source']['sha256'] = '0' * 64
    manifest.write_text(yaml.safe_dump(values))
    given = ('--manifest', manifest, '--images', street, '--engine', 'openvino')
    result = invoke('verify', bare, '--reference', bare, *given)
    assert result.exit_code == 2
    assert f'the manifest expects {"0" * 64}' in result.stderr


def test_a_manifest_that_lies_elsewhere_is_to_be_copied(yolox, invoke, bare, street):
    pytest.importorskip('openvino', reason='OpenVINO is not installed')
    manifest, target = yolox / 'model.yaml', bare.with_name('model.yaml')
    given = ('--reference', bare, '--images', street, '--engine', 'openvino')
    result = invoke('verify', bare, *given, '--manifest', manifest)
    assert result.exit_code == 0, result.output
    copy = f'copy yours, with source.file {bare.name}, and the labels that it names: cp {manifest}'
    assert f'{copy} {target}' in result.stderr
    for name in ('model.yaml', 'coco_classes.txt'):
        shutil.copy(yolox / name, bare.parent)
    result = invoke('verify', bare, *given, '--manifest', target)
    assert f'look at it: edge-perception run {target} {street} --engine openvino' in result.stdout


def test_a_report_that_cannot_be_written_costs_neither_verdict_nor_proof(verify, here):
    (here / 'file').touch()
    report = here / 'file' / 'report.html'
    artifact, result = verify('yolox_nano_float16_quantize.tflite', '--report', report)
    assert result.exit_code == 2
    assert f'{report}: cannot be written' in result.stderr
    assert '0 missed detections, 0 false positives' in result.stdout
    assert read_proof(artifact, 'litert') is not None


def test_the_limits_and_the_counts_behind_shares_are_said(verify):
    name = 'yolox_nano_int8_quantize.tflite'  # its weights are in float
    _, result = verify(name)
    assert 'limits of fp32 (read from the file; --precision changes it)' in result.stdout
    assert re.search(r'missed +0\.\d+ \(\d+ of 76\)', result.stdout)
    assert '76 objects are too few for missed, false_positives: a single one breaks the limit' in (
        result.stderr
    )
    assert '100 objects or more' in result.stderr
    _, result = verify(name, '--precision', 'int8')
    assert 'limits of int8\n' in result.stdout
    assert 'too few' not in result.stderr


def test_what_is_assumed_of_a_bare_file_is_said(verify):
    _, result = verify('yolox_nano_float16_quantize.tflite')
    assert "yolox_nano.onnx has no manifest; as its outputs look like those of 'yolox'" in (
        result.stderr
    )
    assert 'resize letterbox_top_left' in result.stderr
    assert 'before it can be loaded, yolox_nano.onnx needs a model.yaml' in result.stderr


def test_a_bad_artifact_is_rejected_with_a_report_and_without_a_proof(verify, here):
    artifact, result = verify('yolox_nano_int8_quantize.tflite')
    assert result.exit_code == 3
    assert read_proof(artifact, 'litert') is None
    (report,) = here.glob('*.html')
    text = report.read_text()
    assert 'Rejected.' in text
    assert 'detections: missed is' in text
    assert text.count('<figure>') == 6  # the worst images, each from both sides


def test_a_proof_that_does_not_hold_any_more_is_taken_away(verify, here):
    artifact, _ = verify('yolox_nano_float16_quantize.tflite')
    proof = read_proof(artifact, 'litert')
    assert proof is not None
    bad = here / 'yolox_nano_int8_quantize.tflite'
    write_proof(bad, proof)
    _, result = verify(bad.name)
    assert result.exit_code == 3
    assert 'is removed' in result.stderr
    assert read_proof(bad, 'litert') is None


def test_limits_of_the_manifest_hold(yolox, invoke, shared_data, here):
    pytest.importorskip('ai_edge_litert', reason='LiteRT is not installed')
    manifest = yolox / 'model.yaml'
    manifest.write_text(manifest.read_text() + 'gate: {fp16: {snr_db: 90}}\n')
    source = shared_data / 'yolox_nano' / 'yolox_nano_float16_quantize.tflite'
    images = shared_data / 'coco_cc20' / 'images'
    artifact = shutil.copy(source, here)
    result = invoke('verify', artifact, '--reference', yolox, '--images', images)
    assert result.exit_code == 3
    assert (read_proof(Path(artifact), 'litert')) is None


@pytest.mark.parametrize(
    ('gate', 'complaint'),
    [
        ('{fp16: {snr: 9}}', "gate.fp16.snr: unknown limit, did you mean 'snr_db'?"),
        ('{half: {snr_db: 9}}', "gate: got 'half', expected one of fp32, fp16, bf16, int8"),
        ('{int8: {missed: much}}', "gate.int8.missed: got 'much', expected a number"),
    ],
)
def test_a_limit_that_does_not_exist_is_named(yolox, invoke, shared_data, here, gate, complaint):
    manifest = yolox / 'model.yaml'
    manifest.write_text(f'{manifest.read_text()}gate: {gate}\n')
    artifact = here / 'other.onnx'
    shutil.copy(shared_data / 'yolox_nano' / 'yolox_nano.onnx', artifact)
    images = shared_data / 'coco_cc20' / 'images'
    result = invoke('verify', artifact, '--reference', yolox, '--images', images)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_pictures_that_show_nothing_prove_nothing(yolox, invoke, shared_data, here):
    import cv2
    import numpy as np

    (here / 'black').mkdir()
    cv2.imwrite(str(here / 'black' / 'black.png'), np.zeros((60, 80, 3), np.uint8))
    artifact = shutil.copy(shared_data / 'yolox_nano' / 'yolox_nano.onnx', here / 'other.onnx')
    result = invoke('verify', artifact, '--reference', yolox, '--images', here / 'black')
    assert result.exit_code == 2
    assert 'the reference sees nothing in 1 images' in result.stderr


def test_the_reference_is_no_proof_of_itself(yolox, invoke, shared_data, here):
    images = shared_data / 'coco_cc20' / 'images'
    result = invoke('verify', yolox / 'yolox_nano.onnx', '--reference', yolox, '--images', images)
    assert result.exit_code == 2
    assert 'is the artifact itself on the same engine' in result.stderr


def test_a_model_without_pictures_says_how_to_name_some(yolox, invoke, shared_data, here):
    artifact = shutil.copy(shared_data / 'yolox_nano' / 'yolox_nano.onnx', here / 'other.onnx')
    result = invoke('verify', artifact, '--reference', yolox)
    assert result.exit_code == 2
    assert 'name them with --images FOLDER' in result.stderr


def test_labels_decide_as_well(verify, shared_data):
    labels = shared_data / 'coco_cc20' / 'instances_val2017_cc20.json'
    _, good = verify('yolox_nano_float16_quantize.tflite', '--dataset', labels, '--json')
    assert good.exit_code == 0
    (drop,) = [each for each in json.loads(good.stdout)['checks'] if each['name'] == 'ap_drop']
    assert drop['subject'] == 'labels'
    assert drop['passed']
    _, bad = verify('yolox_nano_int8_quantize.tflite', '--dataset', labels, '--json')
    assert bad.exit_code == 3
    assert any('labels: ap_drop is' in each for each in json.loads(bad.stdout)['problems'])


def test_labels_without_objects_prove_nothing(verify, shared_data, here):
    pytest.importorskip('pycocotools', reason='pycocotools is not installed')
    values = json.loads((shared_data / 'coco_cc20' / 'instances_val2017_cc20.json').read_text())
    labels = here / 'empty.json'
    labels.write_text(json.dumps({**values, 'images': values['images'][:1], 'annotations': []}))
    artifact, result = verify('yolox_nano_float16_quantize.tflite', '--dataset', labels)
    assert result.exit_code == 2
    assert 'so there is nothing to judge' in result.stderr
    assert read_proof(artifact, 'litert') is None


def test_a_rejection_with_an_option_leaves_the_proof_without_it(yolox, invoke, shared_data, here):
    pytest.importorskip('ai_edge_litert', reason='LiteRT is not installed')
    source = shared_data / 'yolox_nano' / 'yolox_nano_float16_quantize.tflite'
    artifact = Path(shutil.copy(source, here))
    images = shared_data / 'coco_cc20' / 'images'
    given = ('verify', artifact, '--reference', yolox, '--images', images)
    assert invoke(*given).exit_code == 0
    proof = read_proof(artifact, 'litert')
    assert proof is not None
    manifest = yolox / 'model.yaml'
    manifest.write_text(manifest.read_text() + 'gate: {fp16: {snr_db: 90}}\n')
    assert invoke(*given, '-o', 'threads=1').exit_code == 3
    assert read_proof(artifact, 'litert') == proof
    assert invoke(*given).exit_code == 3
    assert read_proof(artifact, 'litert') is None
