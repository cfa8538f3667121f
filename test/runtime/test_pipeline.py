# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from edge_perception.contract import DecodeError
from edge_perception.contract import EngineStateError
from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.contract import InferenceError
from edge_perception.contract import Selection
from edge_perception.contract import TensorMismatchError
from edge_perception.runtime.pipeline import Pipeline
from edge_perception.testing import FakeClock
from test.runtime.worker_rig import raising
from test.runtime.worker_rig import scripted_pipeline

PIXELS = np.zeros((8, 16, 3), np.uint8)


def make_pipeline() -> Pipeline:
    clock = FakeClock()
    return scripted_pipeline(
        clock,
        preprocess=lambda: clock.advance_ms(1),
        infer=lambda: clock.advance_ms(2),
        decode=lambda _: clock.advance_ms(3),
    )


def process(pipeline: Pipeline, image: np.ndarray = PIXELS, encoding: str = 'bgr8'):
    return pipeline.process(Frame(image, encoding=encoding), selection=Selection())


def test_a_frame_becomes_a_perception_in_pixels_of_the_source():
    result = process(make_pipeline())
    # The whole input, of which a letterboxed image of 2:1 fills half.
    assert result.perception.detections.xyxy.tolist() == [[0, -4, 16, 12]]


def test_each_stage_is_timed_for_itself():
    times = process(make_pipeline()).times
    assert times['preprocess'] == 1_000_000
    assert times['infer'] == 2_000_000
    assert times['decode'] == 3_000_000


def test_the_image_is_written_into_the_memory_of_the_engine():
    pipeline = make_pipeline()
    process(pipeline, np.full((4, 4, 3), 7, np.uint8))
    assert (pipeline.engine.input_buffers()['image'] == 7.0).all()


@pytest.mark.parametrize('image', [PIXELS[0, 0], PIXELS[:0], PIXELS.astype(np.float32)])
def test_an_image_that_cannot_be_preprocessed_is_described_once(image):
    with pytest.raises(ImageError) as raised:
        process(make_pipeline(), image)
    sentence = f"got encoding 'bgr8' with shape {image.shape} {image.dtype}, expected bgr8 or rgb8"
    assert str(raised.value).count(sentence) == 1


def test_whatever_fails_in_preprocessing_is_an_image_error():
    pipeline = scripted_pipeline(FakeClock(), preprocess=raising(MemoryError()))
    sentence = r"^image of shape \(8, 16, 3\) and encoding 'bgr8': preprocessing failed: MemoryErr"
    with pytest.raises(ImageError, match=sentence):
        process(pipeline)


def test_memory_of_the_engine_that_does_not_fit_is_its_failure_and_not_the_images():
    pipeline = make_pipeline()
    pipeline.engine._input_buffers = lambda: {'image': np.zeros((1, 3, 1, 1), np.float32)}
    with pytest.raises(TensorMismatchError, match='got 1x3x1x1 float32, expected 1x3x4x4'):
        process(pipeline)


def test_errors_of_engine_and_decoder_come_through():
    pipeline = make_pipeline()
    pipeline.decoder._decode = lambda *_: 1 / 0
    with pytest.raises(DecodeError):
        process(pipeline)
    pipeline.engine._infer = lambda _: 1 / 0
    with pytest.raises(InferenceError):
        process(pipeline)
    pipeline.engine.deactivate()
    with pytest.raises(EngineStateError):
        process(pipeline)
