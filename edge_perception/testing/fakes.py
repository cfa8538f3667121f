# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Fakes for tests: a clock that a test moves, engines that fail or hang on demand."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
import threading

import numpy as np

from edge_perception.contract import Availability
from edge_perception.contract import Decoder
from edge_perception.contract import Detections
from edge_perception.contract import Engine
from edge_perception.contract import EngineType
from edge_perception.contract import ImageTransform
from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec


class FakeClock:
    """
    A monotonic clock that stands still until it is told to move.

    Call it to read nanoseconds; it takes the place of ``time.monotonic_ns``.
    """

    def __init__(self, now_ns: int = 1_000_000_000) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns

    def advance_ms(self, milliseconds: float) -> None:
        """Let time pass."""
        self.now_ns += int(milliseconds * 1e6)


class FakeEngine(Engine):
    """
    An engine that does what a test tells it.

    :param manifest: decides the shape of the input.
    :param behavior: called in each ``infer``; may raise, wait or move a clock, and may return
        the outputs of this frame, by name. ``edge_perception.testing.behaviors`` has some.
    :param outputs: of every frame whose behavior returns none. Without them there is one output
        ``pixels``, a copy of the input.
    """

    def __init__(
        self,
        manifest: ModelManifest,
        behavior: Callable[[], object] = lambda: None,
        *,
        outputs: Tensors | None = None,
    ) -> None:
        recipe = manifest.input
        dtype = np.dtype(recipe.dtype)
        given = outputs or {}
        specs = [TensorSpec(name, each.shape, each.dtype) for name, each in given.items()]
        super().__init__(
            inputs=(TensorSpec(recipe.name or 'image', recipe.shape, dtype),),
            outputs=tuple(specs) or (TensorSpec('pixels', recipe.shape, dtype),),
        )
        self._outputs = outputs
        self._behavior = behavior
        self.deactivated = threading.Event()

    def _activate(self) -> None:
        self.deactivated.clear()

    def _deactivate(self) -> None:
        self.deactivated.set()

    def _infer(self, tensors: Tensors) -> Tensors:
        given = self._behavior()
        if isinstance(given, Mapping):
            return given
        return self._outputs or {'pixels': tensors[self.inputs[0].name].copy()}


class FakeEngineType(EngineType):
    """
    Makes ``FakeEngine``; register it like any engine type.

    :param behavior: of the engines that it makes; not called while they are warmed up.
    :param outputs: of every frame, see ``FakeEngine``.
    """

    name = 'fake'
    artifact_suffixes = ('.onnx', '.fake')

    def __init__(
        self, behavior: Callable[[], object] = lambda: None, *, outputs: Tensors | None = None
    ) -> None:
        self.behavior = behavior
        self.outputs = outputs
        self.engines: list[FakeEngine] = []
        self.warm_up_runs = 3

    def probe(self) -> Availability:
        """Return that it is always available."""
        return Availability(available=True, runtime='fake 1.0', devices=('cpu',))

    def describe(self, artifact: Path) -> ModelDescription:
        """Return no tensors."""
        return ModelDescription(inputs=(), outputs=())

    def create(self, manifest: ModelManifest, artifact: Path, options: Options) -> Engine:
        """Return an engine for the input of the manifest."""
        runs = iter(range(self.warm_up_runs))

        def behavior() -> object:
            return self.behavior() if next(runs, None) is None else None

        engine = FakeEngine(manifest, behavior, outputs=self.outputs)
        self.engines.append(engine)
        return engine


class FakeDecoder(Decoder):
    """Reports one box around the whole input, whatever the tensors say."""

    name = 'fake'
    tasks = frozenset({'detections'})

    def _decode(
        self, tensors: Tensors, transform: ImageTransform, selection: Selection
    ) -> Perception:
        box = np.array([[0.0, 0.0, transform.input_width, transform.input_height]], np.float32)
        return Perception(
            detections=Detections(
                xyxy=transform.boxes_to_source(box),
                score=np.ones(1, np.float32),
                class_id=np.zeros(1, np.int32),
            )
        )
