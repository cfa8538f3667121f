# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import sys

from edge_perception_tensorrt import cuda
from edge_perception_tensorrt import device
from edge_perception_tensorrt import library
from edge_perception_tensorrt.engine import TensorRtEngineType
from edge_perception_tensorrt.options import TensorRtOptions
import onnx
import pytest

from edge_perception.contract import EngineUnavailableError
from test.support.fake_cuda import DRIVER_MISMATCH
from test.support.fake_cuda import NO_DEVICE
from test.support.networks import manifest_for
from test.support.networks import save_identity
from test.support.raising import raises
from test.support.tensorrt_stubs import forget
from test.support.tensorrt_stubs import nvidia_machine
from test.support.tensorrt_stubs.behavior import plan_of


def create(folder, **options):
    path = folder / 'net.engine'
    path.write_bytes(plan_of(onnx.load(save_identity(folder / 'net.onnx'))))
    return TensorRtEngineType().create(manifest_for(), path, TensorRtOptions(**options))


def test_probe_says_what_is_here(monkeypatch):
    with nvidia_machine(monkeypatch, devices=2):
        availability = TensorRtEngineType().probe()
        assert availability.available
        assert availability.runtime.startswith('TensorRT 10.3.0 with ')
        assert availability.devices == ('gpu:0', 'gpu:1')


def test_without_a_binding_of_cuda_it_is_said_which(monkeypatch):
    with nvidia_machine(monkeypatch):
        cuda.load_driver.cache_clear()
        for name in ('pycuda', 'pycuda.driver', 'cuda', 'cuda.bindings', 'cuda.bindings.driver'):
            monkeypatch.setitem(sys.modules, name, None)
        availability = TensorRtEngineType().probe()
        assert availability.reason == 'neither pycuda nor cuda-python is installed'
        assert 'pip install cuda-python' in availability.remedy


def test_without_the_library_of_the_driver_it_is_said(monkeypatch):
    with nvidia_machine(monkeypatch):
        cuda.load_driver.cache_clear()

        class Broken:
            def __getattr__(self, name):
                raise ImportError('libcuda.so.1: cannot open shared object file')

        monkeypatch.setitem(sys.modules, 'pycuda.driver', Broken())
        monkeypatch.setattr(sys.modules['pycuda'], 'driver', Broken())
        monkeypatch.setitem(sys.modules, 'cuda', None)
        availability = TensorRtEngineType().probe()
        assert 'the CUDA driver cannot be used: libcuda.so.1: cannot open' in availability.reason
        assert 'install the NVIDIA driver' in availability.remedy


@pytest.mark.parametrize(
    ('code', 'reason'),
    [
        (NO_DEVICE, 'the CUDA driver finds no GPU'),
        (DRIVER_MISMATCH, 'the library of the CUDA driver is of another version'),
        (999, 'the CUDA driver does not start: cuInit failed'),
    ],
)
def test_a_driver_that_does_not_start_is_explained(monkeypatch, code, reason):
    with nvidia_machine(monkeypatch) as machine:
        forget()
        with machine.cuda.failing('cuInit', code):
            assert reason in TensorRtEngineType().probe().reason


def test_a_driver_that_is_too_old_for_tensorrt_is_explained(tmp_path, monkeypatch):
    with nvidia_machine(monkeypatch) as machine:
        machine.failures['runtime'] = (
            'CUDA initialization failure with error: 35. Please check your CUDA installation'
        )
        with raises(EngineUnavailableError, 'NVIDIA driver', engine='tensorrt'):
            create(tmp_path)


@pytest.mark.parametrize('name', ['gpu:2', 'cuda:0', 'dla', 'gpu:'])
def test_a_device_that_is_not_here_is_refused(tmp_path, monkeypatch, name):
    with (
        nvidia_machine(monkeypatch, devices=2),
        raises(EngineUnavailableError, repr(name), 'gpu:0, gpu:1'),
    ):
        create(tmp_path, device=name)


def test_a_plan_is_bound_to_device_driver_and_tensorrt(tmp_path, monkeypatch):
    kernel_module = tmp_path / 'version'
    monkeypatch.setattr(device, 'KERNEL_MODULE_VERSION', kernel_module)
    engine_type = TensorRtEngineType()
    with nvidia_machine(monkeypatch):
        assert engine_type.device_key(TensorRtOptions()) == (
            'Fake GPU 0, compute capability 8.7, driver CUDA 12.6, TensorRT 10.3.0'
        )
        kernel_module.write_text('540.4.0\n')
        assert engine_type.device_key(TensorRtOptions(device='dla1')) == (
            'Fake GPU 0, compute capability 8.7, DLA 1, driver 540.4.0, TensorRT 10.3.0'
        )


def test_warnings_of_tensorrt_reach_the_log_and_errors_the_message(monkeypatch, caplog):
    with nvidia_machine(monkeypatch):
        logger = library.vendor_logger()
        logger.log(logger.Severity.WARNING, 'Using an engine plan file across different models')
        logger.log(logger.Severity.INFO, 'Loaded engine size: 6 MiB')
        logger.log(logger.Severity.ERROR, 'first\ncause')
        logger.log(logger.Severity.INTERNAL_ERROR, 'what follows')
    assert caplog.messages == ['TensorRT: Using an engine plan file across different models']
