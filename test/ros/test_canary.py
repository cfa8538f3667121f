# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The check of the engine in the node: an engine that freezes ends it."""

from __future__ import annotations

from pathlib import Path

import cv2
from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest

from edge_perception.contract import Detections
from edge_perception.contract import Perception
from edge_perception.testing import FakeClock
from edge_perception.testing import FakeDecoder
from edge_perception.testing import FakeEngineType
from test.support.fake_node import picture
from test.support.graph import until

PERIOD_S = 10.0


class SeesBrightness(FakeDecoder):
    """Sees a box in what is bright, and nothing in what is gray."""

    def _decode(self, tensors, transform, selection) -> Perception:
        if tensors['pixels'].mean() < 200:
            return Perception(detections=Detections.empty())
        return super()._decode(tensors, transform, selection)


class FreezingEngineType(FakeEngineType):
    """Makes engines that repeat their last answer for ever once ``frozen`` is set."""

    frozen = False
    calls = 0

    def create(self, manifest, artifact, options):
        engine = super().create(manifest, artifact, options)
        work, last = engine._infer, {}

        def infer(tensors):
            if not self.frozen:
                last.update(work(tensors))
            self.calls += 1
            return last

        engine._infer = infer
        return engine


def bright(path: Path) -> str:
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), np.full((48, 64, 3), 250, np.uint8))
    return str(path)


@pytest.mark.parametrize('named', [False, True])
def test_an_engine_that_freezes_ends_the_node(world, tmp_path, named):
    image = bright(tmp_path / ('elsewhere' if named else 'golden') / 'bright.png')
    engine_type, clock = FreezingEngineType(), FakeClock()
    here = world(
        engine_type=engine_type,
        decoder=SeesBrightness,
        clock=clock,
        canary_period_s=PERIOD_S,
        **({'canary_image': image} if named else {}),
    )
    camera = here.start()
    calls = engine_type.calls
    clock.advance_ms(PERIOD_S * 1000)
    camera.publish(picture(here.now()))
    assert not here.result().detections
    until(lambda: engine_type.calls, lambda now: now == calls + 3)  # the frame and the check
    engine_type.frozen = True
    clock.advance_ms(PERIOD_S * 1000)
    camera.publish(picture(here.now()))
    here.logged('another answer to the image of the canary')
    until(here.node.finished.done, bool)
    assert here.node.finished.result() == 1
    assert here.tester.state() == 'finalized'


def test_the_death_of_a_frozen_engine_is_an_error_in_the_diagnostics(world, tmp_path):
    bright(tmp_path / 'golden' / 'bright.png')
    engine_type, clock = FreezingEngineType(), FakeClock()
    here = world(
        engine_type=engine_type, decoder=SeesBrightness, clock=clock, canary_period_s=PERIOD_S
    )
    camera = here.start()
    engine_type.frozen = True
    clock.advance_ms(PERIOD_S * 1000)
    camera.publish(picture(here.now()))
    status = here.status('engine', 'another answer')
    assert status.level == DiagnosticStatus.ERROR


@pytest.mark.parametrize('level', [None, 128])
def test_an_image_that_tells_nothing_is_refused_at_configure(world, tmp_path, level):
    if level is not None:
        (tmp_path / 'golden').mkdir()
        cv2.imwrite(str(tmp_path / 'golden' / 'gray.png'), np.full((48, 64, 3), level, np.uint8))
    here = world(decoder=SeesBrightness, canary_period_s=PERIOD_S)
    assert not here.tester.transition('configure')
    here.logged('canary_period_s: ')
    assert here.tester.state() == 'unconfigured'


def test_without_the_parameter_no_image_is_needed(world):
    here = world(decoder=SeesBrightness)
    assert here.tester.transition('configure')
