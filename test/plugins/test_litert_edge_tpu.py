# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The Coral Edge TPU without a Coral.

A delegate library in C stands for libedgetpu. It goes through the real interface of the runtime,
takes the operator of real compiled files, and can be told what goes wrong.
"""

from __future__ import annotations

from pathlib import Path
import shutil
import subprocess

import cv2
from edge_perception_litert import delegates
from edge_perception_litert import edge_tpu
from edge_perception_litert.edge_tpu_builder import EdgeTpuBuilder
from edge_perception_litert.engine import LiteRtEngineType
from edge_perception_litert.options import LiteRtOptions
import numpy as np
from onnx import helper
from onnx import numpy_helper
import pytest
import yaml

from edge_perception.cli.main import main
from edge_perception.contract import ArtifactError
from edge_perception.contract import Availability
from edge_perception.contract import BuildReport
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import InferenceError
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract import OptionError
from edge_perception.contract.loading import load_trial
from edge_perception.models.proofs import read_proof
from test.plugins.lite_networks import LiteOperator
from test.plugins.lite_networks import LiteTensor
from test.plugins.lite_networks import save
from test.plugins.lite_networks import save_compiled
from test.plugins.lite_networks import save_unary
from test.support.networks import save as save_onnx
from test.support.networks import SHAPE
from test.support.networks import tensor
from test.support.raising import raises

pytest.importorskip(
    'ai_edge_litert.interpreter', reason='LiteRT (ai-edge-litert) is not installed'
)

SOURCE = Path(__file__).parents[1] / 'support' / 'edge_tpu.c'
BIG = {'width': 128, 'height': 128}
SMALL = {'width': 6, 'height': 4}


@pytest.fixture(scope='module')
def library(tmp_path_factory) -> str:
    """Return the path of a libedgetpu that needs no Edge TPU."""
    compiler = shutil.which('gcc') or shutil.which('cc')
    if compiler is None:
        pytest.skip('no C compiler for the fake Edge TPU')
    path = tmp_path_factory.mktemp('edgetpu') / 'libedgetpu.so.1'
    subprocess.run([compiler, '-shared', '-fPIC', '-o', str(path), str(SOURCE)], check=True)
    return str(path)


@pytest.fixture(autouse=True)
def nothing_was_tried(monkeypatch):
    monkeypatch.setattr(load_trial, '_outcomes', {})
    monkeypatch.setattr(delegates, '_proven', set())


@pytest.fixture
def machine(monkeypatch, tmp_path) -> Path:
    """Stand for the root of a machine; nothing is plugged in."""
    root = tmp_path / 'machine'
    root.mkdir()
    monkeypatch.setattr(edge_tpu, 'ROOT', root)
    return root


def plug_in_usb(root: Path, product: str = '18d1:9302') -> Path:
    folder = root / 'sys/bus/usb/devices/2-1'
    folder.mkdir(parents=True)
    vendor, number = product.split(':')
    values = {'idVendor': vendor, 'idProduct': number, 'busnum': '2', 'devnum': '7'}
    for name, value in values.items():
        (folder / name).write_text(f'{value}\n')
    node = root / 'dev/bus/usb/002/007'
    node.parent.mkdir(parents=True)
    node.touch()
    return node


def create(path: Path, size=None, dtype='uint8', **options):
    manifest = ModelManifest(
        name='net',
        source='net.tflite',
        input=InputRecipe(layout='nhwc', dtype=dtype, **(size or SMALL)),
        decoder='none',
    )
    options = {'threads': 1, 'device': 'edgetpu', **options}
    return LiteRtEngineType().create(manifest, path, LiteRtOptions(**options))


def test_a_real_compiled_file_runs_on_the_edge_tpu(shared_data, library):
    path = shared_data / 'classifiers/mobilenet_v1_0.25_128_quant_edgetpu.tflite'
    with create(path, BIG, delegate=library) as engine:
        assert engine.device == 'edgetpu'
        engine.warm_up()
        (result,) = engine.infer(engine.input_buffers()).values()
        assert (result == 42).all()


@pytest.fixture
def model(tmp_path) -> Path:
    """Make a model whose outputs are 42 everywhere, as are those of the fake Edge TPU."""
    folder = tmp_path / 'net'
    (folder / 'golden').mkdir(parents=True)
    cv2.imwrite(str(folder / 'golden' / 'gray.png'), np.full((40, 60, 3), 99, np.uint8))
    weights = numpy_helper.from_array(np.zeros((2, 3, 1, 1), np.float32), 'weights')
    bias = numpy_helper.from_array(np.full(2, 42, np.float32), 'bias')
    nodes = [helper.make_node('Conv', ['image', 'weights', 'bias'], ['result'])]
    outputs = [tensor('result', (1, 2, 4, 6))]
    save_onnx(
        folder / 'net.onnx', nodes, [tensor('image', SHAPE)], outputs, constants=[weights, bias]
    )
    manifest = {
        'manifest_version': 1,
        'name': 'net',
        'source': {'file': 'net.onnx'},
        'input': {**SMALL, 'resize': 'stretch'},
        'decoder': {'name': 'heatmap', 'options': {'layout': 'nchw', 'activation': 'sigmoid'}},
        'keypoints': ['a', 'b'],
    }
    (folder / 'model.yaml').write_text(yaml.safe_dump(manifest))
    return folder


def test_what_is_built_for_it_is_compared_and_proven_on_it(
    model, tmp_path, library, machine, monkeypatch
):
    pytest.importorskip('onnxslim', reason='onnxslim is not installed')

    def compiled(self, plan, workspace) -> BuildReport:
        artifact = save(
            workspace / 'net_int8_edgetpu.tflite',
            [
                LiteOperator('edgetpu-custom-op', ('image',), ('middle',)),
                LiteOperator('CAST', ('middle',), ('result',)),
            ],
            [
                LiteTensor('image', (1, 4, 6, 3)),
                LiteTensor('middle', (1, 2, 4, 6), 'uint8'),
                LiteTensor('result', (1, 2, 4, 6)),
            ],
        )
        return BuildReport(artifact, {'compiler': '16'})

    monkeypatch.setattr(EdgeTpuBuilder, 'build', compiled)
    monkeypatch.setattr(EdgeTpuBuilder, 'probe', lambda self: Availability(available=True))
    monkeypatch.setattr(edge_tpu, 'LINUX_LIBRARY', library)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    plug_in_usb(machine)
    made = tmp_path / 'made'
    words = ['build', model, '--target', 'edgetpu', '--precision', 'int8', '--output', made]
    words += ['--calibration', model / 'golden']
    assert main([str(each) for each in words], standalone_mode=False) == 0
    proof = read_proof(made / 'net_int8_edgetpu.tflite', 'litert')
    assert proof is not None
    assert (proof.passed, proof.precision, proof.device) == (True, 'int8', 'edgetpu')


def test_operators_that_fall_to_the_cpu_are_named(tmp_path, library, shared_data):
    with create(save_compiled(tmp_path / 'net.tflite'), delegate=library) as engine:
        assert engine.device == 'edgetpu, on the CPU: 1 CAST, 1 NEG'
        assert (engine.infer(engine.input_buffers())['result'] == -42).all()
    path = shared_data / 'movenet_lightning/movenet_single_pose_lightning_ptq_edgetpu.tflite'
    description = LiteRtEngineType().describe(path)
    assert [spec.shape for spec in description.outputs] == [(1, 1, 17, 3)]


def test_the_wish_for_a_stick_reaches_the_library(tmp_path, library, monkeypatch):
    seen = []
    outcome_of = load_trial.outcome_of

    def watched(trial, artifact, content):
        seen.append(trial.request['delegate_options'])
        return outcome_of(trial, artifact, content)

    monkeypatch.setattr(delegates, 'outcome_of', watched)
    path = save_compiled(tmp_path / 'net.tflite')
    for device in ('edgetpu', 'edgetpu:1', 'edgetpu:usb', 'edgetpu:pci:2'):
        create(path, delegate=library, device=device, delegate_options=('Performance=Low',))
    assert [each.get('device') for each in seen] == [None, ':1', 'usb', 'pci:2']
    assert all(each['Performance'] == 'Low' for each in seen)


def test_a_stick_that_vanishes_is_a_failure_and_comes_back(tmp_path, library, monkeypatch):
    gone = tmp_path / 'gone'
    monkeypatch.setenv('FAKE_EDGE_TPU', f'gone:{gone}')
    engine = create(save_compiled(tmp_path / 'net.tflite'), delegate=library)
    with engine:
        engine.warm_up()
        gone.touch()
        for _ in range(2):
            with raises(InferenceError, 'USB transfer error'):
                engine.infer(engine.input_buffers())
    monkeypatch.setenv('FAKE_EDGE_TPU', 'absent')
    with raises(EngineUnavailableError, 'USB', 'PCIe'):
        engine.activate()
    monkeypatch.delenv('FAKE_EDGE_TPU')
    with engine:
        assert (engine.infer(engine.input_buffers())['result'] == -42).all()


def test_a_stick_that_this_process_has_open_already_is_not_tried_by_another(
    tmp_path, library, monkeypatch
):
    """It would fail, because a stick belongs to one process at a time."""
    with create(save_compiled(tmp_path / 'net.tflite'), delegate=library):
        started = []
        run = subprocess.run

        def watched(command, **settings):
            started.append(command)
            return run(command, **settings)

        monkeypatch.setattr(subprocess, 'run', watched)
        other = save(
            tmp_path / 'other.tflite',
            [LiteOperator('edgetpu-custom-op', ('image',), ('result',))],
            [LiteTensor('image', dtype='uint8'), LiteTensor('result', dtype='uint8')],
        )
        with create(other, delegate=library) as second:
            second.warm_up()
        assert not any(library in ' '.join(command) for command in started)


def test_a_library_for_another_runtime_kills_only_the_child(tmp_path, library, monkeypatch):
    monkeypatch.setenv('FAKE_EDGE_TPU', 'crash')
    with raises(EngineUnavailableError, 'SIGSEGV'):
        create(save_compiled(tmp_path / 'net.tflite'), delegate=library)


def test_without_the_library_the_error_says_what_to_install(tmp_path, machine):
    with raises(EngineUnavailableError, 'libedgetpu.so.1', 'libedgetpu1-std'):
        create(save_compiled(tmp_path / 'net.tflite'))


@pytest.mark.parametrize(
    'file',
    [
        'classifiers/mobilenet_v1_0.25_128_quant_edgetpu.tflite',
        'movenet_lightning/movenet_single_pose_lightning_ptq_edgetpu.tflite',
    ],
)
def test_real_compiled_files_say_what_they_need(shared_data, machine, file):
    path = shared_data / file
    size = BIG if 'mobilenet' in file else {'width': 192, 'height': 192}
    with raises(ArtifactError, "option device to 'edgetpu'"):
        create(path, size, device='cpu')
    with raises(EngineUnavailableError, 'libedgetpu1-std'):
        create(path, size)


def test_without_a_stick_the_error_says_so(tmp_path, library, machine, monkeypatch):
    monkeypatch.setenv('FAKE_EDGE_TPU', 'absent')
    path = save_compiled(tmp_path / 'net.tflite')
    with raises(EngineUnavailableError, 'USB', 'PCIe'):
        create(path, delegate=library)
    # Plugging one in helps without a restart.
    monkeypatch.delenv('FAKE_EDGE_TPU')
    create(path, delegate=library)


def test_a_stick_without_rights_needs_udev_rules(tmp_path, library, machine, monkeypatch):
    monkeypatch.setenv('FAKE_EDGE_TPU', 'absent')
    node = plug_in_usb(machine, '1a6e:089a')
    monkeypatch.setattr(edge_tpu.os, 'access', lambda path, _: Path(path) != node)
    with raises(EngineUnavailableError, '002/007', 'udev'):
        create(save_compiled(tmp_path / 'net.tflite'), delegate=library)


def test_a_stick_that_somebody_else_has_open(tmp_path, library, machine, monkeypatch):
    monkeypatch.setenv('FAKE_EDGE_TPU', 'absent')
    plug_in_usb(machine)
    with raises(EngineUnavailableError, 'Could not open device'):
        create(save_compiled(tmp_path / 'net.tflite'), delegate=library)


def test_a_file_that_was_not_compiled_is_not_run_on_the_cpu_instead(tmp_path):
    path = save_unary(tmp_path / 'net.tflite', 'ABS', dtype='uint8')
    with raises(ArtifactError, '--target edgetpu'):
        create(path)


@pytest.mark.parametrize('device', ['gpu', 'EDGETPU', 'edgetpu:', 'edgetpu:fast', ''])
def test_an_unknown_device_is_refused(tmp_path, device):
    path = save_unary(tmp_path / 'net.tflite', dtype='uint8')
    with raises(EngineUnavailableError, f'device {device!r} ', 'cpu', 'edgetpu'):
        create(path, device=device)


def test_devices_are_those_that_are_plugged_in(machine):
    assert LiteRtEngineType().probe().devices == ('cpu',)
    plug_in_usb(machine, '1a6e:089a')
    assert LiteRtEngineType().probe().devices == ('cpu', 'edgetpu', 'edgetpu:usb')
    (machine / 'dev/apex_0').touch()
    assert LiteRtEngineType().probe().devices == ('cpu', 'edgetpu', 'edgetpu:usb', 'edgetpu:pci')


def test_a_module_on_pcie_tells_how_hot_it_is(machine, tmp_path, library, monkeypatch):
    monkeypatch.setattr(edge_tpu, 'LINUX_LIBRARY', library)
    (machine / 'dev').mkdir()
    for number, temperature in enumerate(('61000', '84800')):
        (machine / f'dev/apex_{number}').touch()
        folder = machine / f'sys/class/apex/apex_{number}'
        folder.mkdir(parents=True)
        (folder / 'temp').write_text(temperature)
        (folder / 'trip_point0_temp').write_text('84800')
    with create(save_compiled(tmp_path / 'net.tflite')) as engine:
        assert engine.health() == {'temperature_c': 84.8, 'throttled': 1.0}
        (machine / 'sys/class/apex/apex_1/temp').write_text('84799\n')
        assert engine.health() == {'temperature_c': 84.799, 'throttled': 0.0}
        plug_in_usb(machine)  # of which nobody knows which one computes
        assert engine.health() == {}


def test_artifacts_for_the_edge_tpu_are_for_nothing_else():
    kind = LiteRtEngineType()
    assert kind.device_key(LiteRtOptions()) == 'any'
    assert kind.device_key(LiteRtOptions(device='edgetpu:usb')) == 'edgetpu'


def test_another_delegate_takes_what_it_can(tmp_path, library):
    tensors = [LiteTensor('image', dtype='uint8'), LiteTensor('real'), LiteTensor('result')]
    operators = [
        LiteOperator('CAST', ('image',), ('real',)),
        LiteOperator('NEG', ('real',), ('result',)),
    ]
    path = save(tmp_path / 'net.tflite', operators, tensors)
    with create(path, device='cpu', delegate=library) as engine:
        assert engine.device == 'libedgetpu.so.1, the rest on the CPU'
        buffers = engine.input_buffers()
        buffers['image'].fill(3)
        assert (engine.infer(buffers)['result'] == -3).all()


def test_another_delegate_may_bring_operators_of_its_own(tmp_path, library):
    path = save_unary(tmp_path / 'net.tflite', 'acme-frobnicate', dtype='uint8')
    with raises(ArtifactError, 'option delegate'):
        create(path, device='cpu')
    with create(path, device='cpu', delegate=library) as engine:
        assert (engine.infer(engine.input_buffers())['result'] == 42).all()


@pytest.mark.parametrize(
    ('delegate', 'options', 'names'),
    [
        ('libnothing.so', (), ['delegate libnothing.so ', 'option']),
        ('libm.so.6', (), ['libm.so.6 ', 'option delegate']),
        ('libnothing.so', ('fast',), ["delegate_options: got 'fast'", 'name=value']),
    ],
)
def test_a_delegate_that_is_none_is_explained(tmp_path, delegate, options, names):
    path = save_unary(tmp_path / 'net.tflite', 'ABS', shape=(1, 4, 6, 3))
    plain = {'device': 'cpu', 'dtype': 'float32'}
    with raises(EngineUnavailableError, *names):
        create(path, delegate=delegate, delegate_options=options, **plain)


def test_options_for_no_delegate_are_refused(tmp_path):
    path = save_unary(tmp_path / 'net.tflite', 'ABS')
    with raises(OptionError, 'delegate_options: got a=1, b=2'):
        create(path, device='cpu', delegate_options=('a=1', 'b=2'))


def test_a_delegate_that_crashes_or_does_not_start(tmp_path, library, monkeypatch):
    path = save_unary(tmp_path / 'net.tflite', 'ABS')
    for trouble, name in (('crash', 'SIGSEGV'), ('absent', 'open')):
        monkeypatch.setenv('FAKE_EDGE_TPU', trouble)
        with raises(EngineUnavailableError, name):
            create(path, device='cpu', dtype='float32', delegate=library)
