# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys

from edge_perception_litert import trial
from edge_perception_litert.engine import LiteRtEngineType
from edge_perception_litert.options import LiteRtOptions
import numpy as np
import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import ModelManifest
from edge_perception.contract import TensorMismatchError
from test.support.lite_networks import LiteOperator
from test.support.lite_networks import LiteTensor
from test.support.lite_networks import save
from test.support.lite_networks import save_identity
from test.support.lite_networks import save_unary
from test.support.lite_networks import SHAPE
from test.support.networks import manifest_for as any_manifest_for

pytest.importorskip(
    'ai_edge_litert.interpreter', reason='LiteRT (ai-edge-litert) is not installed'
)


def manifest_for(shape=SHAPE, layout='nhwc', **recipe) -> ModelManifest:
    return any_manifest_for(shape, layout=layout, **recipe)


def create(path: Path, manifest: ModelManifest | None = None, **options):
    return LiteRtEngineType().create(
        manifest or manifest_for(), path, LiteRtOptions(threads=1, **options)
    )


def test_a_manifest_that_does_not_fit_is_refused(tmp_path):
    path = save_identity(tmp_path / 'net.tflite')
    with pytest.raises(
        TensorMismatchError, match=r'got 1x8x8x3 float32 .* expected 1x4x6x3 float32'
    ):
        create(path, manifest_for((1, 8, 8, 3)))
    with pytest.raises(TensorMismatchError, match='got 1x4x6x3 uint8 from the manifest'):
        create(path, manifest_for(dtype='uint8'))


def test_a_second_input_is_refused(tmp_path):
    path = save(
        tmp_path / 'net.tflite',
        [LiteOperator('MUL', ('image', 'factor'), ('result',))],
        [LiteTensor('image'), LiteTensor('factor', (1,)), LiteTensor('result')],
        inputs=('image', 'factor'),
    )
    with pytest.raises(TensorMismatchError, match='name the image input under input.name'):
        create(path)
    with pytest.raises(ArtifactError, match=r"has the input 'factor' \(1 float32\) beside"):
        create(path, manifest_for(name='image'))


def test_an_output_that_is_no_tensor_of_numbers_is_refused(tmp_path):
    path = save(
        tmp_path / 'net.tflite',
        [LiteOperator('CAST', ('image',), ('words',))],
        [LiteTensor('image'), LiteTensor('words', dtype='string')],
        outputs=('words',),
    )
    with pytest.raises(ArtifactError, match="'words' is a tensor of type 5, expected one of"):
        create(path)


def missing(path: Path) -> None:
    pass


def folder(path: Path) -> None:
    path.mkdir()


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text('not a network\n' * 50)


def only_the_mark(path: Path) -> None:
    path.write_bytes(b'\x1c\0\0\0TFL3')


