# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The engine over a fake driver and a fake TensorRT; also run with each real CUDA binding."""

from __future__ import annotations

import gc
from pathlib import Path
import subprocess
import sys
import threading
import weakref

from edge_perception_tensorrt.cuda import load_driver
from edge_perception_tensorrt.memory import Gpu
import numpy as np
import onnx
from onnx import helper
from onnx import TensorProto
import pytest

from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import InferenceError
from edge_perception.contract import TensorMismatchError
from edge_perception.contract import TensorSpec
from test.plugins.engine_cases import CASES
from test.support.fake_cuda import ILLEGAL_ADDRESS
from test.support.fake_cuda import OUT_OF_MEMORY
from test.support.networks import manifest_for
from test.support.networks import save
from test.support.networks import save_conv
from test.support.networks import save_identity
from test.support.networks import SHAPE
from test.support.networks import tensor
from test.support.raising import raises
from test.support.tensorrt_stubs import nvidia_machine
from test.support.tensorrt_stubs.behavior import plan_of
from test.support.tensorrt_stubs.wheels import ROOT


@pytest.fixture(params=[False, True], ids=['own memory', 'integrated'])
def machine(request, monkeypatch):
    with nvidia_machine(monkeypatch, integrated=request.param) as behavior:
        yield behavior


def plan(path: Path, version: str = '10.3.0.26', **profile) -> Path:
    """Return the plan of the ONNX file at a path."""
    plan_path = path.with_suffix('.engine')
    plan_path.write_bytes(plan_of(onnx.load(path), version, **profile))
    return plan_path


create = CASES['tensorrt'].create


def image(dtype='float32', shape=SHAPE) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 100, shape).astype(dtype)


def save_where(path: Path) -> Path:
    """Return a network with an output whose size depends on the image, beside a fixed one."""
    nodes = [
        helper.make_node('NonZero', ['image'], ['where']),
        helper.make_node('Neg', ['image'], ['negative']),
    ]
    outputs = [tensor('where', (4, 'found'), TensorProto.INT64), tensor('negative', SHAPE)]
    return save(path, nodes, [tensor('image', SHAPE)], outputs)


@pytest.mark.parametrize('dtype', ['float32', 'float16', 'uint8', 'int8'])
def test_tensors_pass_through_in_every_dtype(tmp_path, machine, dtype):
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    path = plan(save_identity(tmp_path / 'net.onnx', kind))
    with create(path, manifest_for(dtype=dtype)) as engine:
        engine.warm_up()
        engine.input_buffers()['image'][:] = image(dtype)
        result = engine.infer(engine.input_buffers())['result']
        np.testing.assert_array_equal(result, image(dtype))
        assert engine.device == 'gpu:0 (Fake GPU 0)'


def test_each_frame_is_computed_anew_and_foreign_arrays_are_not_changed(tmp_path, machine):
    with create(plan(save_identity(tmp_path / 'net.onnx', operator='Neg'))) as engine:
        for value in (1, 2, 3):
            engine.input_buffers()['image'].fill(value)
            assert (engine.infer(engine.input_buffers())['result'] == -value).all()
        frame = image()
        frame.setflags(write=False)
        np.testing.assert_array_equal(engine.infer({'image': frame})['result'], -frame)
        with_gaps = np.repeat(image(), 2, axis=3)[..., ::2]
        np.testing.assert_array_equal(engine.infer({'image': with_gaps})['result'], -image())


def test_open_dimensions_become_those_of_the_manifest(tmp_path, machine):
    onnx_path = save_identity(tmp_path / 'net.onnx', shape=('batch', 3, 'height', 'width'))
    path = plan(onnx_path, smallest=[1, 3, 2, 2], largest=[1, 3, 8, 8])
    with create(path) as engine:
        assert engine.inputs == (TensorSpec('image', SHAPE, np.dtype('float32')),)
        assert engine.outputs[0].shape == SHAPE
        np.testing.assert_array_equal(engine.infer({'image': image()})['result'], image())
    with raises(TensorMismatchError, '1x3x9x6', '1x3x2x2', '1x3x8x8', tensor='image'):
        create(path, manifest_for((1, 3, 9, 6)))


@pytest.mark.parametrize('version', ['8.6.1', '10.3.0'])
def test_outputs_may_change_their_size_and_stand_beside_fixed_ones(tmp_path, monkeypatch, version):
    path = plan(save_where(tmp_path / 'net.onnx'), version)
    for integrated in (False, True):
        with nvidia_machine(monkeypatch, version=version, integrated=integrated):
            with create(path) as engine:
                assert [spec.shape for spec in engine.outputs] == [(4, -1), SHAPE]
                for count in (0, 5, 2, 72, 1):
                    frame = np.zeros(SHAPE, np.float32)
                    frame.ravel()[:count] = 1
                    results = engine.infer({'image': frame})
                    assert results['where'].shape == (4, count)
                    np.testing.assert_array_equal(results['where'], np.nonzero(frame))
                    np.testing.assert_array_equal(results['negative'], -frame)
            del engine, results


def test_memory_for_an_output_that_is_not_there_is_an_error_of_one_frame(tmp_path, monkeypatch):
    with (
        nvidia_machine(monkeypatch) as machine,
        create(plan(save_where(tmp_path / 'net.onnx'))) as engine,
    ):
        with (
            machine.cuda.failing('cuMemAlloc', OUT_OF_MEMORY),
            raises(InferenceError, 'cuMemAlloc', 'out of memory'),
        ):
            engine.infer({'image': image()})
        assert engine.infer({'image': image()})['where'].shape == (4, 72)


