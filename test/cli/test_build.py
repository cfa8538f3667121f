# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
from pathlib import Path
import re
import shlex
import shutil
import subprocess
import sys

import onnx
import pytest
import yaml

from edge_perception.models.artifact_directories import build_command
from edge_perception.models.proofs import read_proof
from test.cli.build_rig import build
from test.cli.build_rig import MANIFEST
from test.cli.build_rig import refused
from test.support.networks import tensor


@pytest.mark.parametrize('precision', ['fp32', 'fp16', 'int8'])
def test_an_artifact_is_built_proven_and_taken_from_the_cache_next_time(invoke, folder, precision):
    extra = ['--precision', precision, '--json']
    extra += ['--calibration', folder / 'golden'] if precision == 'int8' else []
    result = build(invoke, folder, *extra)
    assert result.exit_code == 0, result.output
    first = json.loads(result.stdout)
    proof = read_proof(Path(first['artifact']), 'onnxruntime')
    assert proof is not None
    assert proof.passed
    assert (proof.precision, proof.device) == (precision, 'any')
    again = json.loads(build(invoke, folder, *extra).stdout)
    assert again['cached']
    assert again['artifact'] == first['artifact']


@pytest.mark.parametrize(
    ('target', 'precision'),
    [('onnxruntime', 'fp32'), ('onnxruntime', 'int8'), ('openvino', 'fp16'), ('openvino', 'int8')],
)
def test_preprocessing_is_folded_compared_and_run(invoke, folder, target, precision):
    if (target, precision) == ('openvino', 'int8'):
        pytest.importorskip('nncf', reason='NNCF is not installed')
    extra = ['--precision', precision, '--fold-preprocessing', '--json']
    extra += ['--calibration', folder / 'golden'] if precision == 'int8' else []
    result = build(invoke, folder, *extra, target=target)
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    artifact = Path(made['artifact'])
    (image,) = onnx.load(artifact).graph.input
    assert image.name == 'edge_perception_bgr8'
    assert [size.dim_value for size in image.type.tensor_type.shape.dim] == [1, 4, 6, 3]
    assert read_proof(artifact, target).precision == precision
    assert '--fold-preprocessing' in build_command(artifact.parent)
    golden = folder / 'golden/0.png'
    found = [
        json.loads(invoke('run', folder, golden, '--engine', target, '--json', *named).stdout)
        for named in ((), ('--artifact', artifact))
    ]
    assert found[0]['keypoints'] == found[1]['keypoints'] or precision == 'int8'
    plain = json.loads(build(invoke, folder, *extra[:2], *extra[3:], target=target).stdout)
    assert plain['artifact'] != made['artifact']


def test_json_is_all_that_comes_out_even_when_nncf_has_progress_bars(invoke, folder):
    pytest.importorskip('nncf', reason='NNCF is not installed')
    extra = ('--precision', 'int8', '--calibration', folder / 'golden', '--json')
    result = build(invoke, folder, *extra, target='openvino')
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)['passed']


def test_the_command_that_made_an_entry_is_kept_and_makes_it_again(invoke, folder, tmp_path):
    made = build(
        invoke,
        *('net', '--precision', 'int8', '--calibration', 'net/golden', '--images', 'net/golden'),
        *('--full-int8', '--json'),
    )
    artifact = Path(json.loads(made.stdout)['artifact'])
    command = build_command(artifact.parent)
    assert command == (
        f'edge-perception build {folder} --target onnxruntime --precision int8 '
        f'--calibration {folder}/golden --images {folder}/golden --full-int8'
    )
    again = invoke(*shlex.split(command)[1:], '--json')
    assert json.loads(again.stdout)['artifact'] == str(artifact)
    assert json.loads(again.stdout)['cached']


def test_what_was_built_is_what_an_engine_loads(invoke, folder):
    build(invoke, folder, '--precision', 'fp16')
    result = invoke('run', folder, folder / 'golden', '--precision', 'fp16', '--json')
    assert result.exit_code == 0, result.output
    assert 'not verified' not in result.stderr


