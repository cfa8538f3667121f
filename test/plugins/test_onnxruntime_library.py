# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys
import types

import edge_perception_onnxruntime as plugin
from edge_perception_onnxruntime.engine import OnnxRuntimeEngineType
from edge_perception_onnxruntime.options import OnnxRuntimeOptions
import numpy as np
import onnx
from onnx import helper
import onnxruntime
import pluggy
import pytest

from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import hookspecs
from edge_perception.contract import ModelManifest
from edge_perception.contract import OptionError
from edge_perception.contract import parse_options
from edge_perception.contract import TensorSpec
from test.support.networks import manifest_for
from test.support.networks import save_identity


def create(path: Path, manifest: ModelManifest | None = None, **options):
    return OnnxRuntimeEngineType().create(
        manifest or manifest_for(), path, OnnxRuntimeOptions(threads=1, **options)
    )


def test_importing_the_plugin_imports_no_vendor_library():
    code = (
        'import sys, edge_perception_onnxruntime as plugin;'
        'plugin.register_engines(print);'
        'sys.exit("onnxruntime" in sys.modules)'
    )
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, '-c', code], env=environment, check=True)


def test_registers_through_the_hook():
    manager = pluggy.PluginManager('edge_perception')
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    engines = []
    manager.hook.register_engines(register=engines.append, host=None)
    assert [engine.name for engine in engines] == ['onnxruntime']
    assert plugin.EDGE_PERCEPTION_CONTRACT == hookspecs.CONTRACT_VERSION


def test_probe_names_version_and_providers_but_none_that_computes_elsewhere():
    found = OnnxRuntimeEngineType().probe()
    assert found.available
    assert found.runtime == f'onnxruntime {onnxruntime.__version__}'
    assert 'cpu' in found.devices
    assert 'azure' not in found.devices


def test_without_the_library_probe_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    found = OnnxRuntimeEngineType().probe()
    assert not found.available
    assert found.reason == 'the Python package onnxruntime is not installed'
    assert 'pip install onnxruntime' in found.remedy
    with pytest.raises(EngineUnavailableError, match='pip install onnxruntime'):
        create(save_identity(tmp_path / 'net.onnx'))


def test_a_broken_library_is_a_reason_and_not_a_traceback(monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxruntime', types.ModuleType('onnxruntime'))
    found = OnnxRuntimeEngineType().probe()
    assert not found.available
    assert 'cannot be imported' in found.reason
    assert 'pip uninstall' in found.remedy


def test_telemetry_is_switched_off(monkeypatch):
    calls = []
    monkeypatch.setattr(onnxruntime, 'disable_telemetry_events', lambda: calls.append(1))
    OnnxRuntimeEngineType().probe()
    assert calls


def test_describe_gives_tensors_and_metadata(tmp_path):
    path = save_identity(tmp_path / 'net.onnx', shape=('batch', 3, None, 6))
    model = onnx.load(path)
    helper.set_model_props(model, {'names': "{0: 'person'}"})
    onnx.save(model, path)
    description = OnnxRuntimeEngineType().describe(path)
    assert description.inputs == (TensorSpec('image', (-1, 3, -1, 6), np.dtype('float32')),)
    assert [spec.name for spec in description.outputs] == ['result']
    assert description.metadata == {'names': "{0: 'person'}"}


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'threads': -1}, 'threads: got -1, expected a whole number from 0 to 256'),
        ({'graph_level': 'most'}, 'graph_level: got .most., expected one of disable, basic'),
        ({'spining': True}, 'did you mean .spinning.'),
    ],
)
def test_wrong_options_are_explained(values, message):
    with pytest.raises(OptionError, match=message):
        parse_options(OnnxRuntimeOptions, values, owner='engine onnxruntime')


@pytest.mark.parametrize('name', ['cpu', 'CPU', 'CPUExecutionProvider'])
def test_a_provider_is_found_by_short_and_full_name(tmp_path, name):
    with create(save_identity(tmp_path / 'net.onnx'), provider=name) as engine:
        engine.warm_up()


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('cdua', r"provider 'cdua' is not in onnxruntime [\d.]+, which has .*did you mean 'cuda'"),
        ('rknpu', 'which has .*cpu.*; install a build of it that has this provider'),
        ('azure', "provider 'azure' is not in onnxruntime"),
        ('', 'correct the option provider'),
    ],
)
def test_a_provider_that_is_not_here_is_an_error_and_not_the_cpu(tmp_path, name, message):
    with pytest.raises(EngineUnavailableError, match=message):
        create(save_identity(tmp_path / 'net.onnx'), provider=name)


@pytest.mark.filterwarnings('ignore:Specified provider')
def test_a_provider_that_does_not_start_is_an_error_and_not_the_cpu(tmp_path, monkeypatch):
    # What a build for GPUs says on a machine without one: the provider is here, sessions lack it.
    monkeypatch.setattr(
        onnxruntime,
        'get_available_providers',
        lambda: ['VitisAIExecutionProvider', 'CPUExecutionProvider'],
    )
    with pytest.raises(EngineUnavailableError, match="provider 'vitisai' did not start"):
        create(save_identity(tmp_path / 'net.onnx'), provider='vitisai')
