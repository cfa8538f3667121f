# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""An engine that freezes is found by an image whose answer is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
import threading

import numpy as np
import pytest

from edge_perception.contract import Classes
from edge_perception.contract import Detections
from edge_perception.contract import Frame
from edge_perception.contract import Keypoints
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import RestartingError
from edge_perception.contract import Selection
from edge_perception.runtime.canary import Canary
from edge_perception.runtime.pipeline import Pipeline
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.testing import FakeClock
from edge_perception.testing import FakeDecoder
from edge_perception.testing import FakeEngine
from test.runtime.worker_rig import MANIFEST
from test.runtime.worker_rig import raising
from test.runtime.worker_rig import Rig

PERIOD_NS = 10_000_000_000
IMAGE = Frame(np.full((8, 8, 3), 250, np.uint8))
BOX = np.array([[0, 0, 4, 4]], np.float32)


def detections(score: float, *, x: float = 0.0) -> Perception:
    return Perception(
        detections=Detections(BOX + np.float32(x), np.array([score], np.float32), np.zeros(1, int))
    )


def keypoints(*xy: float, score: float = 0.9) -> Perception:
    points = np.array(xy, np.float32).reshape(1, -1, 2)
    return Perception(keypoints=Keypoints(points, np.full(points.shape[:2], score, np.float32)))


def classes(**scores: float) -> Perception:
    ids = np.array([int(name[1:]) for name in scores], np.int32)
    return Perception(classes=Classes(ids, np.array(list(scores.values()), np.float32)))


def mask(ones: int) -> Perception:
    pixels = np.zeros((10, 10), np.uint8)
    pixels.reshape(-1)[:ones] = 1
    return Perception(mask=pixels)


NOBODY = Perception(keypoints=Keypoints(np.zeros((0, 2, 2)), np.zeros((0, 2))))
NOTHING = Perception(detections=Detections.empty())


class SeesBrightness(FakeDecoder):
    """Reports the mean of the input as the score of its box, and nothing in what is gray."""

    def _decode(self, tensors, transform, selection) -> Perception:
        found = super()._decode(tensors, transform, selection).detections
        level = np.float32(tensors['pixels'].mean() / 255)
        if level < 0.6:
            return Perception(detections=Detections.empty())
        return Perception(detections=replace(found, score=np.full(1, level, np.float32)))


class Frozen:
    """Takes the place of an engine's ``_infer``; gives the last answer again when told to."""

    def __init__(self, engine: FakeEngine) -> None:
        self._work = engine._infer
        self.frozen = False
        self.calls = 0
        self.last: dict[str, np.ndarray] = {}

    def __call__(self, tensors):
        self.calls += 1
        if not self.frozen:
            self.last = self._work(tensors)
        return self.last


def make(
    clock: FakeClock, answers: Callable[[Frame], Perception] | None = None
) -> tuple[Canary, Frozen]:
    engine = FakeEngine(MANIFEST)
    engine._infer = freezer = Frozen(engine)
    engine.activate()
    pipeline = Pipeline(
        engine,
        decoder=SeesBrightness(MANIFEST, outputs=engine.outputs, options=Options()),
        preprocessor=Preprocessor(MANIFEST.input, spec=engine.inputs[0]),
        input_name='image',
        clock=clock,
    )
    if answers is not None:
        process = pipeline.process
        pipeline.process = lambda frame, *, selection: replace(
            process(frame, selection=selection), perception=answers(frame)
        )
    canary = Canary(pipeline, IMAGE, selection=Selection(), period_ns=PERIOD_NS, clock=clock)
    return canary, freezer


def never() -> bool:
    return False


def test_a_working_engine_gives_the_known_answers_and_is_asked_again_later():
    clock = FakeClock()
    canary, engine = make(clock)
    assert canary.tells
    assert canary.wait_ns() == PERIOD_NS
    clock.advance_ms(10_000)
    assert canary.wait_ns() == 0
    assert canary.check(never) == ''
    assert canary.wait_ns() == PERIOD_NS


def test_an_engine_that_is_being_restarted_is_asked_the_next_time():
    clock = FakeClock()
    canary, engine = make(clock)
    clock.advance_ms(10_000)
    engine._input_buffers = raising(RestartingError('it is restarted'))
    assert canary.check(never) == ''
    assert canary.wait_ns() == PERIOD_NS


