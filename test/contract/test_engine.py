# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import threading

import numpy as np
import pytest

from edge_perception.contract import check_input
from edge_perception.contract import Engine
from edge_perception.contract import EngineStateError
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import InferenceError
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract import Quantization
from edge_perception.contract import TensorMismatchError
from edge_perception.contract import TensorSpec
from test.support.raising import raises

FLOAT = np.dtype(np.float32)
IMAGE = TensorSpec('images', (1, 3, 4, 6), FLOAT)
SCALE = TensorSpec('scale', (-1,), FLOAT)


class Doubling(Engine):
    """Doubles what it gets, and notes the calls of its overridden methods."""

    def __init__(self, inputs=(IMAGE, SCALE), fail: BaseException | None = None) -> None:
        super().__init__(inputs=inputs, outputs=inputs)
        self.calls: list[str] = []
        self.fail = fail

    def _activate(self):
        self.calls.append('activate')

    def _infer(self, tensors):
        self.calls.append('infer')
        if self.fail:
            raise self.fail
        return {name: tensor * 2 for name, tensor in tensors.items()}

    def _deactivate(self):
        self.calls.append('deactivate')


class FailingToActivate(Doubling):
    def _activate(self):
        super()._activate()
        raise self.fail


def test_the_life_of_an_engine():
    engine = Doubling()
    assert not engine.active
    engine.activate()
    assert engine.active
    buffers = engine.input_buffers()
    buffers['images'][...] = 3.0
    assert (engine.infer(buffers)['images'] == 6.0).all()
    engine.deactivate()
    assert not engine.active
    assert engine.calls == ['activate', 'infer', 'deactivate']


def test_activating_twice_and_deactivating_twice_do_nothing_more():
    engine = Doubling()
    engine.deactivate()
    engine.activate()
    engine.activate()
    engine.deactivate()
    engine.deactivate()
    assert engine.calls == ['activate', 'deactivate']


def test_a_with_block_deactivates_after_an_error():
    engine = Doubling()
    with pytest.raises(KeyError), engine as entered:
        assert entered is engine
        assert engine.active
        raise KeyError
    assert not engine.active


class FailingToDeactivate(Doubling):
    def _deactivate(self):
        raise RuntimeError('the device is gone')


def test_an_exception_of_the_vendor_in_deactivate_becomes_a_sentence():
    engine = FailingToDeactivate()
    engine.activate()
    with raises(InferenceError, 'FailingToDeactivate', 'the device is gone'):
        engine.deactivate()
    assert not engine.active


def test_what_ended_a_with_block_is_not_hidden_by_a_failing_deactivate():
    with pytest.raises(KeyError), FailingToDeactivate():
        raise KeyError
    with raises(InferenceError, 'the device is gone'), FailingToDeactivate():
        pass


@pytest.mark.parametrize(
    ('name', 'call'),
    [
        ('infer', lambda engine: engine.infer({})),
        ('input_buffers', lambda engine: engine.input_buffers()),
        ('input_buffers', lambda engine: engine.warm_up()),
    ],
)
def test_an_inactive_engine_refuses_to_work(name, call):
    engine = Doubling()
    with raises(EngineStateError, f'Doubling.{name} ', 'activate'):
        call(engine)
    engine.activate()
    call_after = engine.input_buffers()
    engine.deactivate()
    with pytest.raises(EngineStateError):
        call(engine)
    assert set(call_after) == {'images', 'scale'}


def test_warming_up_runs_the_network_on_zeros():
    seen = []

    class Watching(Doubling):
        def _infer(self, tensors):
            seen.append({name: tensor.copy() for name, tensor in tensors.items()})
            return super()._infer(tensors)

    with Watching() as engine:
        engine.input_buffers()['images'][...] = 9.0
        engine.warm_up(runs=2)
    assert len(seen) == 2
    assert not any(tensor.any() for tensors in seen for tensor in tensors.values())


@pytest.mark.parametrize('method', ['infer', 'input_buffers', 'activate', 'deactivate'])
def test_a_second_thread_inside_is_refused_and_the_first_goes_on(method):
    inside, leave = threading.Event(), threading.Event()

    class Slow(Doubling):
        def _infer(self, tensors):
            inside.set()
            assert leave.wait(60)
            return super()._infer(tensors)

    engine = Slow()
    engine.activate()
    tensors = dict(engine.input_buffers())
    results = []
    thread = threading.Thread(target=lambda: results.append(engine.infer(tensors)))
    thread.start()
    assert inside.wait(60)
    try:
        with raises(EngineStateError, f'Slow.{method} ', 'thread'):
            getattr(engine, method)(*([tensors] if method == 'infer' else []))
    finally:
        leave.set()
        thread.join(60)
    assert len(results) == 1
    assert engine.active
    engine.infer(tensors)


