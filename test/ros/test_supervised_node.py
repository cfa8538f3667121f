# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a vehicle sees of an engine whose process is lost: a gap, its reason, and results again."""

from __future__ import annotations

import os
import signal

from diagnostic_msgs.msg import DiagnosticStatus

from test.supervision.faulty_engine import FaultyEngineType
from test.support.fake_node import picture
from test.support.graph import until


class NamedLikeTheFake(FaultyEngineType):
    name = 'fake'


def test_the_node_outlives_the_process_of_its_engine_and_says_what_is_wrong(world):
    here = world(
        engine_type=NamedLikeTheFake(), engine_process='supervised', max_engine_failures=2
    )
    camera = here.start()
    camera.publish(picture(here.now()))
    assert here.result().detections
    session = here.node.session
    first = session._engine.process_id
    os.kill(first, signal.SIGKILL)
    until(lambda: session._engine.condition, bool)
    until(lambda: session._engine.condition, lambda words: not words)
    camera.publish(picture(here.now()))
    assert here.result().detections
    assert session._engine.process_id != first
    # What is started now would compute with another model.
    session.artifact.path.touch()
    os.kill(session._engine.process_id, signal.SIGKILL)
    status = here.status('engine', 'another artifact')
    assert status.level == DiagnosticStatus.ERROR
    before = here.counts().received
    for number in range(3):
        camera.publish(picture(here.now()))
        counts = here.settled(received=before + number + 1)
    assert counts.dropped['engine_failed'] == 3
    assert not here.node.finished.done()
    assert here.tester.state() == 'active'
    assert here.detections.empty()


def test_wrong_interpreters_are_said_in_configure(world, tmp_path):
    nowhere = str(tmp_path / 'nowhere')
    here = world(
        engine_type=NamedLikeTheFake(), engine_process='supervised', engine_python=nowhere
    )
    assert not here.tester.transition('configure')
    assert nowhere in here.logged('cannot be started')


def test_an_interpreter_for_no_process_is_a_mistake(world):
    here = world(engine_type=NamedLikeTheFake(), engine_python='/usr/bin/python3')
    assert not here.tester.transition('configure')
    here.logged('set engine_process to supervised')