def test_it_is_said_how_to_load_what_was_built(invoke, folder):
    result = build(invoke, folder, '--precision', 'fp16')
    (command,) = re.findall('^look at it: (.*)$', result.stdout, re.MULTILINE)
    (parameters,) = re.findall('^parameters of the node: (.*)$', result.stdout, re.MULTILINE)
    assert parameters == ('engine: onnxruntime, precision: fp16; without it net.onnx is loaded')
    assert command == (
        f'edge-perception run {folder} {folder}/golden --engine onnxruntime --precision fp16'
    )
    result = invoke(*shlex.split(command)[1:], '--json')
    assert result.exit_code == 0, result.output
    assert 'not verified' not in result.stderr


def test_what_no_precision_asks_for_is_named_by_its_path(invoke, folder):
    result = build(invoke, folder)  # the model itself is as exact, and comes first
    (artifact,) = re.findall('^artifact: (.*)$', result.stdout, re.MULTILINE)
    assert f'--engine onnxruntime --artifact {artifact}' in result.stdout
    assert f'engine: onnxruntime, artifact: {artifact}; without it net.onnx' in result.stdout


def test_output_gets_the_artifact_and_its_proof(invoke, folder):
    result = build(invoke, folder, '--precision', 'fp16', '--output', folder / 'artifacts')
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (folder / 'artifacts').iterdir()) == [
        'net_fp16.onnx', 'net_fp16.onnx.onnxruntime.proof.json',
    ]  # fmt: skip


def test_what_is_rejected_leaves_a_report_and_nothing_else(invoke, folder, left, tmp_path):
    manifest = {**MANIFEST, 'gate': {'fp32': {'snr_db': 1000}}}
    (folder / 'model.yaml').write_text(yaml.safe_dump(manifest))
    result = build(invoke, folder)
    assert result.exit_code == 3, result.output
    assert left() == []
    assert (tmp_path / 'net_fp32.onnx.onnxruntime.gate.html').is_file()


def test_what_is_rejected_can_be_kept_and_no_engine_loads_it(invoke, folder):
    manifest = {**MANIFEST, 'gate': {'fp16': {'snr_db': 1000}}}
    (folder / 'model.yaml').write_text(yaml.safe_dump(manifest))
    result = build(invoke, folder, '--precision', 'fp16', '--keep-rejected', '--json')
    assert result.exit_code == 3
    artifact = json.loads(result.stdout)['artifact']
    result = invoke('run', folder, folder / 'golden', '--artifact', artifact)
    assert result.exit_code == 2
    assert 'and rejected; build it again: edge-perception build' in result.stderr


def test_what_is_rejected_and_kept_takes_no_place_of_what_has_passed(invoke, folder):
    good = json.loads(build(invoke, folder, '--precision', 'fp16', '--json').stdout)['artifact']
    strict = {**MANIFEST, 'gate': {'fp16': {'snr_db': 1000}}}
    (folder / 'model.yaml').write_text(yaml.safe_dump(strict))
    assert build(invoke, folder, '--precision', 'fp16', '--keep-rejected').exit_code == 3
    result = invoke('run', folder, folder / 'golden', '--precision', 'fp16', '--json')
    assert result.exit_code == 0, result.output
    assert json.loads(invoke('cache', 'prune', '--json').stdout)['removed'] == 1
    assert Path(good).is_file()


def test_a_proof_tells_the_precision_of_what_it_was_compared_with(invoke, folder, tmp_path):
    extra = ('--precision', 'fp16', '--output', tmp_path)
    assert build(invoke, folder, *extra).exit_code == 0
    result = invoke(
        'verify', folder / 'net.onnx', '--reference', tmp_path / 'net_fp16.onnx', '--json',
        '--manifest', folder / 'model.yaml', '--images', folder / 'golden', '--precision', 'fp16',
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)['reference'] == 'net_fp16.onnx on onnxruntime, fp16'


