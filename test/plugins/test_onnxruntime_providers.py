# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

from edge_perception_onnxruntime.options import OnnxRuntimeOptions
from edge_perception_onnxruntime.providers import devices_taken
from edge_perception_onnxruntime.providers import provider_list
import numpy as np
import onnxruntime
import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import OptionError
from test.plugins.engine_cases import CASES
from test.support.networks import save_conv
from test.support.networks import save_identity
from test.support.networks import SHAPE
from test.support.raising import raises

create = CASES['onnxruntime'].create


@pytest.mark.parametrize('name', ['cpu', 'CPU', 'CPUExecutionProvider'])
def test_a_provider_is_found_by_short_and_full_name(tmp_path, name):
    with create(save_identity(tmp_path / 'net.onnx'), provider=name) as engine:
        engine.warm_up()
        assert engine.device == 'cpu'


@pytest.mark.parametrize(
    ('name', 'names'),
    [
        ('cdua', ["'cdua'", "did you mean 'cuda'"]),
        ('rknpu', ["'rknpu'", 'cpu']),
        ('azure', ["'azure'", 'onnxruntime ']),
        ('', ["''", 'option provider']),
    ],
)
def test_a_provider_that_is_not_here_is_an_error_and_not_the_cpu(tmp_path, name, names):
    with raises(EngineUnavailableError, *names, engine='onnxruntime'):
        create(save_identity(tmp_path / 'net.onnx'), provider=name)


@pytest.mark.filterwarnings('ignore:Specified provider')
def test_a_provider_that_does_not_start_is_an_error_and_not_the_cpu(tmp_path, monkeypatch):
    # What a build for GPUs says on a machine without one: the provider is here, sessions lack it.
    monkeypatch.setattr(
        onnxruntime,
        'get_available_providers',
        lambda: ['VitisAIExecutionProvider', 'CPUExecutionProvider'],
    )
    with raises(EngineUnavailableError, "provider 'vitisai'"):
        create(save_identity(tmp_path / 'net.onnx'), provider='vitisai')


def settings(**values) -> dict[str, dict[str, str]]:
    options = OnnxRuntimeOptions(**values)
    here = ['TensorrtExecutionProvider', 'CUDAExecutionProvider', 'CPUExecutionProvider']
    return dict(provider_list(options.provider, options, here=here))


def test_providers_are_told_what_the_options_say():
    assert settings(provider='CPUExecutionProvider') == {'CPUExecutionProvider': {}}
    cuda = {'device_id': '1', 'use_tf32': '0'}
    assert settings(provider='CUDAExecutionProvider', device_id=1) == {
        'CUDAExecutionProvider': cuda,
        'CPUExecutionProvider': {},
    }
    tensorrt = settings(provider='TensorrtExecutionProvider', device_id=1)
    # In this order: what TensorRT does not know goes to CUDA, what that does not know to the CPU.
    assert list(tensorrt) == [
        'TensorrtExecutionProvider',
        'CUDAExecutionProvider',
        'CPUExecutionProvider',
    ]
    assert tensorrt['TensorrtExecutionProvider'] == {
        'device_id': '1',
        'trt_fp16_enable': 'False',
        'trt_engine_cache_enable': 'False',
    }
    cached = settings(
        provider='TensorrtExecutionProvider', tensorrt_fp16=True, tensorrt_cache_dir='~/plans'
    )['TensorrtExecutionProvider']
    assert cached['trt_fp16_enable'] == cached['trt_engine_cache_enable'] == 'True'
    assert cached['trt_engine_cache_path'] == str(Path.home() / 'plans')


@pytest.mark.parametrize(
    ('values', 'names'),
    [
        ({'device_id': 1}, ["'cpu'", 'cuda', 'tensorrt']),
        ({'tensorrt_fp16': True}, ['tensorrt']),
        ({'tensorrt_cache_dir': '/plans'}, ['tensorrt']),
        ({'openvino_device': 'GPU'}, ['provider to openvino']),
    ],
)
def test_an_option_that_the_provider_does_not_read_is_refused(tmp_path, values, names):
    ((option, value),) = values.items()
    with raises(OptionError, f"engine 'onnxruntime': {option}: got {value!r}", *names):
        create(save_identity(tmp_path / 'net.onnx'), **values)