@pytest.mark.parametrize(
    'error', [KeyboardInterrupt(), TensorMismatchError('a', got='b', expected='c')]
)
def test_a_failing_activate_gives_back_what_it_took_and_stays_inactive(error):
    engine = FailingToActivate(fail=error)
    with pytest.raises(type(error)) as raised:
        engine.activate()
    assert raised.value is error
    assert engine.calls == ['activate', 'deactivate']
    assert not engine.active


def test_an_exception_of_the_vendor_in_activate_becomes_a_sentence():
    engine = FailingToActivate(fail=RuntimeError('out of memory'))
    with pytest.raises(EngineUnavailableError) as raised:
        engine.activate()
    assert str(raised.value) == ("engine 'FailingToActivate' is not available: out of memory")
    assert isinstance(raised.value.__cause__, RuntimeError)


def test_the_reason_of_a_failing_activate_is_not_hidden_by_a_failing_deactivate():
    class FailingTwice(FailingToActivate):
        def _deactivate(self):
            raise AttributeError('no session')

    engine = FailingTwice(fail=RuntimeError('out of memory'))
    with raises(EngineUnavailableError, 'out of memory'):
        engine.activate()
    assert not engine.active


def test_an_engine_can_be_activated_after_a_failure():
    engine = FailingToActivate(fail=RuntimeError('busy'))
    with pytest.raises(EngineUnavailableError):
        engine.activate()
    engine._activate = lambda: None
    engine.activate()
    assert engine.active


def test_a_missing_tensor_is_named():
    with Doubling() as engine, pytest.raises(TensorMismatchError) as raised:
        engine.infer({'scale': np.zeros(1, np.float32)})
    assert str(raised.value) == "tensor 'images': got nothing, expected 1x3x4x6 float32"
    assert engine.calls == ['activate', 'deactivate']


@pytest.mark.parametrize(
    ('tensor', 'got'),
    [
        (np.zeros((1, 3, 4, 5), np.float32), '1x3x4x5 float32'),
        (np.zeros((1, 3, 4, 6), np.uint8), '1x3x4x6 uint8'),
        (np.zeros((3, 4, 6), np.float32), '3x4x6 float32'),
        (np.float32(0), 'scalar float32'),
    ],
)
def test_a_tensor_of_another_shape_or_type_is_described(tensor, got):
    tensors = {'images': tensor, 'scale': np.zeros(1, np.float32)}
    with Doubling() as engine, pytest.raises(TensorMismatchError) as raised:
        engine.infer(tensors)
    assert str(raised.value) == f"tensor 'images': got {got}, expected 1x3x4x6 float32"


def test_an_open_dimension_takes_any_size():
    with Doubling() as engine:
        for size in (0, 1, 7):
            tensors = {**engine.input_buffers(), 'scale': np.ones(size, np.float32)}
            assert engine.infer(tensors)['scale'].shape == (size,)


def test_an_exception_of_the_vendor_in_infer_is_an_inference_error():
    engine = Doubling(fail=RuntimeError('CUDA error 700'))
    with engine, pytest.raises(InferenceError) as raised:
        engine.infer(engine.input_buffers())
    assert str(raised.value) == 'Doubling failed: CUDA error 700'
    assert isinstance(raised.value.__cause__, RuntimeError)


def test_an_exception_without_words_still_says_what_it_is():
    engine = Doubling(fail=MemoryError())
    with engine, raises(InferenceError, 'Doubling', 'MemoryError'):
        engine.infer(engine.input_buffers())


def test_an_error_of_the_contract_in_infer_stays_as_it_is():
    error = InferenceError('the device was unplugged')
    with Doubling(fail=error) as engine, pytest.raises(InferenceError) as raised:
        engine.infer(engine.input_buffers())
    assert raised.value is error


def test_an_engine_works_on_after_a_failure():
    with Doubling(fail=RuntimeError('once')) as engine:
        with pytest.raises(InferenceError):
            engine.infer(engine.input_buffers())
        engine.fail = None
        engine.infer(engine.input_buffers())


def test_an_exception_of_the_vendor_in_input_buffers_is_an_inference_error():
    class Unmapped(Doubling):
        def _input_buffers(self):
            raise RuntimeError('cannot map the memory')

    with Unmapped() as engine, raises(InferenceError, 'cannot map the memory'):
        engine.input_buffers()


