# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``run --engine all``, and the choice of the engine, with real engines and a real model."""

from __future__ import annotations

import json

import pytest

from tools.model_folders import model_folder

pytest.importorskip('ai_edge_litert.interpreter', reason='LiteRT is not installed')
pytest.importorskip('openvino', reason='OpenVINO is not installed')


@pytest.fixture
def yolox(shared_data, tmp_path):
    """A model folder with the ONNX and an artifact for LiteRT that nobody has proven."""
    folder = model_folder('yolox_nano', shared_data, tmp_path)
    (folder / 'artifacts').mkdir()
    artifact = shared_data / 'yolox_nano' / 'yolox_nano_float16_quantize.tflite'
    (folder / 'artifacts' / artifact.name).symlink_to(artifact)
    return folder


@pytest.fixture
def street(shared_data):
    return shared_data / 'coco_cc20' / 'images' / '000000403385.jpg'


def test_every_engine_sees_the_same(invoke, yolox, street):
    result = invoke('run', yolox, street, '--engine', 'all', '--json')
    assert result.exit_code == 0
    columns = {each['engine']: each for each in json.loads(result.stdout)}
    first = columns['onnxruntime']
    assert first['artifact'] == 'yolox_nano.onnx'
    for engine, box_px, score in (('openvino', 0.1, 0.001), ('litert', 5.0, 0.03)):
        column = columns[engine]
        against = column['against_first']
        assert column['found'] == first['found'] > 0
        assert (against['missed'], against['false_positives'], against['class_flips']) == (0, 0, 0)
        assert against['box_px'] < box_px
        assert against['score_drift'] < score
    assert columns['litert']['artifact'] == 'yolox_nano_float16_quantize.tflite'


def test_an_engine_that_cannot_is_named_with_the_reason(invoke, yolox, street):
    result = invoke('run', yolox, street, '--engine', 'all')
    assert result.exit_code == 0
    assert 'tensorrt: ' in result.stdout
    assert 'is not installed' in result.stdout


def test_options_go_to_the_engine_that_is_named_before_the_dot(invoke, yolox, street):
    result = invoke('run', yolox, street, '--engine', 'all', '-o', 'openvino.threads=none')
    assert "openvino: engine 'openvino': threads: got 'none', expected an integer" in (
        result.stdout
    )
    result = invoke('run', yolox, street, '--engine', 'all', '-o', 'threads=1')
    assert result.exit_code == 2
    assert "got 'threads=1', expected engine.name=value with --engine all" in result.stderr


def test_auto_says_which_engine_it_took(invoke, yolox, street):
    result = invoke('run', yolox, street, '--engine', 'auto')
    assert result.exit_code == 0
    assert 'engine openvino with yolox_nano.onnx' in result.stderr
    assert "engine 'tensorrt' is not available" in result.stderr


def test_what_all_engines_see_is_not_drawn(invoke, yolox, street, tmp_path):
    out = tmp_path / 'drawn'
    result = invoke('run', yolox, street, '--engine', 'all', '--out', out)
    assert result.exit_code == 2
    assert '--out: draws what one engine sees; name an engine' in result.stderr
    assert not out.exists()


def test_an_unproven_artifact_runs_here_and_says_that_it_is(invoke, yolox, street):
    result = invoke('run', yolox, street, '--engine', 'litert')
    assert result.exit_code == 0
    assert 'not verified against the reference on litert' in result.stderr
