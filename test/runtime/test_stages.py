# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What stages get from the pipeline, and what becomes of what they give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_perception.contract import Calibration
from edge_perception.contract import DecodeError
from edge_perception.contract import Detections
from edge_perception.contract import Frame
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import Reads
from edge_perception.contract import Selection
from edge_perception.contract import Stage
from edge_perception.runtime.pipeline import Pipeline
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.testing import FakeClock
from edge_perception.testing import FakeDecoder
from edge_perception.testing import FakeEngineType
from test.support.stage_rig import stage_type

MANIFEST = ModelManifest(
    name='net', source='net.onnx', input=InputRecipe(width=8, height=8), decoder='fake'
)
FRAME = Frame(np.zeros((8, 8, 3), np.uint8))
SCORES = np.array([0.9, 0.6, 0.3, 0.05], np.float32)


class Scored(FakeDecoder):
    def _decode(self, tensors, transform, selection):
        score = SCORES[selection.score_threshold <= SCORES]
        boxes = np.tile(np.array([[0, 0, 1, 1]], np.float32), (len(score), 1))
        found = Detections(xyxy=boxes, score=score, class_id=np.zeros(len(score), np.int32))
        return Perception(detections=found)


def pipeline_of(*kinds: type[Stage], clock: FakeClock | None = None) -> Pipeline:
    engine = FakeEngineType().create(MANIFEST, Path('net.onnx'), Options())
    engine.activate()
    return Pipeline(
        engine,
        decoder=Scored(MANIFEST, outputs=engine.outputs, options=Options()),
        preprocessor=Preprocessor(MANIFEST.input, spec=engine.inputs[0]),
        input_name='image',
        stages=[kind(MANIFEST, options=Options()) for kind in kinds],
        clock=clock or FakeClock(),
    )


def process(pipeline: Pipeline, threshold: float = 0.5):
    return pipeline.process(FRAME, selection=Selection(score_threshold=threshold))


def test_each_stage_has_its_time_under_its_own_name():
    clock = FakeClock()

    def takes(ms):
        return lambda inputs: (clock.advance_ms(ms), inputs.perception)[1]

    times = process(
        pipeline_of(stage_type('one', takes(3)), stage_type('two', takes(4)), clock=clock)
    ).times
    assert list(times) == ['preprocess', 'infer', 'decode', 'one', 'two']
    assert (times['one'], times['two']) == (3_000_000, 4_000_000)


@pytest.mark.parametrize(('floor', 'candidates'), [(0.1, 3), (0.7, 2), (0.0, 4)])
def test_candidates_below_the_threshold_are_for_the_stage_alone(floor, candidates):
    got = []
    kind = stage_type(
        'tracker',
        lambda inputs: (got.append(inputs), inputs.perception)[1],
        reads=Reads(candidates=floor),
    )
    perception = process(pipeline_of(kind)).perception
    assert perception.detections.score.tolist() == SCORES[:2].tolist()
    assert len(got[0].candidates) == candidates
    assert len(got[0].perception.detections) == 2


def test_without_a_stage_that_reads_them_there_are_no_candidates():
    got = []
    process(
        pipeline_of(stage_type('one', lambda inputs: (got.append(inputs), inputs.perception)[1]))
    )
    assert got[0].candidates is None and got[0].calibration is None


def test_what_is_supplied_reaches_every_stage():
    got = []

    def look(inputs):
        got.append(inputs.calibration)
        return replace(inputs.perception, extras={**inputs.perception.extras, 'x': len(got)})

    pipeline = pipeline_of(stage_type('one', look), stage_type('two', look))
    pipeline.suppliers = {'calibration': Calibration.guessed}
    assert process(pipeline).perception.extras == {'x': 2}
    assert got == [Calibration.guessed(FRAME)] * 2


def test_a_failure_is_an_error_that_names_the_stage():
    for run in (lambda inputs: 1 / 0, lambda inputs: Perception()):
        kind = stage_type('tracker', run, tasks=frozenset({'detections'}))
        with pytest.raises(DecodeError, match="stage 'tracker'"):
            process(pipeline_of(kind))


def test_a_reset_takes_effect_before_the_next_frame_and_once():
    events = []
    kind = stage_type(
        'tracker',
        lambda inputs: (events.append('frame'), inputs.perception)[1],
        reset=lambda self: events.append('reset'),
    )
    pipeline = pipeline_of(kind)
    process(pipeline)
    pipeline.reset()
    assert events == ['frame']
    process(pipeline)
    process(pipeline)
    assert events == ['frame', 'reset', 'frame', 'frame']


def test_another_camera_has_stages_of_its_own():
    pipeline = pipeline_of(stage_type('tracker'))
    spec = pipeline.engine.inputs[0]
    other = pipeline.for_camera(preprocessor=Preprocessor(MANIFEST.input, spec=spec))
    assert other.engine is pipeline.engine
    assert other.stages[0] is not pipeline.stages[0]
    assert type(other.stages[0]) is type(pipeline.stages[0])
