# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edge_perception.contract import EngineStateError
from edge_perception.contract import InferenceError
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.testing import answers
from edge_perception.testing import fails
from edge_perception.testing import FakeClock
from edge_perception.testing import FakeEngine
from edge_perception.testing import Hangs
from edge_perception.testing import in_turn
from edge_perception.testing import takes
from test.support.raising import raises

MANIFEST = ModelManifest(
    name='net', source='net.onnx', input=InputRecipe(width=3, height=2), decoder='none'
)
BOX = {'boxes': np.array([[1.0, 2.0, 3.0, 4.0]], np.float32)}


def infer(engine: FakeEngine) -> dict[str, np.ndarray]:
    return dict(engine.infer(engine.input_buffers()))


def test_without_a_script_the_input_comes_back():
    with FakeEngine(MANIFEST) as engine:
        engine.input_buffers()['image'].fill(7)
        assert (infer(engine)['pixels'] == 7).all()


def test_scripted_outputs_stand_until_others_are_scripted():
    other = np.zeros((1, 4), np.float32)
    script = in_turn(lambda: None, answers(boxes=other), lambda: None)
    with FakeEngine(MANIFEST, script, outputs=BOX) as engine:
        given = [infer(engine)['boxes'].tolist() for _ in range(3)]
    assert given == [BOX['boxes'].tolist(), other.tolist(), BOX['boxes'].tolist()]


def test_time_that_a_frame_takes():
    clock = FakeClock(now_ns=0)
    with FakeEngine(MANIFEST, takes(12.5, clock)) as engine:
        infer(engine)
    assert clock() == 12_500_000


def test_a_failure_and_then_frames_again():
    script = in_turn(fails(RuntimeError('the stick is gone')), answers(pixels=None), lambda: None)
    with FakeEngine(MANIFEST, script) as engine:
        with raises(InferenceError, 'the stick is gone'):
            infer(engine)
        with raises(InferenceError, "output 'pixels'", 'nothing'):
            infer(engine)
        assert infer(engine)['pixels'].shape == (1, 3, 2, 3)


def test_a_frame_that_hangs_keeps_others_out_until_it_is_released():
    hangs = Hangs()
    with FakeEngine(MANIFEST, hangs) as engine, ThreadPoolExecutor(1) as worker:
        frame = worker.submit(infer, engine)
        try:
            assert hangs.entered.wait(60)
            with pytest.raises(EngineStateError):
                infer(engine)
        finally:
            hangs.release()
        assert frame.result(60)['pixels'].shape == (1, 3, 2, 3)
