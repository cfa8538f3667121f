# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A real engine that fails or is slow when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_perception.contract import Availability
from edge_perception.contract import Engine
from edge_perception.contract import EngineType
from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Tensors

# What an engine type says about itself.
DESCRIPTION = ('name', 'artifact_suffixes', 'options_type', 'capabilities', 'build_target')


class FaultyEngineType(EngineType):
    """
    Takes the place of an engine type in ``PluginHost.engines``, under its name.

    :param inner: the real one.
    :param behavior: called before each inference but those of the warm-up; may raise, wait, or
        move a clock.
    """

    def __init__(self, inner: EngineType, behavior: Callable[[], object]) -> None:
        for attribute in DESCRIPTION:
            setattr(self, attribute, getattr(inner, attribute))
        self._inner = inner
        self._behavior = behavior
        # Set when the node is active: until then the engine is warmed up.
        self.armed = False

    def precision(self, options: Options) -> str:
        """Return what the real one says."""
        return self._inner.precision(options)

    def device_key(self, options: Options) -> str:
        """Return what the real one says."""
        return self._inner.device_key(options)

    def probe(self) -> Availability:
        """Return what the real one says."""
        return self._inner.probe()

    def describe(self, artifact: Path) -> ModelDescription:
        """Return what the real one says."""
        return self._inner.describe(artifact)

    def create(self, manifest: ModelManifest, artifact: Path, options: Options) -> Engine:
        """Return a real engine with the behavior in front of each inference."""
        engine = self._inner.create(manifest, artifact, options)
        infer = engine._infer

        def faulty(tensors: Tensors) -> Tensors:
            if self.armed:
                self._behavior()
            return infer(tensors)

        engine._infer = faulty  # type: ignore[method-assign]
        return engine
