# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Libraries of the vendors: missing, broken, old, and what they would tell their vendors.

That a plugin is taken without its library, and that ``probe`` does not raise, the conformance kit
demands of each engine.
"""

from __future__ import annotations

from importlib import metadata
import os
import subprocess
import sys
import types

from edge_perception_litert.engine import LiteRtEngineType
from edge_perception_litert.library import load_library
from edge_perception_litert.library import PACKAGES
from edge_perception_tensorrt import library as tensorrt_library
import numpy as np
import onnx
from onnx import helper
import pytest

from edge_perception.contract import Availability
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import parse_options
from edge_perception.contract import TensorSpec
from test.plugins.engine_cases import case_of
from test.plugins.engine_cases import CASES
from test.support.networks import save_identity
from test.support.raising import raises

LITERT = [package for package, _, _ in PACKAGES]


class Broken:
    """Finds a module whose library of the system is missing."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(self, name, path=None, target=None):
        if name == self._name:
            raise ImportError('libgood.so.1: version GLIBC_9\nnot found')


def without(monkeypatch, *packages: str) -> None:
    for package in packages:
        for name in [each for each in sys.modules if each.partition('.')[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)


def probe(name: str) -> Availability:
    return CASES[name].engine_type.probe()


@pytest.mark.parametrize(
    ('name', 'packages', 'remedy'),
    [
        ('onnxruntime', ['onnxruntime'], 'pip install onnxruntime'),
        ('openvino', ['openvino'], 'pip install openvino'),
        ('litert', LITERT, 'pip install ai-edge-litert'),
        ('tensorrt', ['tensorrt'], 'pip install tensorrt'),
    ],
)
def test_without_its_library_an_engine_says_what_to_install(
    monkeypatch, tmp_path, name, packages, remedy
):
    case = CASES[name]
    path = tmp_path / f'net{case.suffix}'
    path.write_bytes(b'ftrt' + bytes(60))
    without(monkeypatch, *packages)
    assert not probe(name).available
    assert remedy in probe(name).remedy
    with raises(EngineUnavailableError, remedy, engine=name):
        case.create(path)


@pytest.mark.parametrize(
    ('name', 'module', 'remedy'),
    [
        ('onnxruntime', 'onnxruntime', 'pip uninstall'),
        ('openvino', 'openvino', 'setupvars.sh'),
        ('litert', 'ai_edge_litert', 'pip install ai-edge-litert'),
        ('tensorrt', 'tensorrt', 'libraries of CUDA'),
    ],
)
def test_a_broken_library_is_a_reason_in_one_line(monkeypatch, name, module, remedy):
    without(monkeypatch, *(LITERT if name == 'litert' else [module]))
    monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, 'meta_path', [Broken(module), *sys.meta_path])
    found = probe(name)
    assert not found.available
    assert 'cannot be imported: libgood.so.1: version GLIBC_9 not found' in found.reason
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ('name', 'module', 'remedy'),
    [
        ('onnxruntime', 'onnxruntime', 'pip uninstall'),
        ('openvino', 'openvino', 'setupvars.sh'),
    ],
)
def test_a_folder_of_the_name_of_the_library_is_none(monkeypatch, name, module, remedy):
    monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    monkeypatch.setitem(sys.modules, f'{module}.runtime', types.ModuleType(f'{module}.runtime'))
    assert remedy in probe(name).remedy


@pytest.mark.parametrize(
    ('name', 'device'), [('onnxruntime', 'cpu'), ('openvino', 'CPU'), ('litert', 'cpu')]
)
def test_probe_names_version_and_devices(name, device):
    case_of(name)
    distribution = {'litert': 'ai-edge-litert'}.get(name, name)
    found = probe(name)
    assert found.runtime == f'{distribution} {metadata.version(distribution)}'
    assert device in found.devices
    assert 'azure' not in found.devices  # it computes elsewhere


@pytest.mark.parametrize('name', ['onnxruntime', 'openvino'])
def test_describe_gives_tensors_and_metadata(tmp_path, name):
    path = save_identity(tmp_path / 'net.onnx', shape=('batch', 3, None, 6))
    model = onnx.load(path)
    helper.set_model_props(model, {'names': "{0: 'person'}"})
    onnx.save(model, path)
    description = case_of(name).engine_type.describe(path)
    assert description.inputs == (TensorSpec('image', (-1, 3, -1, 6), np.dtype('float32')),)
    assert [spec.name for spec in description.outputs] == ['result']
    if not probe(name).runtime.startswith('openvino 2022'):
        assert description.metadata == {'names': "{0: 'person'}"}


PRECISIONS = [
    ('onnxruntime', {}, 'fp32'),
    ('onnxruntime', {'provider': 'CUDAExecutionProvider'}, 'fp32'),
    # By itself it rounds to TensorFloat-32.
    ('onnxruntime', {'provider': 'TensorRT'}, 'fp16'),
    ('onnxruntime', {'provider': 'TensorrtExecutionProvider', 'tensorrt_fp16': True}, 'fp16'),
    ('onnxruntime', {'provider': 'openvino', 'openvino_device': 'gpu'}, 'fp32'),
    ('onnxruntime', {'provider': 'openvino', 'openvino_device': 'npu'}, 'fp16'),
    ('onnxruntime', {'provider': 'qnn'}, 'fp16'),
    ('openvino', {}, 'fp32'),
    ('openvino', {'precision': 'bf16'}, 'bf16'),
    ('openvino', {'precision': 'f16', 'device': 'GPU'}, 'fp16'),
    ('openvino', {'device': 'gpu.1'}, 'fp32'),
    ('openvino', {'device': 'MYRIAD'}, 'fp16'),
    ('openvino', {'device': 'hetero:npu, cpu'}, 'fp16'),
    ('openvino', {'device': 'MULTI:CPU(2),NPU.0(1)'}, 'fp16'),
    ('openvino', {'device': 'AUTO:-NPU'}, 'fp32'),
]


