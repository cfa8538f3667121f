# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One frame through preprocessing, engine and decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import time
from typing import Protocol

from edge_perception.contract import DecodeError
from edge_perception.contract import Decoder
from edge_perception.contract import Engine
from edge_perception.contract import EngineError
from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.contract import ImageTransform
from edge_perception.contract import InferenceError
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.contract.errors import in_words
from edge_perception.runtime.budget import Clock
from edge_perception.runtime.dequantization import RealOutputs
from edge_perception.runtime.preprocessing import Preprocessor


@dataclass(frozen=True, slots=True)
class StageTimes:
    """How long the stages of one frame took, in nanoseconds."""

    preprocess_ns: int
    infer_ns: int
    decode_ns: int
    later_ns: int


@dataclass(frozen=True, slots=True)
class Result:
    """What was perceived in one frame, and how long it took."""

    frame: Frame
    perception: Perception
    times: StageTimes


class Stage(Protocol):
    """
    What comes after the decoder: pose, one day tracking. Called by the thread of the pipeline.

    :param tasks: fields of ``Perception`` that it fills.
    :param needs: fields that somebody before it has to fill.
    """

    tasks: frozenset[str]
    needs: frozenset[str]

    def __call__(
        self, frame: Frame, perception: Perception, transform: ImageTransform
    ) -> Perception:
        """Return what is known of the frame now."""
        ...


class Pipeline:
    """
    An active engine with the preprocessing before it, the decoder and later stages behind it.

    Called from one thread. Allocates nothing that grows, logs nothing.

    :param input_name: the input of the engine into which the image goes.
    :param stages: called in this order.
    :param warm_up_ns: how long the engine took for one frame in its warm-up, nanoseconds.
    :param tasks: fields of ``Perception`` that decoder and stages fill.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        decoder: Decoder,
        preprocessor: Preprocessor,
        input_name: str,
        stages: Sequence[Stage] = (),
        warm_up_ns: int = 0,
        clock: Clock = time.monotonic_ns,
    ) -> None:
        self.engine = engine
        self.warm_up_ns = warm_up_ns
        self.decoder = decoder
        self.stages = tuple(stages)
        self.tasks = decoder.tasks.union(*(stage.tasks for stage in self.stages))
        self._preprocessor = preprocessor
        self._real_outputs = RealOutputs(engine.outputs)
        self._input_name = input_name
        self._clock = clock

    def for_camera(self, *, preprocessor: Preprocessor, stages: Sequence[Stage]) -> Pipeline:
        """Return a pipeline for another camera with the same engine and decoder."""
        return Pipeline(
            self.engine,
            decoder=self.decoder,
            preprocessor=preprocessor,
            input_name=self._input_name,
            stages=stages,
            warm_up_ns=self.warm_up_ns,
            clock=self._clock,
        )

    def process(self, frame: Frame, *, selection: Selection) -> Result:
        """
        Process one frame.

        :return: results in pixels of the source image; new arrays that the caller may keep.
        :raises ImageError: the image cannot be preprocessed.
        :raises EngineError: the engine failed.
        :raises DecoderError: the outputs cannot be decoded, or a later stage failed on them.
        """
        started = self._clock()
        buffers = self.engine.input_buffers()
        buffer = buffers.get(self._input_name)
        if buffer is None:
            raise InferenceError(f'the engine gave no buffer for its input {self._input_name!r}')
        try:
            transform = self._preprocessor(frame, buffer)
        except (ImageError, EngineError):  # EngineError: the buffer is not what was promised
            raise
        except Exception as error:
            raise ImageError(
                f'image of shape {frame.image.shape} and encoding {frame.encoding!r}: '
                f'preprocessing failed: {in_words(error)}'
            ) from error
        preprocessed = self._clock()
        tensors = self.engine.infer(buffers)
        inferred = self._clock()
        tensors = self._real_outputs(tensors)
        perception = self.decoder.decode(tensors, transform=transform, selection=selection)
        decoded = self._clock()
        perception = self._later(frame, perception, transform)
        times = StageTimes(
            preprocess_ns=preprocessed - started,
            infer_ns=inferred - preprocessed,
            decode_ns=decoded - inferred,
            later_ns=self._clock() - decoded,
        )
        return Result(frame, perception, times)

    def _later(
        self, frame: Frame, perception: Perception, transform: ImageTransform
    ) -> Perception:
        for stage in self.stages:
            try:
                perception = stage(frame, perception, transform)
            except Exception as error:
                name = type(stage).__name__
                raise DecodeError(f'stage {name} failed: {in_words(error)}') from error
        return perception
