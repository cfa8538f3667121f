# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A worker goes on whatever happens to the process of its engine, and accounts for every frame."""

from __future__ import annotations

from collections.abc import Callable
import gc
import os
import random
import signal
import threading

import numpy as np

from edge_perception.contract import Decoder
from edge_perception.contract import Detections
from edge_perception.contract import Frame
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.runtime.pipeline import Pipeline
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.testing import FakeClock
from test.runtime.worker_rig import Message
from test.runtime.worker_rig import Rig
from test.supervision.faulty_engine import CODES
from test.supervision.faulty_engine import MANIFEST
from test.supervision.test_supervised_engine import make

FAULTS = ('exit', 'segv', 'hang', 'hang_with_gil', 'garbage', 'future', 'leave_a_child')


class EchoDecoder(Decoder):
    """Reports the value of the image as a score, so that a stale result is seen."""

    name = 'echo'
    tasks = frozenset({'detections'})

    def _decode(self, tensors, transform, selection):
        score = tensors['pixels'].reshape(-1)[:1] / np.float32(255)
        return Perception(
            detections=Detections(np.zeros((1, 4), np.float32), score, np.zeros(1, np.int32))
        )


def test_frames_in_are_published_or_dropped_and_none_is_stale(tmp_path):
    (tmp_path / 'net.faulty').write_text('fine', encoding='utf-8')
    engine = make(tmp_path / 'net.faulty', hang_s=0.5)
    engine.activate()
    rig = Rig(pipeline=lambda clock: echo(engine, clock), max_engine_failures=2)
    seed = random.SystemRandom().randrange(1 << 32)
    moves = moves_in_a_random_order(random.Random(seed), lambda: engine.process_id)
    values, handles = random.Random(seed), set()
    with rig:
        for move in moves:
            before = len(rig.delivered)
            while len(rig.delivered) < before + 3:
                rig.send_each(message(values.randrange(200)))
            gc.collect()  # as the node does when it is idle
            handles.add((len(os.listdir('/proc/self/fd')), threading.active_count()))
            move(rig)
        sent = rig.accounts.counts().received
    dropped = rig.dropped()
    assert len(handles) == 1, f'seed {seed}'
    assert rig.gave_up == [], f'seed {seed}'
    assert set(dropped) == {'engine_failed'}
    assert len(rig.results) + sum(dropped.values()) == sent
    for result in rig.results:
        (score,) = result.perception.detections.score
        assert round(score * 255) == result.frame.image[0, 0, 0], f'seed {seed}'


def message(value: int) -> Message:
    return Message(convert=lambda: Frame(np.full((8, 8, 3), value, np.uint8)))


def echo(engine, clock: FakeClock) -> Pipeline:
    return Pipeline(
        engine,
        decoder=EchoDecoder(MANIFEST, outputs=engine.outputs, options=Options()),
        preprocessor=Preprocessor(MANIFEST.input, spec=engine.inputs[0]),
        input_name='image',
        clock=clock,
    )


def moves_in_a_random_order(
    chance: random.Random, pid: Callable[[], int]
) -> list[Callable[[Rig], None]]:
    """Return what is done to the process, each at least once, and nothing at the end."""
    moves: list[Callable[[Rig], None]] = [
        *(lambda rig, name=name: rig.send_each(message(CODES[name])) for name in FAULTS),
        lambda rig: os.kill(pid(), signal.SIGKILL),
        lambda rig: os.kill(pid(), signal.SIGSTOP),
    ]
    chance.shuffle(moves)
    return [*moves, lambda rig: None]
