# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_perception.contract import DecodeError
from edge_perception.contract import EngineStateError
from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.contract import InferenceError
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Selection
from edge_perception.contract import TensorMismatchError
from edge_perception.runtime.pipeline import Pipeline
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.testing import FakeClock
from edge_perception.testing import FakeDecoder
from edge_perception.testing import FakeEngineType

MANIFEST = ModelManifest(
    name='fake', source='net.onnx', decoder='fake', input=InputRecipe(width=4, height=4)
)
PIXELS = np.zeros((8, 16, 3), np.uint8)


class SlowDecoder(FakeDecoder):
    clock: FakeClock

    def _decode(self, tensors, transform, selection):
        self.clock.advance_ms(3)
        return super()._decode(tensors, transform, selection)


class SlowPreprocessor(Preprocessor):
    clock: FakeClock

    def __call__(self, frame, out):
        self.clock.advance_ms(1)
        return super().__call__(frame, out)


def make_pipeline(clock: FakeClock) -> Pipeline:
    engine_type = FakeEngineType(behavior=lambda: clock.advance_ms(2))
    engine_type.warm_up_runs = 0
    engine = engine_type.create(MANIFEST, Path('net.onnx'), Options())
    engine.activate()
    decoder = SlowDecoder(MANIFEST, outputs=engine.outputs, options=Options())
    preprocessor = SlowPreprocessor(MANIFEST.input, spec=engine.inputs[0])
    decoder.clock = preprocessor.clock = clock
    return Pipeline(
        engine, decoder=decoder, preprocessor=preprocessor, input_name='image', clock=clock
    )


def process(pipeline: Pipeline, image: np.ndarray = PIXELS, encoding: str = 'bgr8'):
    return pipeline.process(Frame(image, encoding=encoding), selection=Selection())


def test_a_frame_becomes_a_perception_in_pixels_of_the_source():
    processed = process(make_pipeline(FakeClock()))
    # The whole input, of which a letterboxed image of 2:1 fills half.
    assert processed.perception.detections.xyxy.tolist() == [[0, -4, 16, 12]]


def test_each_stage_is_timed_for_itself():
    times = process(make_pipeline(FakeClock())).times
    assert times.preprocess_ns == 1_000_000
    assert times.infer_ns == 2_000_000
    assert times.decode_ns == 3_000_000


def test_the_image_is_written_into_the_memory_of_the_engine():
    pipeline = make_pipeline(FakeClock())
    process(pipeline, np.full((4, 4, 3), 7, np.uint8))
    assert (pipeline.engine.input_buffers()['image'] == 7.0).all()


@pytest.mark.parametrize('image', [PIXELS[0, 0], PIXELS[:0], PIXELS.astype(np.float32)])
def test_an_image_that_cannot_be_preprocessed_is_described_once(image):
    with pytest.raises(ImageError) as raised:
        process(make_pipeline(FakeClock()), image)
    sentence = f"got encoding 'bgr8' with shape {image.shape} {image.dtype}, expected bgr8 or rgb8"
    assert str(raised.value).count(sentence) == 1


def test_whatever_fails_in_preprocessing_is_an_image_error(monkeypatch):
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(SlowPreprocessor, '__call__', fail)
    sentence = r"^image of shape \(8, 16, 3\) and encoding 'bgr8': preprocessing failed: MemoryErr"
    with pytest.raises(ImageError, match=sentence):
        process(make_pipeline(FakeClock()))


def test_memory_of_the_engine_that_does_not_fit_is_its_failure_and_not_the_images():
    pipeline = make_pipeline(FakeClock())
    pipeline.engine._input_buffers = lambda: {'image': np.zeros((1, 3, 1, 1), np.float32)}
    with pytest.raises(TensorMismatchError, match='got 1x3x1x1 float32, expected 1x3x4x4'):
        process(pipeline)


def test_errors_of_engine_and_decoder_come_through():
    pipeline = make_pipeline(FakeClock())
    pipeline.decoder._decode = lambda *_: 1 / 0
    with pytest.raises(DecodeError):
        process(pipeline)
    pipeline.engine._infer = lambda _: 1 / 0
    with pytest.raises(InferenceError):
        process(pipeline)
    pipeline.engine.deactivate()
    with pytest.raises(EngineStateError):
        process(pipeline)