@pytest.mark.parametrize('extra', [('--calibration', 'net'), ('--full-int8',)])
def test_what_only_8_bits_need_is_refused_without_them(invoke, folder, left, extra):
    result = build(invoke, folder, *extra)
    assert result.exit_code == 2
    assert f'{extra[0]} is for int8: got --precision fp32' in result.stderr
    assert left() == []


def test_what_comes_from_the_cache_was_not_judged_again_and_that_is_said(invoke, folder, tmp_path):
    report = tmp_path / 'report.html'
    build(invoke, folder)
    cached = build(invoke, folder, '--report', report)
    assert 'for a --report, add --rebuild' in cached.stderr
    assert not report.exists()
    rebuilt = build(invoke, folder, '--report', report, '--rebuild', '--json')
    assert json.loads(rebuilt.stdout)['reports'] == [str(report)]
    assert report.is_file()


def test_bad_calibration_is_a_sentence(invoke, folder, left, tmp_path):
    (tmp_path / 'empty').mkdir()
    result = build(invoke, folder, '--precision', 'int8', '--calibration', tmp_path / 'empty')
    assert 'no image and no video' in refused(result, left)
    result = build(invoke, folder, '--precision', 'int8', '--calibration', tmp_path / 'none')
    assert 'no such file or folder' in refused(result, left)
    (tmp_path / 'empty' / 'a.png').write_bytes(b'no picture')
    result = build(invoke, folder, '--precision', 'int8', '--calibration', tmp_path / 'empty')
    assert 'is not an image that OpenCV can read' in refused(result, left)
    result = build(invoke, folder, '--precision', 'int8')
    assert '--calibration FOLDER' in refused(result, left)


def test_both_folders_that_int8_needs_are_asked_for_at_once(invoke, folder, left):
    shutil.rmtree(folder / 'golden')
    result = build(invoke, folder, '--precision', 'int8')
    assert result.exit_code == 2
    assert '--calibration FOLDER' in result.stderr
    assert 'name them with --images FOLDER' in result.stderr
    assert left() == []


def test_bad_targets_are_sentences(invoke, folder, left):
    result = build(invoke, folder, target='onnxruntim')
    assert "did you mean 'onnxruntime'?" in refused(result, left)


def test_a_toolchain_that_is_missing_says_what_to_run(invoke, folder, left):
    result = build(invoke, folder, target='tflite')
    assert 'run: edge-perception toolchain install tflite' in refused(result, left)


def test_not_an_onnx(invoke, folder, left):
    (folder / 'net.onnx').write_bytes(b'\x08\x03 something else')
    assert 'not an ONNX file' in refused(build(invoke, folder), left)


def test_weights_that_are_missing_or_lie_elsewhere(invoke, folder, left):
    model = onnx.load(folder / 'net.onnx')
    onnx.save(
        model,
        folder / 'net.onnx',
        save_as_external_data=True,
        location='net.data',
        size_threshold=0,
    )
    (folder / 'net.data').rename(folder / 'other.data')
    assert 'keeps weights in net.data, which does not exist' in refused(
        build(invoke, folder), left
    )
    model = onnx.load(folder / 'net.onnx', load_external_data=False)
    for weight in model.graph.initializer:
        for entry in weight.external_data:
            if entry.key == 'location':
                entry.value = '../net.data'
    (folder.parent / 'net.data').write_bytes((folder / 'other.data').read_bytes())
    (folder / 'net.onnx').write_bytes(model.SerializeToString())
    assert "keeps weights in '../net.data', outside of its folder" in refused(
        build(invoke, folder), left
    )


def test_an_opset_that_is_too_new(invoke, folder, left):
    model = onnx.load(folder / 'net.onnx')
    model.opset_import[0].version = 999
    (folder / 'net.onnx').write_bytes(model.SerializeToString())
    assert 'has opset 999, expected 7 to' in refused(build(invoke, folder), left)


def newer_format(model):
    model.ir_version = 99


def foreign_operator(model):
    model.graph.node[0].op_type = 'MyConv'