def cut_off(path: Path) -> None:
    whole = save_unary(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def cut_off_in_the_weights(path: Path) -> None:
    data = np.zeros(100_000, np.float32)
    whole = save(
        path,
        [LiteOperator('NEG', ('image',), ('result',))],
        [LiteTensor('image'), LiteTensor('result'), LiteTensor('weights', data.shape, data=data)],
    ).read_bytes()
    path.write_bytes(whole[:-150_000])


def lfs_pointer(path: Path) -> None:
    path.write_text('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n')


def newer_operator(path: Path) -> None:
    tensors = [LiteTensor('image'), LiteTensor('result')]
    save(path, [LiteOperator('NEG', ('image',), ('result',), version=99)], tensors)


def operator_of_a_vendor(path: Path) -> None:
    save_unary(path, 'acme-frobnicate')


def operator_of_tensorflow(path: Path) -> None:
    save_unary(path, 'FlexErf')


def operator_without_its_weights(path: Path) -> None:
    save_unary(path, 'CONV_2D')


def dtype_without_implementation(path: Path) -> None:
    tensors = [
        LiteTensor('image'),
        LiteTensor('bytes', dtype='uint8'),
        LiteTensor('result', dtype='uint8'),
    ]
    operators = [
        LiteOperator('CAST', ('image',), ('bytes',)),
        LiteOperator('NEG', ('bytes',), ('result',)),
    ]
    save(path, operators, tensors)


def deadly(path: Path) -> None:
    """Kill whatever process prepares it: the operator looks for inputs that it does not have."""
    save_unary(path, 'TFLite_Detection_PostProcess')


BROKEN = [
    (missing, 'does not exist; correct the path'),
    (folder, 'cannot be read: Is a directory'),
    (empty, 'is empty'),
    (text, 'is not a TFLite file, or a part of it is missing'),
    (only_the_mark, 'is not a TFLite file, or a part of it is missing'),
    (cut_off, 'is not a TFLite file, or a part of it is missing'),
    (cut_off_in_the_weights, 'is not a TFLite file, or a part of it is missing'),
    (lfs_pointer, 'is a pointer of Git LFS.*git lfs pull'),
    (newer_operator, 'uses version 99 of the operator NEG, which is newer than this runtime'),
    (operator_of_a_vendor, 'uses the custom operator acme-frobnicate, which this runtime'),
    (operator_of_tensorflow, r'uses an operator of TensorFlow \(Erf\), .*TFLITE_BUILTINS'),
    (operator_without_its_weights, 'has an operator CONV_2D that is not valid'),
    (dtype_without_implementation, 'has an operator NEG that is not valid: Neg only'),
    (deadly, r'makes ai-edge-litert [\d.]+ crash \(SIGSEGV\), so it is damaged'),
]


@pytest.mark.parametrize(('make', 'message'), BROKEN)
def test_a_file_that_cannot_be_loaded_is_explained_in_one_sentence(tmp_path, make, message):
    path = tmp_path / 'net.tflite'
    make(path)
    for attempt in (lambda: create(path), lambda: LiteRtEngineType().describe(path)):
        with pytest.raises(ArtifactError, match=message) as error:
            attempt()
        assert str(path) in str(error.value)
        assert '\n' not in str(error.value)


def test_the_deadly_file_is_deadly(tmp_path):
    """Without this, the test above would prove nothing."""
    path = tmp_path / 'net.tflite'
    deadly(path)
    code = (
        'import sys; from ai_edge_litert.interpreter import Interpreter;'
        'Interpreter(sys.argv[1]).allocate_tensors()'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, str(path)], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode < 0


def test_flipped_bytes_never_kill_this_process(tmp_path, shared_data):
    """Whatever a disk does to a file, the answer is an engine or a sentence."""
    whole = (shared_data / 'invalid_models/model_invoking_error.tflite').read_bytes()
    small = save_unary(tmp_path / 'net.tflite').read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for content in (whole, small) * 8:
        damaged = bytearray(content)
        for place in random.integers(8, len(damaged), 6):
            damaged[place] ^= 1 << random.integers(8)
        path = tmp_path / 'damaged.tflite'
        path.write_bytes(damaged)
        try:
            create(path)
        except (ArtifactError, TensorMismatchError):
            refused += 1
    assert refused > 8


@pytest.mark.parametrize(
    ('file', 'message'),
    [
        ('model_invoking_error.tflite', 'uses the custom operator fake-op-double'),
        (
            'posenet_mobilenet_v1_075_353_481_16_quant_decoder.tflite',
            'uses the custom operator PosenetDecoderOp',
        ),
    ],
)
def test_real_files_with_operators_that_nobody_has(shared_data, file, message):
    path = shared_data / 'invalid_models' / file
    with pytest.raises(ArtifactError, match=message):
        LiteRtEngineType().describe(path)
    if file.startswith('posenet'):
        with pytest.raises(ArtifactError, match=message):
            create(path, manifest_for((1, 353, 481, 3), dtype='uint8'))


@pytest.fixture
def children(monkeypatch) -> list[list[str]]:
    """Forget what was tried before; return the child processes that are started from now on."""
    started = []
    run = subprocess.run

    def counted(command, **settings):
        started.append(command)
        return run(command, **settings)

    monkeypatch.setattr(trial, '_verdicts', {})
    monkeypatch.setattr(subprocess, 'run', counted)
    return started


def test_a_file_is_tried_once_for_each_content_and_each_way_to_load_it(tmp_path, children):
    path = save_unary(tmp_path / 'net.tflite')
    create(path)
    create(path)
    copy = tmp_path / 'copy.tflite'
    copy.write_bytes(path.read_bytes())
    LiteRtEngineType().describe(copy)
    assert len(children) == 1
    create(path, xnnpack=False)
    assert len(children) == 2
    create(save_unary(path, 'ABS'))
    assert len(children) == 3


def test_a_deadly_file_is_not_tried_again(tmp_path, children):
    path = tmp_path / 'net.tflite'
    deadly(path)
    for _ in range(2):
        with pytest.raises(ArtifactError, match='crash'):
            create(path)
    assert len(children) == 1


def test_a_child_that_is_killed_from_outside_is_no_verdict_on_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, '_verdicts', {})
    path = save_unary(tmp_path / 'net.tflite')
    interpreter = sys.executable
    killer = tmp_path / 'python'
    killer.write_text('#!/bin/sh\nkill -9 $$\n')
    killer.chmod(0o755)
    monkeypatch.setattr(sys, 'executable', str(killer))
    with pytest.raises(EngineUnavailableError, match='child process.*SIGKILL'):
        create(path)
    monkeypatch.setattr(sys, 'executable', str(tmp_path / 'nothing'))
    with pytest.raises(EngineUnavailableError, match='child process.*No such file'):
        create(path)
    monkeypatch.setattr(sys, 'executable', interpreter)
    create(path)


def test_a_model_that_never_gets_ready_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, '_verdicts', {})
    monkeypatch.setattr(trial, 'PATIENCE_S', 0.01)
    path = save_unary(tmp_path / 'net.tflite')
    with pytest.raises(ArtifactError, match='was not ready after 0 seconds.*less to do'):
        create(path)
    # The machine may only have been busy.
    monkeypatch.undo()
    create(path)


def test_the_child_sees_neither_our_modules_nor_those_beside_it(tmp_path):
    """A ``library`` or ``errors`` of ours must not stand for a module of somebody else."""
    (tmp_path / 'json.py').write_text('raise SystemExit(9)')
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
    wish = (
        '{"library": "errors", "delegate": "", "delegate_options": {}, "xnnpack": true, "run": 0}'
    )
    done = subprocess.run(
        [sys.executable, str(trial.CHILD), wish],
        cwd=tmp_path,
        env=environment,
        input=b'',
        capture_output=True,
        check=True,
    )
    assert b"No module named 'errors'" in done.stdout
