# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong in a stage: counted, said, and the thread goes on or gives up aloud."""

from __future__ import annotations

import numpy as np
import pytest

from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.contract import InferenceError
from edge_perception.contract import RestartingError
from test.runtime.worker_rig import Message
from test.runtime.worker_rig import raising
from test.runtime.worker_rig import Rig

FAILING = Message(infer=raising(RuntimeError('out of memory')))


@pytest.mark.parametrize(
    ('stage', 'error', 'reason', 'sentence'),
    [
        ('convert', ImageError('unknown encoding'), 'bad_image', 'unknown encoding'),
        ('convert', ValueError('too short'), 'bad_image', 'cannot be read: too short'),
        ('convert', KeyError('data'), 'bad_image', "cannot be read: KeyError: 'data'"),
        ('convert', MemoryError(), 'bad_image', 'cannot be read: MemoryError'),
        ('infer', RuntimeError('gone'), 'engine_failed', 'FakeEngine failed: gone'),
        ('infer', InferenceError('gone'), 'engine_failed', 'gone'),
        ('infer', MemoryError(), 'engine_failed', 'FakeEngine failed: MemoryError'),
        ('decode', ValueError('3 rows'), 'decode_failed', "decoder 'fake' failed: 3 rows"),
        (
            *('deliver', RuntimeError('no such field'), 'publish_failed'),
            'the result could not be published: no such field',
        ),
    ],
)
def test_a_failure_is_never_an_empty_result_and_the_next_frame_is_served(
    stage, error, reason, sentence
):
    with Rig() as rig:
        good = Message()
        rig.send_each(Message(**{stage: raising(error)}), good)
    assert rig.dropped() == {reason: 1}
    assert rig.reports == [(reason, sentence)]
    assert rig.delivered == [good]


@pytest.mark.parametrize(
    'frame',
    [
        Frame(np.zeros((8, 8, 3), np.uint8), encoding='hsv8'),
        Frame(np.zeros((0, 8, 3), np.uint8)),
        Frame(np.zeros(8, np.uint8)),
        Frame(np.zeros((8, 8, 3), np.float32)),
    ],
)
def test_a_frame_that_cannot_be_preprocessed_is_a_bad_image(frame):
    with Rig() as rig:
        rig.send_each(Message(convert=lambda: frame), Message())
    assert rig.dropped() == {'bad_image': 1}
    assert len(rig.delivered) == 1


def test_an_engine_without_memory_for_the_next_frame_has_failed():
    with Rig() as rig:
        rig.engine._input_buffers = raising(RuntimeError('cannot map the memory'))
        rig.send_each()
    assert rig.dropped() == {'engine_failed': 1}
    assert rig.reports == [('engine_failed', 'FakeEngine failed: cannot map the memory')]


def test_an_engine_whose_memory_does_not_fit_has_failed():
    # Counting it as a bad image would blame the camera, and would never end the node.
    with Rig() as rig:
        rig.engine._input_buffers = lambda: {'image': np.zeros((1, 3, 1, 1), np.float32)}
        rig.send_each()
    assert rig.dropped() == {'engine_failed': 1}


def test_frames_that_are_lost_while_the_engine_is_restarted_end_nothing():
    restarting = Message(infer=raising(RestartingError('it is restarted')))
    with Rig(max_engine_failures=2) as rig:
        rig.send_each(FAILING, *[restarting] * 20, Message())
        assert rig.gave_up == []
    assert rig.dropped() == {'engine_failed': 21}
    assert len(rig.delivered) == 1


def test_after_so_many_failures_in_a_row_the_worker_gives_up():
    with Rig(max_engine_failures=3) as rig:
        rig.send_each(FAILING, FAILING, FAILING)
        rig.until(lambda: len(rig.gave_up) == 1)
        rig.send()
    assert rig.gave_up == ['the engine failed 3 times in a row: FakeEngine failed: out of memory']
    assert rig.dropped() == {'engine_failed': 3, 'inactive': 1}
    assert rig.delivered == []


NO_NUMBERS = Message(decode=raising(FloatingPointError('scores that are not finite')))


def test_ten_frames_in_a_row_that_are_no_numbers_are_a_failed_engine():
    with Rig() as rig:
        rig.send_each(*[NO_NUMBERS] * 9, Message(), *[NO_NUMBERS] * 10)
        rig.until(lambda: bool(rig.gave_up))
        rig.send()
    assert len(rig.gave_up) == 1
    assert 'no finite numbers 10 times in a row' in rig.gave_up[0]
    assert rig.dropped() == {'decode_failed': 19, 'inactive': 1}
    assert len(rig.delivered) == 1


def test_a_frame_that_waits_while_the_worker_gives_up_is_accounted_for():
    with Rig(max_engine_failures=1) as rig:
        gate = rig.send_gated(RuntimeError())
        rig.send()
        gate.open()
        rig.until_idle()
    assert rig.dropped() == {'engine_failed': 1, 'inactive': 1}


def test_a_success_in_between_starts_the_count_anew():
    with Rig(max_engine_failures=2) as rig:
        rig.send_each(FAILING, Message(), FAILING, Message(), FAILING)
    assert rig.gave_up == []
    assert len(rig.delivered) == 2


def test_a_frame_that_only_the_decoder_failed_on_is_a_success_of_the_engine():
    undecodable = Message(decode=raising(ValueError('got 3 rows')))
    with Rig(max_engine_failures=2) as rig:
        rig.send_each(FAILING, undecodable, FAILING, undecodable)
    assert rig.gave_up == []


def test_an_activation_starts_the_count_anew():
    with Rig(max_engine_failures=2) as rig:
        for _ in range(3):
            rig.send_each(FAILING)
            rig.worker.pause()
            rig.worker.resume()
        rig.send_each()
    assert rig.gave_up == []
    assert len(rig.delivered) == 1


def test_an_engine_that_fails_after_pause_is_nobody_s_failure_any_more():
    with Rig(max_engine_failures=1) as rig:
        gate = rig.send_gated(RuntimeError('the stick vanished'))
        rig.worker.pause()
        gate.open()
        rig.until_idle()
        rig.worker.resume()
        rig.send_each()
    assert rig.gave_up == []
    assert rig.dropped() == {'inactive': 1}
    assert len(rig.delivered) == 1


def test_whatever_the_pipeline_raises_the_thread_goes_on():
    with Rig() as rig:
        finish = rig.channel.pipeline.finish
        rig.channel.pipeline.finish = lambda *_, **__: 1 / 0
        rig.send_each()
        rig.channel.pipeline.finish = finish
        rig.send_each()
    assert rig.dropped() == {'decode_failed': 1}
    assert len(rig.delivered) == 1


@pytest.mark.parametrize('stage', ['infer', 'decode'])
def test_a_plugin_that_calls_exit_is_given_up_aloud(stage):
    with Rig() as rig:
        rig.send(Message(**{stage: raising(SystemExit(3))}))
        rig.until(lambda: bool(rig.gave_up))
    assert rig.gave_up == ['a plugin ended the thread of the worker: SystemExit: 3']
    assert rig.dropped() == {'engine_failed': 1}
    assert not rig.engine.active