def several_images(model):
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 8


@pytest.mark.parametrize(
    ('spoil', 'complaint'),
    [
        (newer_format, 'has version 99 of the file format, expected at most'),
        (foreign_operator, "uses the operator 'MyConv', which ONNX does not have"),
        (several_images, "the input 'image' takes 8 images at a time, expected 1"),
    ],
)
def test_an_onnx_that_nothing_can_be_made_of(invoke, folder, left, spoil, complaint):
    model = onnx.load(folder / 'net.onnx')
    spoil(model)
    (folder / 'net.onnx').write_bytes(model.SerializeToString())
    assert complaint in refused(build(invoke, folder), left)


def test_sizes_that_are_open_come_from_the_manifest_or_are_asked_for(invoke, folder, left):
    model = onnx.load(folder / 'net.onnx')
    for value, channels in ((model.graph.input[0], 3), (model.graph.output[0], 2)):
        value.CopyFrom(tensor(value.name, ('n', channels, 'h', 'w')))
    onnx.save(model, folder / 'net.onnx')
    assert build(invoke, folder).exit_code == 0
    bare = folder / 'golden' / 'bare.onnx'
    onnx.save(model, bare)
    result = build(invoke, bare)
    assert result.exit_code == 2
    assert 'the width and height of the input, any are possible' in result.stderr


def test_a_full_disk(folder, left, repository):
    limit = (
        'import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200)); '
        'from edge_perception.cli.main import main; main()'
    )
    done = subprocess.run(
        [sys.executable, '-c', limit, 'build', str(folder), '--target', 'onnxruntime'],
        env={**os.environ, 'PYTHONPATH': str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert 'Traceback' not in done.stderr
    assert 'free some' in done.stderr
    assert left() == []


def test_ctrl_c_leaves_nothing(folder, left, repository):
    """A builder that takes for ever, interrupted when it works in its folder."""
    script = (
        'import os, signal\n'
        'from edge_perception.tooling.building import gated_build\n'
        'def work(order, workspace, step, **rest):\n'
        "    (workspace / 'half').write_bytes(b'x')\n"
        '    os.kill(os.getpid(), signal.SIGINT)\n'
        '    signal.pause()\n'
        'gated_build.build = work\n'
        'from edge_perception.cli.main import main; main()'
    )
    done = subprocess.run(
        [sys.executable, '-c', script, 'build', str(folder), '--target', 'onnxruntime'],
        env={**os.environ, 'PYTHONPATH': str(repository)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert 'Aborted!' in done.stderr
    assert 'Traceback' not in done.stderr
    assert left() == []


@pytest.mark.parametrize(
    ('precision', 'opset'), [('fp32', 18), ('fp16', 18), ('int8', 18), ('int8', 22)]
)
@pytest.mark.parametrize('target', ['onnxruntime', 'openvino'])
def test_an_opset_that_cannot_be_brought_down_is_kept(invoke, folder, target, precision, opset):
    """Split of opset 18 and later, which exporters of today write, has no way back to 17."""
    if target == 'openvino':
        pytest.importorskip('openvino', reason='OpenVINO is not installed')
        pytest.importorskip('nncf', reason='NNCF is not installed')
    model = onnx.load(folder / 'net.onnx')
    model.opset_import[0].version = opset
    model.ir_version = 10 if opset > 20 else 8
    (output,) = model.graph.node[0].output
    model.graph.node[0].output[0] = 'all'
    model.graph.node.extend(
        [
            onnx.helper.make_node('Split', ['all'], ['a', 'b'], axis=1, num_outputs=2),
            onnx.helper.make_node('Concat', ['b', 'a'], [output], axis=1),
        ]
    )
    (folder / 'net.onnx').write_bytes(model.SerializeToString())
    extra = ['--calibration', folder / 'golden'] if precision == 'int8' else []
    result = build(invoke, folder, '--precision', precision, *extra, '--json', target=target)
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert made['passed']
    assert onnx.load(made['artifact']).opset_import[0].version == opset
