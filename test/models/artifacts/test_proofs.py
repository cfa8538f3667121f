# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Proofs beside artifacts: what they hold for, what ends them, and those that cannot be read."""

from __future__ import annotations

from dataclasses import replace
import json
import os

import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import InputRecipe
from edge_perception.contract import LabelMap
from edge_perception.contract.loading import processor
from edge_perception.models.artifact_directories import cache_directory
from edge_perception.models.proofs import proof_path
from edge_perception.models.proofs import read_proof
from test.models.artifacts.artifact_rig import choose
from test.models.artifacts.artifact_rig import Planner
from test.models.artifacts.artifact_rig import Precise
from test.models.artifacts.artifact_rig import Reader
from test.models.artifacts.artifact_rig import refusal
from test.models.artifacts.artifact_rig import save_onnx_in_two_files
from test.support.raising import raises

FLOAT16, NO_FLOAT16 = 'Features\t: fp asimd fphp asimdhp crc32', 'Features\t: fp asimd crc32'


def test_a_proof_made_in_float32_says_nothing_of_less(model, add):
    path = add('a.onnx', engine='reader', precision='fp32')
    sentence = refusal(model, Reader(), Precise('bf16'), path=str(path))
    assert sentence == (
        'artifact M/artifacts/a.onnx: was compared in fp32, not in bf16; verify it: '
        'edge-perception verify M/artifacts/a.onnx --reference M --images FOLDER '
        '--engine reader -o precision=bf16, or set allow_unverified'
    )
    chosen = choose(model, Reader(), Precise('bf16'), path=str(path), allow_unverified=True)
    assert chosen.warning == 'was compared in fp32, not in bf16'


def test_a_proof_made_in_less_is_good_for_that_and_for_float32(model, add):
    path = add('a.onnx', engine='reader', precision='int8', computed='bf16')
    for precision in ('bf16', 'fp32'):
        chosen = choose(model, Reader(), Precise(precision), path=str(path))
        assert (chosen.precision, chosen.warning) == ('int8', '')
    assert 'was compared in bf16, not in fp16' in refusal(
        model, Reader(), Precise('fp16'), path=str(path)
    )


def test_a_sidecar_that_does_not_say_in_what_was_computed_is_of_float32(model, add):
    path = add('a.onnx', engine='reader', precision='fp32')
    sidecar = proof_path(path, 'reader')
    values = json.loads(sidecar.read_text())
    del values['computed']
    sidecar.write_text(json.dumps(values))
    assert choose(model, Reader(), path=str(path)).warning == ''
    assert 'was compared in fp32' in refusal(model, Reader(), Precise('bf16'), path=str(path))


def test_a_proof_for_one_engine_says_nothing_of_another(model, add):
    add('net.plan', engine='somebody')
    assert 'not verified against the reference on planner' in refusal(model, Planner())


@pytest.mark.parametrize(
    'changes',
    [
        {'input': InputRecipe(width=4, height=4, scale=0.5)},
        {'input': InputRecipe(width=4, height=4, color='bgr')},
        {'input': InputRecipe(width=4, height=4, mean=(1.0, 1.0, 1.0))},
        {'decoder': 'other'},
        {'decoder_options': {'layout': 'nhwc'}},
        {'labels': LabelMap(('cat',))},
    ],
)
def test_a_proof_ends_with_what_decides_what_is_seen(model, add, changes):
    add('net.plan')
    other = replace(model, manifest=replace(model.manifest, **changes))
    assert 'was proven for another net.onnx' in refusal(other, Planner(), allow_unverified=True)
    assert cache_directory(other) != cache_directory(model)


def test_a_proof_outlives_what_is_only_said_of_a_model(model, add):
    path = add('net.plan')
    told = replace(
        model.manifest, license='MIT', description='a net', name='n', gate={'fp16': {'iou': 0.5}}
    )
    (model.folder / 'golden').mkdir()
    (model.folder / 'golden' / 'a.png').touch()
    other = replace(model, manifest=told)
    assert choose(other, Planner()).path == path
    assert cache_directory(other) == cache_directory(model)


def test_a_proof_ends_with_the_weights_of_the_model(model, add):
    weights = save_onnx_in_two_files(model.source)
    add('net.plan')
    weights.write_bytes(bytes(len(weights.read_bytes())))
    assert 'was proven for another net.onnx' in refusal(model, Planner())


