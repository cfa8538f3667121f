# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One frame through preprocessing, engine, decoder and stages."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
import time
from types import MappingProxyType
from typing import Any

import numpy as np

from edge_perception.contract import Decoder
from edge_perception.contract import Detections
from edge_perception.contract import Engine
from edge_perception.contract import EngineError
from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.contract import ImageTransform
from edge_perception.contract import InferenceError
from edge_perception.contract import Keypoints
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.contract import Stage
from edge_perception.contract import StageInputs
from edge_perception.contract import Tensors
from edge_perception.contract.errors import in_words
from edge_perception.runtime.budget import Clock
from edge_perception.runtime.dequantization import RealOutputs
from edge_perception.runtime.preprocessing import Preprocessor

# Gives one of ``StageInputs`` for a frame.
Supplier = Callable[[Frame], Any]
NO_SUPPLIERS: Mapping[str, Supplier] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Result:
    """
    What was perceived in one frame, and how long it took.

    :param times: nanoseconds by the names of ``Pipeline.timed``.
    """

    frame: Frame
    perception: Perception
    times: Mapping[str, int]


@dataclass(slots=True)
class Prepared:
    """
    A frame whose pixels are in an input tensor.

    :param transform: the way back from the input to the image.
    :param times: nanoseconds by name, of what was done so far; who computes adds ``infer``.
    """

    frame: Frame
    transform: ImageTransform
    times: dict[str, int]


