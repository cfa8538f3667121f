# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""E20 to E28: states, resources, threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
import shutil
import threading
import time
from typing import NoReturn
from typing import TypeVar

import pytest

from edge_perception.contract import ArtifactError
from edge_perception.contract import Engine
from edge_perception.contract import EngineStateError
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import Tensors
from edge_perception.testing.conformance.engine.bystander import bystander
from edge_perception.testing.conformance.engine.engine_files import check_artifact_error
from edge_perception.testing.conformance.engine.engine_subject import Artifacts
from edge_perception.testing.conformance.engine.engine_subject import EngineSubject
from edge_perception.testing.conformance.networks import BASIC
from edge_perception.testing.conformance.networks import check_parity
from edge_perception.testing.conformance.networks import HEAVY
from edge_perception.testing.conformance.networks import run
from edge_perception.testing.conformance.networks import SLOW
from edge_perception.testing.conformance.networks import TinyNetwork
from edge_perception.testing.conformance.resources import check_growth

CYCLES = 20
# What the weights of HEAVY take in the process, once.
WEIGHTS_BYTES = 4 * HEAVY.channels * HEAVY.classes
PATIENCE_S = 60
# Of a frame. A library that keeps Python's lock takes more, its plugin gives it up around it.
MOST_STALLED = 0.8
SLOW_FRAMES = 10
T = TypeVar('T')