@pytest.mark.parametrize(('name', 'values', 'precision'), PRECISIONS)
def test_the_precision_is_that_of_options_and_device(name, values, precision):
    engine_type = CASES[name].engine_type
    options = parse_options(engine_type.options_type, values, owner=name)
    assert engine_type.precision(options) == precision


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Run code in a process that finds our modules; the environment is ours with changes."""
    paths = os.pathsep.join(filter(None, sys.path))
    environ = {**os.environ, 'PYTHONPATH': paths, **environment}
    environ.pop('ORT_DISABLE_TELEMETRY', None)
    return subprocess.run(
        [sys.executable, '-c', code], env=environ, capture_output=True, text=True, check=False
    )


WATCHED = """
import atexit, os, sys
seen = []
sys.addaudithook(lambda event, details: seen.append(event) if event.startswith('socket.') else 0)
{first}
from edge_perception_{name}.engine import {kind}
assert {kind}().probe().available
for module in ('{name}', '{name}_telemetry'):  # what a tool in the same process might do
    try:
        __import__(module)
    except ImportError:
        pass
import concurrent.futures.thread
concurrent.futures.thread._python_exit()  # what was to be sent is sent now
print(seen, os.listdir(os.environ['HOME']))
"""


@pytest.mark.parametrize('name', ['onnxruntime', 'openvino'])
def test_nothing_is_reported_to_the_vendor(tmp_path, name):
    kind = type(case_of(name).engine_type).__name__
    homes = {'HOME': str(tmp_path), 'XDG_CACHE_HOME': str(tmp_path / 'cache')}
    done = run_python(WATCHED.format(first='', name=name, kind=kind), CI='', **homes)
    assert (done.returncode, done.stdout.strip()) == (0, '[] []'), done.stderr


def test_the_watch_sees_a_report(tmp_path):
    if run_python('import openvino_telemetry').returncode:
        pytest.skip('this OpenVINO brings no telemetry')
    if int(probe('openvino').runtime.split()[1].partition('.')[0]) < 2024:
        pytest.skip('this OpenVINO reports conversions, but not that it was imported')
    words = {'first': 'import openvino', 'name': 'openvino', 'kind': 'OpenVinoEngineType'}
    done = run_python(WATCHED.format(**words), HOME=str(tmp_path), CI='')
    assert 'socket.' in done.stdout or 'intel' in done.stdout, done.stderr


def test_telemetry_of_onnxruntime_is_switched_off(monkeypatch):
    calls = []
    monkeypatch.setattr('onnxruntime.disable_telemetry_events', lambda: calls.append(1))
    probe('onnxruntime')
    assert calls


def standing_in(monkeypatch, package: str, module: str) -> object:
    """Put the real LiteRT under another of its names, and return it."""
    real = pytest.importorskip('ai_edge_litert.interpreter', reason='LiteRT is not installed')
    without(monkeypatch, *(each for each in LITERT if each != package))
    monkeypatch.setitem(sys.modules, f'{package}.{module}', real)
    parent = package
    for part in module.split('.'):
        stand_in = types.ModuleType(parent)
        stand_in.__path__ = []
        stand_in.__version__ = '2.14.0'
        monkeypatch.setitem(sys.modules, parent, stand_in)
        parent = f'{parent}.{part}'
    return real


@pytest.mark.parametrize(
    ('package', 'module', 'runtime'),
    [
        ('tflite_runtime', 'interpreter', 'tflite-runtime 2.14.0'),
        ('tensorflow', 'lite.python.interpreter', 'tensorflow 2.14.0'),
    ],
)
def test_older_names_of_litert_do_as_well(monkeypatch, package, module, runtime):
    real = standing_in(monkeypatch, package, module)
    monkeypatch.setattr(np, '__version__', '1.26.4')
    library = load_library()
    assert (library.name, library.runtime) == (f'{package}.{module}', runtime)
    assert library.module is real
    assert LiteRtEngineType().probe().available


def test_the_last_tflite_runtime_cannot_work_with_numpy_2(monkeypatch):
    standing_in(monkeypatch, 'tflite_runtime', 'interpreter')
    monkeypatch.setattr(np, '__version__', '2.4.1')
    found = LiteRtEngineType().probe()
    assert found.reason == 'tflite-runtime 2.14.0 was built for NumPy 1, and this is 2.4.1'


def test_the_reader_of_flatbuffers_is_named_when_it_is_missing(monkeypatch):
    case_of('litert')
    without(monkeypatch, 'flatbuffers')
    found = LiteRtEngineType().probe()
    assert not found.available
    assert 'ai-edge-litert needs the Python package flatbuffers' in found.reason


def test_on_a_jetson_tensorrt_comes_with_jetpack(monkeypatch, tmp_path):
    release = tmp_path / 'nv_tegra_release'
    release.write_text('# R36 (release), REVISION: 4.0')
    monkeypatch.setattr(tensorrt_library, 'JETSON_RELEASE', release)
    without(monkeypatch, 'tensorrt')
    assert 'sudo apt install python3-libnvinfer' in probe('tensorrt').remedy
    assert '--system-site-packages' in probe('tensorrt').remedy


def test_an_old_tensorrt_is_refused(monkeypatch):
    old = types.ModuleType('tensorrt')
    old.__version__ = '8.2.1.9'
    monkeypatch.setitem(sys.modules, 'tensorrt', old)
    assert probe('tensorrt').reason == 'TensorRT 8.2.1.9 is too old, expected 8.5 or later'