class Pipeline:
    """
    An active engine with the preprocessing before it, the decoder and stages behind it.

    Allocates nothing that grows, logs nothing. One thread calls ``process``; where the parts of
    frames overlap, one thread at a time calls ``prepare``, and one ``finish``, in the order of the
    frames.

    :param input_name: the input of the engine into which the image goes.
    :param stages: called in this order.
    :param warm_up_ns: how long the engine took for one frame in its warm-up, nanoseconds.
    :param suppliers: by the names of ``StageInputs``, what stages read besides the frame; may be
        replaced before the first frame.
    :param tasks: fields of ``Perception`` that decoder and stages fill.
    :param timed: names of the times of a result.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        decoder: Decoder,
        preprocessor: Preprocessor,
        input_name: str,
        stages: Sequence[Stage] = (),
        suppliers: Mapping[str, Supplier] = NO_SUPPLIERS,
        warm_up_ns: int = 0,
        clock: Clock = time.monotonic_ns,
    ) -> None:
        self.engine = engine
        self.warm_up_ns = warm_up_ns
        self.decoder = decoder
        self.stages = tuple(stages)
        self.tasks = decoder.tasks.union(*(stage.tasks for stage in self.stages))
        self.timed = ('preprocess', 'infer', 'decode', *(stage.name for stage in self.stages))
        self.suppliers = suppliers
        self._floor: float | None = None
        if 'detections' in decoder.tasks:
            floors = [stage.reads.candidates for stage in self.stages]
            self._floor = min((each for each in floors if each is not None), default=None)
        self._reset = False
        self._preprocessor = preprocessor
        self._real_outputs = RealOutputs(engine.outputs)
        self._input_name = input_name
        self._clock = clock

    def for_camera(self, *, preprocessor: Preprocessor) -> Pipeline:
        """Return a pipeline for another camera: same engine and decoder, stages of its own."""
        return Pipeline(
            self.engine,
            decoder=self.decoder,
            preprocessor=preprocessor,
            input_name=self._input_name,
            stages=[type(each)(each.manifest, options=each.options) for each in self.stages],
            warm_up_ns=self.warm_up_ns,
            clock=self._clock,
        )

    def reset(self) -> None:
        """Let the stages forget all frames before the next one. Thread: any."""
        self._reset = True

    def process(self, frame: Frame, *, selection: Selection) -> Result:
        """
        Process one frame.

        :return: results in pixels of the source image; new arrays that the caller may keep.
        :raises ImageError: the image cannot be preprocessed.
        :raises EngineError: the engine failed.
        :raises DecoderError: the outputs cannot be decoded, or a stage failed on them.
        """
        buffers = self.engine.input_buffers()
        prepared = self.prepare(frame, buffers)
        started = self._clock()
        tensors = self.engine.infer(buffers)
        prepared.times['infer'] = self._clock() - started
        return self.finish(prepared, tensors, selection=selection)

    def prepare(self, frame: Frame, buffers: Tensors, *, row: int = 0) -> Prepared:
        """
        Write a frame into an input tensor.

        :param buffers: for each input of the engine; only the image is written.
        :param row: where in a batch.
        :raises ImageError: the image cannot be preprocessed.
        :raises EngineError: the buffer is not what was promised.
        """
        started = self._clock()
        buffer = buffers.get(self._input_name)
        if buffer is None:
            raise InferenceError(f'the engine gave no buffer for its input {self._input_name!r}')
        try:
            transform = self._preprocessor(frame, buffer[row : row + 1])
        except (ImageError, EngineError):
            raise
        except Exception as error:
            raise ImageError(
                f'image of shape {frame.image.shape} and encoding {frame.encoding!r}: '
                f'preprocessing failed: {in_words(error)}'
            ) from error
        return Prepared(frame, transform, {'preprocess': self._clock() - started})

    def finish(self, prepared: Prepared, tensors: Tensors, *, selection: Selection) -> Result:
        """
        Decode the outputs for one frame and let the stages run.

        :param tensors: outputs of the engine for this frame alone; not kept.
        :raises DecoderError: the outputs cannot be decoded, or a stage failed on them.
        """
        begun = self._clock()
        frame, transform, times = prepared.frame, prepared.transform, prepared.times
        perception, candidates = self._decode(self._real_outputs(tensors), transform, selection)
        decoded = self._clock()
        times['decode'] = decoded - begun
        if self.stages:
            inputs = StageInputs(frame, perception, transform, candidates=candidates)
            perception = self._run_stages(inputs, times, begun=decoded)
        return Result(frame, perception, times)

    def _decode(
        self, tensors: Tensors, transform: ImageTransform, selection: Selection
    ) -> tuple[Perception, Detections | None]:
        """Return what is to be published, and the candidates for the stages that read them."""
        threshold, floor = selection.score_threshold, self._floor
        if floor is None:
            decoded = self.decoder.decode(tensors, transform=transform, selection=selection)
            return decoded, None
        selection = replace(selection, score_threshold=min(floor, threshold))
        decoded = self.decoder.decode(tensors, transform=transform, selection=selection)
        candidates = decoded.detections
        if candidates is not None and floor < threshold:
            decoded = _best(decoded, int((candidates.score >= threshold).sum()))
        return decoded, candidates

    def _run_stages(self, inputs: StageInputs, times: dict[str, int], *, begun: int) -> Perception:
        """Run all stages and add their times; supplying counts to the first."""
        if self._reset:
            self._reset = False
            for stage in self.stages:
                stage.reset()
        supplied = {name: supply(inputs.frame) for name, supply in self.suppliers.items()}
        inputs = replace(inputs, **supplied)
        for stage in self.stages:
            inputs = replace(inputs, perception=stage.run(inputs))
            now = self._clock()
            times[stage.name], begun = now - begun, now
        return inputs.perception


def _best(perception: Perception, count: int) -> Perception:
    """Return the first detections, and their keypoints where each has its own."""
    detections, keypoints = perception.detections, perception.keypoints
    assert detections is not None
    if keypoints is not None and len(keypoints) == len(detections):
        keypoints = Keypoints(xy=keypoints.xy[:count], score=keypoints.score[:count])
    found = Detections(
        xyxy=detections.xyxy[:count],
        score=detections.score[:count],
        class_id=detections.class_id[:count],
        rotated=None if detections.rotated is None else detections.rotated[:count],
    )
    instances = perception.instances
    if instances is not None:
        # They are in the order of the detections.
        instances = np.where(instances <= count, instances, np.uint16(0))
    return replace(perception, detections=found, keypoints=keypoints, instances=instances)