class EngineLifeClauses(EngineSubject):
    """Clauses of the states of an engine."""

    def test_e20_an_inactive_engine_refuses_to_compute(self, artifacts: Artifacts) -> None:
        """Before ``activate`` and after ``deactivate`` frames are an ``EngineStateError``."""
        engine = self.create(BASIC, artifacts.of(BASIC))
        for _ in range(2):
            assert not engine.active
            with pytest.raises(EngineStateError):
                engine.input_buffers()
            with pytest.raises(EngineStateError):
                engine.infer({})
            engine.activate()
            self._check_works(engine, BASIC)
            engine.deactivate()

    def test_e21_states_may_be_asked_for_twice(self, artifacts: Artifacts) -> None:
        """``activate`` on an active engine and ``deactivate`` on an inactive one do nothing."""
        engine = self.create(BASIC, artifacts.of(BASIC))
        engine.deactivate()
        engine.activate()
        engine.activate()
        self._check_works(engine, BASIC)
        engine.deactivate()
        engine.deactivate()
        assert not engine.active

    def test_e22_twenty_cycles_leave_nothing_behind(self, artifacts: Artifacts) -> None:
        """
        Twenty times active and inactive leave no thread, file handle or memory behind.

        Neither do twenty engines that were created, used once and forgotten. Memory may grow by
        a third of the weights each time, of which libraries keep some for the next time.
        """
        engine = self.create(HEAVY, artifacts.of(HEAVY))
        limit = CYCLES * WEIGHTS_BYTES / 3
        check_growth(lambda: self._cycle(engine), times=CYCLES, settle=4, memory=limit)

        def use_once() -> None:
            self._cycle(self.create(HEAVY, artifacts.of(HEAVY)))

        check_growth(use_once, times=CYCLES, settle=2, memory=limit)

    def test_e23_what_fails_to_activate_is_inactive_and_free(
        self, artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        When ``_activate`` fails, ``_deactivate`` gives back what was taken until then.

        Whether that is nothing or all of it; the next ``activate`` works.
        """
        engine = self.create(HEAVY, artifacts.of(HEAVY))
        engine._deactivate()  # nothing was taken: must not raise
        take = engine._activate

        def take_and_fail() -> NoReturn:
            take()
            raise RuntimeError('the device is gone')

        def activate() -> None:
            with pytest.raises(EngineUnavailableError, match='the device is gone'):
                engine.activate()
            assert not engine.active

        with monkeypatch.context() as patch:
            patch.setattr(engine, '_activate', take_and_fail)
            limit = CYCLES * WEIGHTS_BYTES / 3
            check_growth(activate, times=CYCLES, settle=2, memory=limit)
        with engine:
            self._check_works(engine, HEAVY)

    def test_e24_a_file_that_is_gone_when_it_is_needed(
        self, artifacts: Artifacts, tmp_path: Path
    ) -> None:
        """
        Activating again works without the file, or is an ``ArtifactError`` with its path.

        The file may have been removed since ``create``.
        """
        path = tmp_path / f'moved{artifacts.suffix}'
        self.make_artifact(BASIC, next(iter(self.parity)), path)
        engine = self.create(BASIC, path)
        self._cycle(engine)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        try:
            engine.activate()
        except ArtifactError as error:
            check_artifact_error(error, path)
            assert not engine.active
        else:
            self._check_works(engine, BASIC)
            engine.deactivate()

    def test_e25_any_thread_may_use_it(self, artifacts: Artifacts) -> None:
        """Create, activate, infer and deactivate may each come from another thread."""
        path = artifacts.of(BASIC)
        with ExitStack() as threads:

            def elsewhere(function: Callable[[], T]) -> T:
                # All of them live to the end, so that no two have the same identity.
                thread = threads.enter_context(ThreadPoolExecutor(1))
                return thread.submit(function).result(PATIENCE_S)

            engine = elsewhere(lambda: self.create(BASIC, path))
            elsewhere(engine.activate)
            elsewhere(engine.warm_up)
            for seed in range(2):
                elsewhere(partial(self._check_works, engine, BASIC, seed))
            elsewhere(engine.deactivate)
            assert not engine.active

    def test_e26_a_second_thread_is_refused(
        self, artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While one thread is inside, another gets ``EngineStateError``; the first goes on."""
        inside, leave = threading.Event(), threading.Event()
        with self.active(BASIC, artifacts) as engine, ThreadPoolExecutor(1) as other:
            infer = engine._infer

            def slow(tensors: Tensors) -> Tensors:
                inside.set()
                leave.wait(PATIENCE_S)
                return infer(tensors)

            monkeypatch.setattr(engine, '_infer', slow)
            first = other.submit(self._check_works, engine, BASIC)
            try:
                assert inside.wait(PATIENCE_S)
                for method in (engine.input_buffers, engine.deactivate, engine.activate):
                    with pytest.raises(EngineStateError):
                        method()
                with pytest.raises(EngineStateError):
                    engine.infer({})
            finally:
                leave.set()
            first.result(PATIENCE_S)

    def test_e27_two_engines_do_not_disturb_each_other(self, artifacts: Artifacts) -> None:
        """Two engines, also of one file, compute at once in two threads, each what it should."""
        wider = replace(BASIC, name='wider', channels=7)
        with (
            self.active(BASIC, artifacts) as one,
            self.active(BASIC, artifacts) as twin,
            self.active(wider, artifacts) as other,
            ThreadPoolExecutor(3) as threads,
        ):

            def compute(engine: Engine, network: TinyNetwork, first: int) -> None:
                for seed in range(first, first + 50):
                    self._check_works(engine, network, seed)

            works = [(one, BASIC, 0), (twin, BASIC, 1000), (other, wider, 2000)]
            for work in [threads.submit(compute, *each) for each in works]:
                work.result(PATIENCE_S)

    def test_e28_other_threads_go_on(self, artifacts: Artifacts) -> None:
        """While a frame is computed, other Python threads go on: the engine gives up the GIL."""
        stalled: list[float] = []
        with self.active(SLOW, artifacts) as engine, bystander() as other:
            while len(stalled) < SLOW_FRAMES and min(stalled, default=1) > MOST_STALLED:
                buffers = engine.input_buffers()
                started = time.perf_counter()
                engine.infer(buffers)
                stalled.append(other.stalled(started, time.perf_counter()))
        assert min(stalled) <= MOST_STALLED, (
            f'in {SLOW_FRAMES} frames a Python thread never went on for more than '
            f'{1 - min(stalled):.0%} of the time'
        )

    def _cycle(self, engine: Engine) -> None:
        with engine:
            engine.warm_up(1)

    def _check_works(self, engine: Engine, network: TinyNetwork, seed: int = 0) -> None:
        image = network.image(seed)
        tolerance = next(iter(self.parity.values()))
        check_parity(network, image, run(engine, network, image), tolerance=tolerance)
