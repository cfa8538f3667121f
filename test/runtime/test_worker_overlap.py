# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Two threads that work on frames of one engine: nothing is mixed, lost or waited for."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from edge_perception.runtime.throughput.batching import Batching
from edge_perception.runtime.throughput.engine_run import EngineRun
from edge_perception.runtime.throughput.engine_run import RunMemory
from test.runtime.overlap_rig import AHEAD
from test.runtime.overlap_rig import OverlapRig
from test.runtime.worker_rig import Gate
from test.runtime.worker_rig import Message
from test.runtime.worker_rig import raising


def send_prepared(rig: OverlapRig, message: Message | None = None, *, camera: str = '') -> int:
    """Hand in an image while the engine computes, and wait until the second thread has it."""
    taken = rig.threads.get(AHEAD, 0)
    number = rig.send(message, camera=camera)
    rig.until(lambda: rig.threads.get(AHEAD, 0) == taken + 1)
    return number


def send_gated(rig: OverlapRig, error: Exception | None = None, *, stage: str = 'infer') -> Gate:
    gate = Gate(error)
    rig.send(Message(**{stage: gate}))
    gate.wait_until_entered()
    return gate


@pytest.mark.parametrize(
    ('overlap', 'largest', 'frames'), [('on', 1, 10_000), ('on', 4, 2_000), ('off', 3, 1_000)]
)
def test_of_ten_thousand_frames_no_result_is_that_of_another(overlap, largest, frames):
    # For the rows of a batch nothing is known but that it takes no longer than one.
    batching = Batching(dict.fromkeys(range(1, largest + 1), 1000))
    ways = {'clock': time.monotonic_ns, 'overlap': overlap, 'batching': batching}
    with OverlapRig(*'abcd', **ways) as rig:
        busy = Message(infer=lambda: time.sleep(2e-5))
        for number in range(frames):
            camera = 'abcd'[number % 4]
            accounts = rig.channels[camera].accounts
            rig.until(lambda accounts=accounts: not accounts.counts().in_flight)
            rig.send(busy, camera=camera)
        rig.until_idle()
        assert rig.engine.threads == {'perception'}
    assert [rig.dropped(camera) for camera in 'abcd'] == [{}] * 4
    assert sorted(sum(rig.published.values(), [])) == list(range(1, frames + 2))
    assert (AHEAD in rig.threads) == (overlap == 'on')
    assert largest == 1 or sum(rig.engine.sizes.values()) < frames
    assert max(rig.engine.sizes) <= largest


def test_a_frame_that_waits_is_prepared_while_the_engine_computes():
    with OverlapRig('camera') as rig:
        gate = send_gated(rig)
        second = send_prepared(rig)
        newest = [rig.send(), rig.send()][-1]  # of those that are not taken the newest waits
        gate.open()
        rig.until_idle()
    assert rig.published['camera'][-2:] == [second, newest]
    assert rig.dropped() == {'superseded': 1}


def test_without_overlap_no_thread_is_there_for_it():
    with OverlapRig('camera', overlap='off') as rig:
        gate = send_gated(rig)
        assert AHEAD not in {thread.name for thread in threading.enumerate()}
        gate.open()


def test_a_result_is_finished_while_the_engine_computes_the_next_and_before_its_result():
    with OverlapRig('camera') as rig:
        first, decoding, computing = Gate(), Gate(), Gate()
        rig.send(Message(infer=first, decode=decoding))
        first.wait_until_entered()
        send_prepared(rig, Message(infer=computing))
        first.open()
        decoding.wait_until_entered()
        computing.wait_until_entered()
        computing.open()
        decoding.open()
        rig.until_idle()
    assert rig.published['camera'] == [1, 2, 3]


@pytest.mark.parametrize('resumed', [False, True])
def test_a_pause_waits_for_no_engine_and_drops_what_was_prepared(resumed):
    with OverlapRig('camera') as rig:
        gate = send_gated(rig)
        send_prepared(rig)
        rig.worker.pause()
        if resumed:
            rig.worker.resume()
        gate.open()
        rig.until_idle()
    assert rig.published['camera'] == [1]
    assert rig.dropped() == {'inactive': 2}


