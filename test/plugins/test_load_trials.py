# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The child process in which an engine first tries a file: how often, and what ends it."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys
import time

import numpy as np
from onnx import helper
from onnx import TensorProto
import pytest

from edge_perception.contract import EngineUnavailableError
from edge_perception.contract.loading import load_trial
from test.plugins import lite_networks as lite
from test.plugins.engine_cases import case_of
from test.plugins.engine_cases import refused
from test.plugins.engine_cases import TRIED
from test.support.networks import FLOAT
from test.support.networks import save
from test.support.networks import save_identity
from test.support.networks import SHAPE
from test.support.networks import tensor
from test.support.raising import raises

pytestmark = pytest.mark.usefixtures('nothing_was_tried')


@pytest.fixture
def children(monkeypatch) -> list[list[str]]:
    """Return the child processes that are started from now on."""
    started = []
    run = subprocess.run

    def counted(command, **settings):
        started.append(command)
        return run(command, **settings)

    monkeypatch.setattr(subprocess, 'run', counted)
    return started


@pytest.mark.parametrize('case', TRIED, indirect=True)
def test_a_file_is_tried_once_for_each_content_and_remembered(
    case, tmp_path, children, monkeypatch
):
    path = case.save_identity(tmp_path)
    case.create(path)
    case.create(path)
    assert len(children) == 1
    monkeypatch.setattr(load_trial, '_outcomes', {})  # as after a restart
    copy = path.with_stem('copy')
    copy.write_bytes(path.read_bytes())
    case.create(copy)
    assert len(children) == 1
    other = lite.save_unary if case.save_onnx is None else save_identity
    case.create(other(path, operator='Abs' if case.save_onnx else 'ABS'))
    assert len(children) == 2


def test_another_way_to_load_is_another_trial(tmp_path, children):
    case = case_of('litert')
    path = case.save_identity(tmp_path)
    case.create(path)
    case.create(path, xnnpack=False)
    assert len(children) == 2


def test_a_deadly_file_is_not_tried_again(tmp_path, children):
    path = tmp_path / 'net.tflite'
    lite.deadly(path)
    refused(case_of('litert'), path, describe=False)
    refused(case_of('litert'), path, describe=False)
    assert len(children) == 1


@pytest.mark.parametrize('case', TRIED, indirect=True)
def test_a_child_that_cannot_do_its_work_is_no_verdict_on_the_file(case, tmp_path, monkeypatch):
    path = case.save_identity(tmp_path)
    child = tmp_path / 'python'
    for script, names in {
        'kill -9 $$': ['SIGKILL'],
        'echo first >&2; echo "no space" >&2; exit 1': ['status ', '1: no space'],
    }.items():
        child.write_text(f'#!/bin/sh\n{script}\n')
        child.chmod(0o755)
        with monkeypatch.context() as patch:
            patch.setattr(sys, 'executable', str(child))
            with raises(EngineUnavailableError, *names):
                case.create(path)
    with monkeypatch.context() as patch:
        patch.setattr(sys, 'executable', str(tmp_path / 'nothing'))
        with raises(EngineUnavailableError, 'No such file'):
            case.create(path)
    case.create(path)


@pytest.mark.parametrize('case', TRIED, indirect=True)
def test_a_model_that_never_gets_ready_is_given_up(case, tmp_path, monkeypatch):
    path = case.save_identity(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(load_trial, 'WAIT_S', 0.01)
        assert 'not ready after 0 s' in str(refused(case, path, describe=False))
    # The machine may only have been busy.
    case.create(path)


@pytest.mark.parametrize('case', TRIED, indirect=True)
def test_what_lies_in_the_working_folder_is_not_run(case, tmp_path, monkeypatch):
    path = case.save_identity(tmp_path)
    for name in ('openvino', 'onnxruntime', 'ai_edge_litert', 'json', 'numpy', 'types', 'errors'):
        (tmp_path / f'{name}.py').write_text(f"open('{name}.ran', 'w'); raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    case.create(path)
    assert not list(tmp_path.glob('*.ran'))


def save_loop(path: Path, start: str) -> Path:
    """Write a network that counts for ever, from a constant or from the image."""
    body = helper.make_graph(
        [
            helper.make_node('Identity', ['going'], ['on']),
            helper.make_node('Add', ['x', 'one'], ['y']),
        ],
        'body',
        [tensor('i', (), TensorProto.INT64), tensor('going', (), TensorProto.BOOL)]
        + [tensor('x', (1, 3, 4, 6))],
        [tensor('on', (), TensorProto.BOOL), tensor('y', (1, 3, 4, 6))],
        [helper.make_tensor('one', FLOAT, (1,), [1.0])],
    )
    constants = [
        helper.make_tensor('trips', TensorProto.INT64, (), [1 << 62]),
        helper.make_tensor('cond', TensorProto.BOOL, (), [True]),
        helper.make_tensor('zero', FLOAT, SHAPE, np.zeros(72)),
    ]
    nodes = [
        helper.make_node('Loop', ['trips', 'cond', start], ['last'], body=body),
        helper.make_node('Add', ['image', 'last'], ['result']),
    ]
    ends = [tensor('image', SHAPE)], [tensor('result', SHAPE)]
    return save(path, nodes, *ends, constants=constants)


@pytest.mark.parametrize('start', ['zero', 'image'])
def test_an_endless_loop_is_ended_by_its_time_on_the_processor(tmp_path, start):
    before = time.process_time()
    error = refused(
        case_of('onnxruntime'), save_loop(tmp_path / 'net.onnx', start), describe=False
    )
    assert '4 s of CPU time' in error.reason
    assert time.process_time() - before < 2  # of this process


def test_a_constant_that_would_fill_the_memory_is_refused(tmp_path):
    shape = helper.make_tensor('shape', TensorProto.INT64, (4,), [10, 1000, 1000, 1000])
    nodes = [
        helper.make_node('ConstantOfShape', ['shape'], ['big']),
        helper.make_node('ReduceMax', ['big'], ['most'], keepdims=0),
        helper.make_node('Add', ['image', 'most'], ['result']),
    ]
    ends = [tensor('image', SHAPE)], [tensor('result', SHAPE)]
    path = save(tmp_path / 'net.onnx', nodes, *ends, constants=[shape])
    assert 'memory' in refused(case_of('onnxruntime'), path, describe=False).reason
