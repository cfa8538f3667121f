# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import subprocess
import sys
import types

import edge_perception_openvino as plugin
from edge_perception_openvino.engine import OpenVinoEngineType
from edge_perception_openvino.library import load_library
from edge_perception_openvino.options import OpenVinoOptions
import numpy as np
import onnx
from onnx import helper
import pluggy
import pytest

from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import hookspecs
from edge_perception.contract import OptionError
from edge_perception.contract import parse_options
from edge_perception.contract import TensorSpec
from test.support.networks import manifest_for
from test.support.networks import save_identity

pytest.importorskip('openvino', reason='OpenVINO (openvino) is not installed')


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Run code in a process that finds our modules; the environment is ours with changes."""
    paths = os.pathsep.join(filter(None, sys.path))
    return subprocess.run(
        [sys.executable, '-c', code],
        env={**os.environ, 'PYTHONPATH': paths, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_importing_the_plugin_imports_no_vendor_library():
    done = run_python(
        'import sys, edge_perception_openvino as plugin;'
        'plugin.register_engines(print);'
        'sys.exit("openvino" in sys.modules)'
    )
    assert done.returncode == 0


def test_registers_through_the_hook():
    manager = pluggy.PluginManager('edge_perception')
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    engines = []
    manager.hook.register_engines(register=engines.append, host=None)
    assert [engine.name for engine in engines] == ['openvino']
    assert plugin.EDGE_PERCEPTION_CONTRACT == hookspecs.CONTRACT_VERSION


def test_probe_names_version_and_devices():
    found = OpenVinoEngineType().probe()
    assert found.available
    version = load_library().get_version()
    assert version.startswith(found.runtime.removeprefix('openvino ') + '-')
    assert 'CPU' in found.devices


WATCHED = """
import atexit, os, sys
seen = []
sys.addaudithook(lambda event, details: seen.append(event) if event.startswith('socket.') else 0)
{first}
from edge_perception_openvino.engine import OpenVinoEngineType
assert OpenVinoEngineType().probe().available
for module in ('openvino', 'openvino_telemetry'):  # what a tool in the same process might do
    try:
        __import__(module)
    except ImportError:
        pass
import concurrent.futures.thread
concurrent.futures.thread._python_exit()  # what was to be sent is sent now
print(seen, os.listdir(os.environ['HOME']))
"""


def test_nothing_is_reported_to_anybody(tmp_path):
    environment = {'HOME': str(tmp_path), 'CI': ''}
    done = run_python(WATCHED.format(first=''), **environment)
    assert (done.returncode, done.stdout.strip()) == (0, '[] []'), done.stderr


def test_the_watch_sees_a_report(tmp_path):
    pytest.importorskip('openvino_telemetry', reason='this OpenVINO brings no telemetry')
    if int(load_library().get_version().partition('.')[0]) < 2024:
        pytest.skip('this OpenVINO reports conversions, but not that it was imported')
    done = run_python(WATCHED.format(first='import openvino'), HOME=str(tmp_path), CI='')
    assert 'socket.' in done.stdout or 'intel' in done.stdout, done.stderr


def test_without_the_library_probe_says_what_to_install(monkeypatch, tmp_path):
    path = save_identity(tmp_path / 'net.onnx')
    monkeypatch.setitem(sys.modules, 'openvino', None)
    found = OpenVinoEngineType().probe()
    assert not found.available
    assert found.reason == 'the Python package openvino is not installed'
    assert 'pip install openvino' in found.remedy
    with pytest.raises(EngineUnavailableError, match='pip install openvino'):
        OpenVinoEngineType().create(manifest_for(), path, OpenVinoOptions())


def test_a_broken_library_is_a_reason_and_not_a_traceback(monkeypatch):
    broken = types.ModuleType('openvino.runtime')
    monkeypatch.setitem(sys.modules, 'openvino', types.ModuleType('openvino'))
    monkeypatch.setitem(sys.modules, 'openvino.runtime', broken)
    found = OpenVinoEngineType().probe()
    assert not found.available
    assert 'cannot be imported' in found.reason
    assert 'setupvars.sh' in found.remedy


def test_describe_gives_tensors_and_metadata(tmp_path):
    path = save_identity(tmp_path / 'net.onnx', shape=('batch', 3, None, 6))
    model = onnx.load(path)
    helper.set_model_props(model, {'names': "{0: 'person'}"})
    onnx.save(model, path)
    description = OpenVinoEngineType().describe(path)
    assert description.inputs == (TensorSpec('image', (-1, 3, -1, 6), np.dtype('float32')),)
    assert [spec.name for spec in description.outputs] == ['result']
    if int(load_library().get_version().partition('.')[0]) >= 2023:
        assert description.metadata == {'names': "{0: 'person'}"}


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'threads': -1}, 'threads: got -1, expected an integer from 0 to 256'),
        ({'precision': 'fp16'}, 'precision: got .fp16., expected one of f32, bf16, f16'),
        ({'devise': 'GPU'}, 'did you mean .device.'),
    ],
)
def test_wrong_options_are_explained(values, message):
    with pytest.raises(OptionError, match=message):
        parse_options(OpenVinoOptions, values, owner='engine openvino')


@pytest.mark.parametrize(
    ('values', 'precision'),
    [
        ({}, 'fp32'),
        ({'precision': 'bf16'}, 'bf16'),
        ({'precision': 'f16', 'device': 'GPU'}, 'fp16'),
        ({'device': 'gpu.1'}, 'fp32'),
        ({'device': 'MYRIAD'}, 'fp16'),
        ({'device': 'hetero:npu, cpu'}, 'fp16'),
        ({'device': 'MULTI:CPU(2),NPU.0(1)'}, 'fp16'),
        ({'device': 'AUTO:-NPU'}, 'fp32'),
    ],
)
def test_the_precision_is_that_of_option_and_device(values, precision):
    assert OpenVinoEngineType().precision(OpenVinoOptions(**values)) == precision