def test_any_thread_may_make_use_and_free_an_engine(tmp_path, machine):
    path = plan(save_where(tmp_path / 'net.onnx'))
    engines, results = [], []

    def on_a_thread(job) -> None:
        thread = threading.Thread(target=job)
        thread.start()
        thread.join()

    on_a_thread(lambda: engines.append(create(path)))
    (engine,) = engines
    on_a_thread(engine.activate)
    for _ in range(3):
        on_a_thread(lambda: results.append(engine.infer({'image': image()})['negative'].copy()))
    assert machine.cuda.live['contexts'] == 1
    on_a_thread(engine.deactivate)
    assert len(results) == 3
    for result in results:
        np.testing.assert_array_equal(result, -image())


def test_a_context_that_somebody_made_current_stays_current(tmp_path, monkeypatch):
    with nvidia_machine(monkeypatch, devices=2) as machine:
        path = plan(save_identity(tmp_path / 'net.onnx'))
        somebody = Gpu(load_driver(), load_driver().facts(0))
        with somebody.current(), create(path, device='gpu:1') as engine:
            assert engine.device == 'gpu:1 (Fake GPU 1)'
            np.testing.assert_array_equal(engine.infer({'image': image()})['result'], image())
            assert machine.cuda.current_device() == 0
        somebody.close()


def test_twenty_cycles_leave_nothing_behind(tmp_path, machine):
    engine = create(plan(save_where(tmp_path / 'net.onnx')))
    for _ in range(20):
        with engine:
            engine.warm_up()
            assert machine.contexts == 1
        assert machine.cuda.live == {}
    for _ in range(20):
        create(plan(save_where(tmp_path / 'net.onnx')))
        assert machine.cuda.live == {}


def test_a_result_outlives_its_engine(tmp_path, machine):
    with create(plan(save_identity(tmp_path / 'net.onnx'))) as engine:
        result = engine.infer({'image': image()})['result']
        buffer = engine.input_buffers()['image']
    row = result[0, 0]
    del engine, result, buffer
    np.testing.assert_array_equal(row, image()[0, 0])
    assert machine.cuda.live == {'host': 1, 'contexts': 1}
    del row
    assert machine.cuda.live == {}


def test_an_engine_that_is_forgotten_while_active_gives_all_back(tmp_path, machine):
    engine = create(plan(save_where(tmp_path / 'net.onnx')))
    engine.activate()
    engine.infer({'image': image()})
    gone = weakref.ref(engine)
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    del engine
    gc.collect()
    assert gone() is None
    assert machine.cuda.live == {}


@pytest.mark.parametrize('call', ['cuMemHostAlloc', 'cuMemAlloc'])
@pytest.mark.parametrize('after', [0, 1])
def test_a_full_gpu_fails_to_activate_and_takes_nothing(tmp_path, monkeypatch, call, after):
    with nvidia_machine(monkeypatch) as machine:
        engine = create(plan(save_identity(tmp_path / 'net.onnx')))
        with (
            machine.cuda.failing(call, OUT_OF_MEMORY, after=after),
            raises(EngineUnavailableError, 'net.engine', 'GPU', engine='tensorrt'),
        ):
            engine.activate()
        assert not engine.active
        assert machine.cuda.live == {}
        with engine:
            np.testing.assert_array_equal(engine.infer({'image': image()})['result'], image())


def test_no_execution_context_is_a_full_gpu(tmp_path, machine):
    engine = create(plan(save_identity(tmp_path / 'net.onnx')))
    machine.failures['context'] = 'Error Code 2: OutOfMemory (no further information)'
    with raises(EngineUnavailableError, '512 of 1024 MiB', 'Error Code 2'):
        engine.activate()


def test_what_fails_while_it_computes_is_said_and_not_an_empty_result(tmp_path, machine):
    with create(plan(save_identity(tmp_path / 'net.onnx'))) as engine:
        machine.failures['execute'] = 'Error Code 1: Cask (no kernel)'
        with raises(InferenceError, 'TensorRT', 'Error Code 1: Cask'):
            engine.infer({'image': image()})
        machine.failures.clear()
        with (
            machine.cuda.failing('cuStreamSynchronize', ILLEGAL_ADDRESS),
            raises(InferenceError, 'cuStreamSynchronize', 'illegal memory'),
        ):
            engine.infer({'image': image()})
        np.testing.assert_array_equal(engine.infer({'image': image()})['result'], image())


def test_a_lost_gpu_ends_without_a_second_error(tmp_path, monkeypatch, caplog, capfd):
    with nvidia_machine(monkeypatch) as machine:
        engine = create(plan(save_conv(tmp_path / 'net.onnx')))
        engine.activate()
        with machine.cuda.failing('cuMemFree', ILLEGAL_ADDRESS):
            engine.deactivate()
        assert not engine.active
        # pycuda says it itself, and not in the log.
        said = caplog.text + capfd.readouterr().err
        assert 'cuMemFree failed: an illegal memory access' in said
        assert set(machine.cuda.live) == {'device'}
        machine.cuda.forgive()


def test_a_process_may_end_with_an_active_engine():
    # The binding of this process, and where it is found, are inherited.
    command = [sys.executable, '-m', 'test.support.tensorrt_stubs.exit_scenario']
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout in ('pycuda', 'cuda-python')
    assert 'Traceback' not in run.stderr


def test_dla_is_chosen_before_the_plan_is_loaded(tmp_path, monkeypatch):
    with nvidia_machine(monkeypatch, integrated=True, dla_cores=2) as machine:
        path = plan(save_identity(tmp_path / 'net.onnx'))
        with create(path, device='dla1') as engine:
            assert engine.device == 'dla1 (Fake GPU 0)'
        assert machine.dla_core == 1
        with raises(EngineUnavailableError, '2 DLA cores', 'dla2'):
            create(path, device='dla2')