def test_a_pause_waits_for_what_the_second_thread_publishes():
    with OverlapRig('camera') as rig:
        first, delivering, computing = Gate(), Gate(), Gate()
        rig.send(Message(infer=first, deliver=delivering))
        first.wait_until_entered()
        send_prepared(rig, Message(infer=computing))
        first.open()
        delivering.wait_until_entered()
        computing.wait_until_entered()
        seen: list[int] = []
        pausing = threading.Thread(
            target=lambda: (rig.worker.pause(), seen.extend(rig.published['camera']))
        )
        pausing.start()
        pausing.join(0.2)  # it returns at once where it does not wait for the publication
        delivering.open()
        pausing.join()
        computing.open()
        rig.until_idle()
    assert seen == [1, 2]
    assert rig.dropped() == {'inactive': 1}


def test_stopping_in_the_middle_drops_both_and_frees_the_engine_in_its_own_thread():
    rig = OverlapRig('camera')
    threads = []
    rig.engine._deactivate = lambda: threads.append(threading.current_thread().name)
    with rig:
        gate = send_gated(rig)
        send_prepared(rig)
        rig.worker.stop()
        assert rig.engine.active
        gate.open()
    assert not rig.engine.active
    assert threads == ['perception']
    assert rig.dropped() == {'inactive': 2}


def test_an_engine_that_hangs_is_busy_since_it_got_its_frame():
    with OverlapRig('camera') as rig:
        gate = send_gated(rig)
        rig.clock.advance_ms(4000)
        send_prepared(rig)
        rig.clock.advance_ms(3000)
        assert rig.worker.busy_ns() == 7_000_000_000
        gate.open()
        rig.until_idle()
        rig.until(lambda: not rig.worker.busy)


def test_a_failure_of_the_engine_costs_its_own_frame_alone():
    with OverlapRig('camera') as rig:
        gate = send_gated(rig, RuntimeError('gone'))
        good = send_prepared(rig)
        gate.open()
        rig.until_idle()
    assert rig.published['camera'] == [1, good]
    assert rig.dropped() == {'engine_failed': 1}


def test_of_a_batch_with_a_frame_that_is_no_number_that_frame_alone_fails():
    batching = Batching(dict.fromkeys(range(1, 5), 1000))
    ways = {'clock': time.monotonic_ns, 'overlap': 'off', 'batching': batching}
    with OverlapRig(*'abcd', **ways) as rig:
        gate = send_gated(rig)
        broken = Message(decode=raising(FloatingPointError('scores that are not finite')))
        for camera in 'abcd':
            rig.send(broken if camera == 'c' else None, camera=camera)
        gate.open()
        rig.until_idle()
        assert rig.engine.sizes == {1: 2, 4: 1}
    assert [len(rig.published[camera]) for camera in 'abcd'] == [3, 1, 0, 1]
    assert rig.dropped('c') == {'decode_failed': 1}


def test_failures_in_a_row_end_the_engine_also_where_frames_overlap():
    with OverlapRig('camera', max_engine_failures=2) as rig:
        gate = send_gated(rig, RuntimeError('gone'))
        send_prepared(rig, Message(infer=raising(RuntimeError('gone again'))))
        gate.open()
        rig.until_idle()
        rig.until(lambda: bool(rig.gave_up))
    assert rig.gave_up == ['the engine failed 2 times in a row: NamedEngine failed: gone again']


@pytest.mark.parametrize('stage', ['convert', 'decode'])
def test_a_plugin_that_calls_exit_in_the_second_thread_is_given_up_aloud(stage):
    with OverlapRig('camera') as rig:
        first = Gate()
        exits = Message(**{stage: raising(SystemExit(3))})
        rig.send(Message(infer=first, decode=exits.decode))
        first.wait_until_entered()
        rig.send(Message(convert=exits.convert))
        if stage == 'decode':
            rig.until(lambda: rig.threads.get(AHEAD) == 1)
        first.open()
        rig.until(lambda: bool(rig.gave_up))
    assert rig.gave_up == ['a plugin ended the thread of the worker: SystemExit: 3']
    assert not rig.engine.active


def test_memory_of_a_run_is_given_to_no_other_one_until_the_engine_has_read_it():
    memory = RunMemory(())
    computed, ahead = EngineRun([], 0), EngineRun([], 0)
    computed.inputs = memory.inputs([])
    # One that was dropped takes no turn away.
    for _ in range(3):
        ahead.inputs = memory.inputs([computed])
        assert ahead.inputs is not computed.inputs
    (kept,) = memory.keep([{'a': np.arange(3)}])
    assert memory.keep([{'a': np.arange(4)}])[0]['a'].shape == (4,)
    assert kept['a'].tolist() == [0, 1, 2]
