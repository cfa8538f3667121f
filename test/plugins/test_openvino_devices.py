# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
import tempfile

from edge_perception_openvino import devices
from edge_perception_openvino.engine import OpenVinoEngineType
from edge_perception_openvino.errors import device_error
from edge_perception_openvino.library import load_library
from edge_perception_openvino.options import OpenVinoOptions
import numpy as np
import pytest

from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import OptionError
from test.plugins.engine_cases import CASES
from test.support.networks import manifest_for
from test.support.networks import save_conv
from test.support.networks import SHAPE
from test.support.raising import raises

pytest.importorskip('openvino', reason='OpenVINO (openvino) is not installed')


create = CASES['openvino'].create


@pytest.mark.parametrize(
    'device', ['CPU', 'cpu', ' Cpu ', 'AUTO', 'auto:cpu', 'AUTO:-GPU', 'HETERO:CPU']
)
def test_a_device_is_found_in_any_case_and_the_one_that_was_taken_is_told(tmp_path, device):
    with create(save_conv(tmp_path / 'net.onnx'), device=device, threads=1) as engine:
        assert engine.device == 'CPU'
        sums = engine.infer({'image': np.ones(SHAPE, np.float32)})['sums']
        assert sums[0, 0].tolist()[1] == [18, 27, 27, 27, 27, 18]


@pytest.mark.parametrize('device', ['CPU', 'AUTO', 'HETERO:CPU'])
def test_the_precision_reaches_the_processor_through_every_device(shared_data, device):
    if 'BF16' not in load_library().Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES'):
        pytest.skip('this processor does not compute in bf16')
    path = shared_data / 'yunet' / 'yunet_n_320_320.onnx'
    shape = (1, 3, 320, 320)
    frame = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    results = {}
    for precision in ('f32', 'bf16'):
        options = OpenVinoOptions(device=device, precision=precision)
        with OpenVinoEngineType().create(manifest_for(shape), path, options) as engine:
            results[precision] = engine.infer({'input': frame})['cls_8'].copy()
    difference = np.abs(results['f32'] - results['bf16']).max()
    assert 1e-5 < difference < 0.1


@pytest.mark.parametrize(
    ('device', 'names'),
    [
        ('', ["''", 'CPU']),
        ('HETERO:', ["'HETERO:'", 'CPU']),
        ('FOO', ["'FOO'", 'CPU', 'option device']),
        ('HETERO:FOO,CPU', ["'FOO'"]),
        ('CPU.1', ["'CPU.1'", 'CPU', 'number']),
        ('myriad', ["'MYRIAD'", '2022.3', 'setupvars.sh', 'Python 3.10']),
    ],
)
def test_a_device_that_is_not_here_is_an_error_and_not_the_cpu(tmp_path, capfd, device, names):
    with raises(EngineUnavailableError, *names) as error:
        create(save_conv(tmp_path / 'net.onnx'), device=device)
    assert '\n' not in str(error.value)
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('device', ['GPU', 'GPU.0', 'HETERO:GPU,CPU', 'NPU'])
def test_a_missing_accelerator_is_explained(tmp_path, device):
    if {'GPU', 'GPU.0', 'NPU'} & set(load_library().Core().available_devices):
        pytest.skip('this machine has one')
    kind = 'NPU' if device == 'NPU' else 'GPU'
    with raises(EngineUnavailableError, kind, 'option device') as error:
        create(save_conv(tmp_path / 'net.onnx'), device=device)
    assert '\n' not in str(error.value)