@pytest.mark.parametrize('images_before', [1, 2])
def test_a_frozen_engine_is_found_whatever_its_last_answer_was(images_before):
    canary, engine = make(FakeClock())
    asked = iter([False] * images_before + [True])
    canary.check(lambda: next(asked, True))
    engine.frozen = True
    assert 'another answer' in canary.check(never)


def test_an_engine_that_gives_zeros_for_ever_is_found():
    canary, engine = make(FakeClock())
    engine.frozen, engine.last = True, {'pixels': np.zeros((1, 3, 4, 4), np.float32)}
    assert 'another answer' in canary.check(never)


def test_an_engine_that_fails_is_found():
    canary, engine = make(FakeClock())
    vanish = raising(RuntimeError('the stick vanished'))
    engine._work = lambda _: vanish()
    assert 'the stick vanished' in canary.check(never)


def test_a_frame_that_waits_comes_first_and_the_check_goes_on_where_it_was():
    clock = FakeClock()
    canary, engine = make(clock)
    clock.advance_ms(10_000)
    before = engine.calls
    answers = iter([False, True])
    assert canary.check(lambda: next(answers)) == ''
    assert engine.calls == before + 1
    assert canary.wait_ns() == 0
    assert canary.check(never) == ''
    assert engine.calls == before + 2


def test_a_model_that_sees_nothing_cannot_tell():
    canary, _ = make(FakeClock(), lambda frame: NOTHING)
    assert not canary.tells


@pytest.mark.parametrize(
    ('known', 'later', 'right'),
    [
        (detections(0.9), detections(0.88), True),
        (detections(0.9), detections(0.8), False),
        (detections(0.9), detections(0.9, x=0.2), True),
        (detections(0.9), detections(0.9, x=2), False),
        (detections(0.9), NOTHING, False),
        (NOTHING, detections(0.9), False),
        (detections(0.32), NOTHING, True),  # hardly above the threshold of 0.3
        (keypoints(1, 2, 5, 6), keypoints(2, 2, 5, 8), True),
        (keypoints(1, 2, 5, 6), keypoints(1, 2, 5, 16), False),
        (keypoints(1, 2, 5, 6), keypoints(1, 2, np.nan, np.nan), False),
        (keypoints(1, 2, 5, 6), NOBODY, False),
        (classes(c1=0.9, c3=0.4), classes(c1=0.93, c3=0.42), True),
        (classes(c1=0.9), classes(c2=0.9), False),
        (classes(c1=0.9), classes(), False),
        (mask(50), mask(51), True),
        (mask(50), mask(60), False),
    ],
)
def test_an_answer_may_differ_by_what_rounding_explains(known, later, right):
    current = [known]
    canary, _ = make(FakeClock(), lambda frame: current[0])
    current[0] = later
    assert (canary.check(never) == '') == right


def test_the_worker_gives_up_an_engine_whose_answer_is_wrong():
    checked = []
    due = threading.Event()

    class Wrong:
        def wait_ns(self) -> int:
            return 0 if due.is_set() else PERIOD_NS

        def check(self, give_up) -> str:
            assert not give_up()
            checked.append(rig.worker.busy)
            return 'the engine gives another answer'

    with Rig(canary=Wrong()) as rig:
        rig.send_each()
        gate = rig.send_gated()
        due.set()
        gate.open()
        rig.until(lambda: bool(rig.gave_up))
        rig.send()
    assert rig.gave_up == ['the engine gives another answer']
    assert checked == [True]
    assert rig.accounts.counts().published == 2
    assert rig.dropped() == {'inactive': 1}


@pytest.mark.parametrize('error', [SystemExit(3), ValueError('a mistake')])
def test_whatever_the_check_raises_is_said_and_ends_no_thread_in_silence(error):
    class Raising:
        def wait_ns(self) -> int:
            return 0

        def check(self, give_up) -> str:
            raise error

    with Rig(canary=Raising()) as rig:
        rig.until(lambda: bool(rig.gave_up))
    assert str(error) in rig.gave_up[0]


def test_a_worker_that_delivers_nothing_does_not_ask():
    class Counting:
        asked = 0

        def wait_ns(self) -> int:
            return 0

        def check(self, give_up) -> str:
            self.asked += 1
            return ''

    canary = Counting()
    rig = Rig(canary=canary)
    rig.send_each()
    rig.finish()
    assert canary.asked == 0