def test_buffers_fit_the_inputs_and_can_be_written():
    with Doubling() as engine:
        buffers = engine.input_buffers()
        assert [spec.admits(buffers[spec.name]) for spec in engine.inputs] == [True, True]
        for buffer in buffers.values():
            assert buffer.flags.c_contiguous
            assert buffer.flags.writeable
        assert engine.input_buffers()['images'] is buffers['images']


def test_buffers_of_a_former_activation_are_not_handed_out_again():
    engine = Doubling()
    with engine:
        first = engine.input_buffers()['images']
    with engine:
        assert engine.input_buffers()['images'] is not first


def manifest(**recipe: object) -> ModelManifest:
    return ModelManifest(
        name='small', source='small.onnx', decoder='d', input=InputRecipe(**recipe)
    )


def test_the_image_input_is_found_by_name_or_because_it_is_the_only_one():
    assert check_input(manifest(width=6, height=4), (IMAGE,)) == IMAGE
    assert check_input(manifest(width=6, height=4, name='images'), (SCALE, IMAGE)) == IMAGE


def test_an_input_of_open_size_takes_what_the_manifest_says():
    spec = TensorSpec('images', (-1, 3, -1, -1), FLOAT)
    found = check_input(manifest(width=640, height=480), (spec,))
    assert found == TensorSpec('images', (1, 3, 480, 640), FLOAT)


def test_an_artifact_may_want_another_layout_another_float_or_quantized_numbers():
    small = manifest(width=6, height=4)
    half = TensorSpec('images', (1, 4, 6, 3), np.dtype(np.float16))
    assert check_input(small, (half,)) == half
    quantized = TensorSpec('images', (1, 4, 6, 3), np.dtype(np.int8), Quantization(0.1, -3))
    assert check_input(small, (quantized,)) == quantized


def test_whole_numbers_without_a_scale_do_not_stand_for_real_ones():
    plain = TensorSpec('images', (1, 3, 4, 6), np.dtype(np.uint8))
    with raises(TensorMismatchError, '1x3x4x6 float32', tensor='images'):
        check_input(manifest(width=6, height=4), (plain,))


@pytest.mark.parametrize(
    ('outputs', 'got'),
    [
        ({}, 'nothing'),
        ({'boxes': np.zeros((1, 4), np.float64)}, '1x4 float64'),
        ({'boxes': np.zeros((1, 5), np.float32)}, '1x5 float32'),
        ({'boxes': np.zeros(4, np.float32)}, '4 float32'),
    ],
)
def test_an_output_that_was_not_promised_is_a_failure(outputs, got):
    class Lying(Doubling):
        def _infer(self, tensors):
            return outputs

    engine = Lying()
    engine.outputs = (TensorSpec('boxes', (1, 4), FLOAT),)
    with engine, pytest.raises(InferenceError) as raised:
        engine.infer(engine.input_buffers())
    assert str(raised.value) == (
        f"Lying: output 'boxes': got {got}, expected 1x4 float32, which the engine promised"
    )


def test_an_output_of_which_nothing_is_known_may_have_any_shape():
    engine = Doubling()
    engine.outputs = (TensorSpec('images', (), FLOAT),)
    with engine:
        assert engine.infer(engine.input_buffers())['images'].shape == IMAGE.shape


@pytest.mark.parametrize(
    ('recipe', 'inputs', 'sentence'),
    [
        (
            {},
            (IMAGE, SCALE),
            "tensor 'input': got images, scale, expected a single input; "
            'name the image input under input.name of the manifest',
        ),
        (
            {'name': 'image'},
            (IMAGE,),
            "tensor 'image': got images, expected one input with this name; "
            'name the image input under input.name of the manifest',
        ),
        (
            {},
            (),
            "tensor 'input': got no inputs, expected a single input; "
            'name the image input under input.name of the manifest',
        ),
        (
            {'width': 8, 'dtype': 'uint8'},
            (IMAGE,),
            "tensor 'images': got 1x3x4x8 uint8 from the manifest, "
            'expected 1x3x4x6 float32, which the model takes; correct input.width, '
            'input.height, input.layout, input.color or input.dtype of the manifest',
        ),
    ],
)
def test_an_input_that_is_not_what_the_manifest_says_is_refused(recipe, inputs, sentence):
    with pytest.raises(TensorMismatchError) as raised:
        check_input(manifest(**{'width': 6, 'height': 4, **recipe}), inputs)
    assert str(raised.value) == sentence