# Said by OpenVINO where it has the plugin, which no pip package has: 2021.4.2, 2022.1 and 2022.2.
@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (
            'Can not init Myriad device: NC_ERROR',
            'no Myriad stick answers: none is plugged in, this user may not open it (udev rules)',
        ),
        (
            'Failed to allocate graph: MYRIAD device is not opened.',
            'run install_dependencies/install_NCS_udev_rules.sh',
        ),
        (
            'Cannot load library "libopenvino_intel_myriad_plugin.so": libusb-1.0.so.0: cannot '
            'open shared object file: No such file or directory',
            'needs libusb, which is missing; install it with: sudo apt install libusb-1.0-0',
        ),
        (
            'Cannot load library "/x/libopenvino_intel_gpu_plugin.so": libOpenCL.so.1: cannot '
            'open shared object file',
            'needs OpenCL, which is missing; install it with: sudo apt install ocl-icd',
        ),
    ],
)
def test_what_a_device_lacks_is_told_with_the_remedy(text, message):
    error = device_error('MYRIAD', text, runtime='openvino 2022.3.2', found=['CPU'])
    assert error is not None
    assert message in str(error)


def test_a_text_about_something_else_is_not_taken_for_a_missing_device():
    text = 'Unsupported operation of type: Frobnicate name: x'
    assert device_error('CPU', text, runtime='openvino', found=['CPU']) is None


class Compiled:
    """What a network says that was compiled for devices that are not here."""

    def __init__(self, **properties) -> None:
        self._properties = properties

    def get_property(self, name: str):
        if name not in self._properties:
            raise RuntimeError(f'Unsupported ExecutableNetwork config key: {name}')
        return self._properties[name]


def test_auto_may_not_choose_a_device_that_computes_less_exactly():
    compiled = Compiled(EXECUTION_DEVICES=['NPU'])
    with raises(EngineUnavailableError, "'AUTO'", 'NPU'):
        devices.devices_taken(compiled, OpenVinoOptions(device='AUTO'))
    half = OpenVinoOptions(device='AUTO', precision='f16')
    assert devices.devices_taken(compiled, half) == 'NPU'
    assert devices.devices_taken(compiled, OpenVinoOptions(device='NPU')) == 'NPU'


def test_a_device_that_does_not_tell_what_it_took_is_the_one_that_was_named():
    assert devices.devices_taken(Compiled(), OpenVinoOptions(device='gpu.1')) == 'GPU.1'


def test_a_precision_that_was_only_taken_for_a_hint_is_an_error():
    compiled = Compiled(INFERENCE_PRECISION_HINT='f32')
    with raises(EngineUnavailableError, 'f32', 'bf16'):
        devices.check_precision(compiled, OpenVinoOptions(precision='bf16'))
    devices.check_precision(compiled, OpenVinoOptions())
    devices.check_precision(Compiled(), OpenVinoOptions(precision='bf16'))


@pytest.fixture
def own_folder(tmp_path, monkeypatch) -> Path:
    """Return a folder that is not in the one for temporary files."""
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'temporary'))
    return tmp_path / 'cache' / 'openvino'


def test_the_compiled_network_is_kept_and_taken_again(tmp_path, own_folder):
    path = save_conv(tmp_path / 'net.onnx')
    for _ in range(2):
        with create(path, cache_dir=str(own_folder)) as engine:
            sums = engine.infer({'image': np.ones(SHAPE, np.float32)})['sums']
            assert sums[0, 0, 1].tolist() == [18, 27, 27, 27, 27, 18]
        (blob,) = own_folder.iterdir()
    blob.write_bytes(blob.read_bytes()[:100])  # what is damaged is made anew
    with create(path, cache_dir=str(own_folder)) as engine:
        engine.warm_up()


def test_nothing_is_kept_unless_asked_for(tmp_path, monkeypatch):
    path = save_conv(tmp_path / 'net.onnx')
    monkeypatch.chdir(tmp_path)
    create(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_for_temporary_files_keeps_no_networks(tmp_path, own_folder):
    folder = tmp_path / 'temporary' / 'cache'
    with raises(OptionError, 'cache_dir: ', folder):
        create(save_conv(tmp_path / 'net.onnx'), cache_dir=str(folder))
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_explained(tmp_path, own_folder):
    path = save_conv(tmp_path / 'net.onnx')
    with raises(OptionError, 'cache_dir: ', 'Not a directory'):
        create(path, cache_dir=str(path / 'cache'))


def test_the_cpu_says_in_what_it_computes(tmp_path):
    assert create(save_conv(tmp_path / 'net.onnx'), precision='f32').precision == 'fp32'