@pytest.mark.parametrize(
    ('words', 'told'),
    [
        (
            '[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : /src/cuda_call.cc:121 bool '
            'onnxruntime::CudaCall(ERRTYPE) [with ERRTYPE = cudaError] CUDA failure 101: invalid '
            'device ordinal ; GPU=0 ; hostname=robot ; expr=cudaSetDevice(info_.device_id);',
            'CUDA failure 101: invalid device ordinal',
        ),
        ('CUDA failure 2: out of memory ; GPU=3 ; expr=x', 'CUDA failure 2: out of memory'),
        (
            'bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 4294967296',
            'Failed to allocate memory for requested buffer',
        ),
    ],
)
def test_a_gpu_that_is_not_there_or_full_is_not_the_fault_of_the_file(
    tmp_path, monkeypatch, words, told
):
    def fail(*arguments: object, **settings: object) -> None:
        raise RuntimeError(words)

    here = ['CUDAExecutionProvider', 'CPUExecutionProvider']
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: here)
    monkeypatch.setattr(onnxruntime, 'InferenceSession', fail)
    path = save_identity(tmp_path / 'net.onnx')
    with pytest.raises(EngineUnavailableError) as raised:
        create(path, provider='cuda', device_id=3)
    assert raised.value.reason == f"provider 'cuda' with device_id 3: {told}"
    assert 'set the option device_id to a GPU that is here' in raised.value.remedy
    with raises(ArtifactError, 'onnxruntime', artifact=path):
        create(path)


class Part:
    def __init__(self, ep_name: str, count: int) -> None:
        self.ep_name = ep_name
        self._count = count

    def get_nodes(self) -> list[int]:
        return list(range(self._count))


class AssignedSession:
    """A session that tells who computes what."""

    def __init__(self, **counts: int) -> None:
        self._parts = [Part(f'{name}ExecutionProvider', count) for name, count in counts.items()]

    def get_provider_graph_assignment_info(self) -> list[Part]:
        return self._parts


def test_what_the_provider_really_took_is_told():
    options = OnnxRuntimeOptions(device_id=1)
    cuda = 'CUDAExecutionProvider'
    assert devices_taken(AssignedSession(CUDA=7), cuda, options) == 'cuda:1'
    both = devices_taken(AssignedSession(CUDA=7, CPU=3), cuda, options)
    assert both == 'cuda:1, 3 of 10 operators on cpu'
    assert devices_taken(object(), cuda, options) == 'cuda:1'  # before ONNX Runtime 1.24
    with raises(EngineUnavailableError, "'cuda'", 3):
        devices_taken(AssignedSession(CPU=3), cuda, options)


def needs_openvino() -> None:
    if 'OpenVINOExecutionProvider' not in onnxruntime.get_available_providers():
        pytest.skip('this build of ONNX Runtime has no OpenVINO (onnxruntime-openvino has)')


def test_the_provider_openvino_computes(tmp_path):
    needs_openvino()
    path = save_conv(tmp_path / 'net.onnx')
    with create(path, provider='openvino', openvino_device='cpu') as engine:
        assert engine.device == 'openvino:CPU'
        sums = engine.infer({'image': np.ones(SHAPE, np.float32)})['sums']
        assert sums[0, 0, 1].tolist() == [18, 27, 27, 27, 27, 18]


@pytest.mark.parametrize('device', ['GPU', 'foo'])
def test_a_device_that_openvino_does_not_find_is_an_error_and_not_the_cpu(tmp_path, device):
    needs_openvino()
    with raises(EngineUnavailableError, "provider 'openvino'"):
        create(save_conv(tmp_path / 'net.onnx'), provider='openvino', openvino_device=device)