def test_a_damaged_proof_is_said(model, add):
    path = add('net.plan')
    proof_path(path, 'planner').write_text('{"proof_version": 1, "color": "red"}')
    assert 'its proof net.plan.planner.proof.json cannot be read: proof_version: got 1' in refusal(
        model, Planner()
    )
    proof_path(path, 'planner').write_text('nothing')
    assert 'cannot be read' in refusal(model, Planner())


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('passed', 'no'),
        ('passed', 1),
        ('passed', None),
        ('precision', ['fp16']),
        ('artifact_sha256', 7),
        ('model_digest', ''),
        ('device', 0),
        ('computed', False),
        ('figures', []),
        ('versions', {'engine': 1}),
        ('options', 'threads'),
        ('proof_version', True),
        ('proof_version', '2'),
        ('color', 'red'),
    ],
)
def test_a_proof_with_a_value_of_another_type_is_refused(model, add, key, value):
    path = add('net.plan')
    sidecar = proof_path(path, 'planner')
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), key: value}))
    with raises(ArtifactError, f'{key}: ', artifact=path):
        read_proof(path, 'planner')
    assert 'cannot be read' in refusal(model, Planner(), allow_unverified=True)


def test_a_proof_that_is_no_file_or_too_large_is_refused(model, add):
    path = add('net.plan', proven=False)
    sidecar = proof_path(path, 'planner')
    os.mkfifo(sidecar)
    assert 'cannot be read: it is a pipe' in refusal(model, Planner())
    sidecar.unlink()
    sidecar.symlink_to('/dev/zero')
    assert 'cannot be read: it is a pipe, socket or device' in refusal(model, Planner())
    sidecar.unlink()
    sidecar.write_text('[' * 500_000)
    assert 'cannot be read: ' in refusal(model, Planner())
    sidecar.write_bytes(bytes(2 << 20))
    assert 'at most 1048576 are read' in refusal(model, Planner())


def test_a_proof_reads_back_as_it_was_written(add):
    path = add('net.plan', figures={'lost': 0}, versions={'planner': '1.0'}, made='2026-01-01')
    proof = read_proof(path, 'planner')
    assert (proof.figures, proof.versions, proof.made) == (
        {'lost': 0},
        {'planner': '1.0'},
        '2026-01-01',
    )
    assert read_proof(path, 'somebody') is None


@pytest.fixture
def on_arm(tmp_path, monkeypatch):
    """Return a function that lets this machine be one with an Arm processor."""

    def become(features: str) -> None:
        (tmp_path / 'cpuinfo').write_text(f'processor\t: 0\n{features}\n')
        monkeypatch.setattr(processor, 'CPUINFO', tmp_path / 'cpuinfo')
        monkeypatch.setattr(processor.platform, 'machine', lambda: 'aarch64')

    return become


def test_a_proof_of_float16_does_not_reach_a_processor_that_computes_it(model, add, on_arm):
    path = add('a.onnx', engine='reader', machine='desk (x86_64)')
    on_arm(NO_FLOAT16)  # a Cortex-A72 computes in float32, as the machine of the proof
    assert choose(model, Reader(), precision='fp16').path == path
    on_arm(FLOAT16)
    said = refusal(model, Reader(), precision='fp16')
    assert 'on desk (x86_64)' in said
    assert 'edge-perception verify M/artifacts/a.onnx --reference M' in said
    assert choose(model, Reader(), precision='fp16', allow_unverified=True).warning
    add('a.onnx', engine='reader', machine='robot (aarch64)', native_float16=True)
    assert choose(model, Reader(), precision='fp16').proven.endswith('on robot (aarch64)')


@pytest.mark.parametrize('precision', ['fp32', 'int8'])
def test_proofs_of_other_precisions_hold_there(model, add, on_arm, precision):
    path = add('a.plan', precision=precision)
    on_arm(FLOAT16)
    assert choose(model, Planner(), precision=precision).path == path


def test_a_proof_of_float16_for_one_device_holds_there(model, add, on_arm):
    path = add('a.plan', device='GPU 7')
    on_arm(FLOAT16)
    assert choose(model, Planner(), precision='fp16').path == path
