# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Any engine type, run in a process of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path
import time
from typing import Any
import weakref

import numpy as np

from edge_perception.contract import Availability
from edge_perception.contract import Engine
from edge_perception.contract import EngineType
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import InferenceError
from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Tensor
from edge_perception.contract import Tensors
from edge_perception.supervision.supervisor import EngineSupervisor
from edge_perception.supervision.supervisor import named_after
from edge_perception.supervision.supervisor import Supervision
from edge_perception.supervision.wire import specs_of
from edge_perception.supervision.wire import WorkOrder
from edge_perception.supervision.worker_process import WorkerLostError
from edge_perception.supervision.worker_process import WorkerProcess

# Of a frame, see ``Supervision.hang_s``.
LEAST_HANG_S = 1.0
HANG_FACTOR = 10.0
# Frames that the percentile is of, and how often it is computed again.
WINDOW, AGAIN = 1000, 100
# Frames at the start that may take as long as loading.
WARM_UP_FRAMES = 3
# Errors in a row after which only a new process may help: those of CUDA stay for ever.
MOST_ERRORS = 3


class SupervisedEngineType(EngineType):
    """
    The engine type of a plugin, whose engines run in a process of their own.

    With another interpreter all that ``configure`` needs of the vendor's library is asked there,
    one process for each question; else this process answers it, as ever.
    """

    def __init__(self, engine_type: EngineType, supervision: Supervision) -> None:
        self._engine_type, self._supervision = engine_type, supervision
        # Class attributes of others.
        for name in EngineType.__annotations__:
            setattr(self, name, getattr(engine_type, name))

    def precision(self, options: Options) -> str:
        """Return what the plugin says."""
        if not self._supervision.python:
            return self._engine_type.precision(options)
        return str(self._ask('precision', options)['value'])

    def device_key(self, options: Options) -> str:
        """Return what the plugin says."""
        if not self._supervision.python:
            return self._engine_type.device_key(options)
        return str(self._ask('device_key', options)['value'])

    def probe(self) -> Availability:
        """Return what the plugin says."""
        if not self._supervision.python:
            return self._engine_type.probe()
        try:
            found = self._ask('probe')
        except EngineUnavailableError as error:
            return Availability(available=False, reason=error.reason, remedy=error.remedy)
        found.pop('sequence')
        return Availability(**{**found, 'devices': tuple(found['devices'])})

    def describe(self, artifact: Path) -> ModelDescription:
        """Return what the plugin says in this process, as for a model without a manifest."""
        return self._engine_type.describe(artifact)

    def create(self, manifest: ModelManifest, artifact: Path, options: Options) -> Engine:
        """Load an artifact in a process of its own."""
        order = WorkOrder(self._engine_type, options, manifest, artifact.absolute())
        return SupervisedEngine(order, self._supervision)

    def _ask(self, call: str, options: Options | None = None) -> dict[str, Any]:
        python = self._supervision.python
        try:
            worker = WorkerProcess(WorkOrder(self._engine_type, options), python)
        except OSError as error:
            words = f'engine_python {python} cannot be started: {error.strerror}'
            raise EngineUnavailableError(self.name, reason=words) from error
        try:
            return worker.request(call)
        except WorkerLostError as error:
            raise EngineUnavailableError(self.name, reason=f'{python} {error}') from error
        except EngineUnavailableError as error:
            raise named_after(self.name, python, error) from error
        finally:
            worker.condemn('', '')
            worker.gone(1.0)
            worker.close()


class SupervisedEngine(Engine):
    """
    An engine whose frames are computed in another process.

    Input buffers and outputs are memory of both processes; the other one copies in and out of it.
    While there is no process, ``input_buffers`` and ``infer`` raise ``RestartingError`` at once.
    """

    def __init__(self, order: WorkOrder, supervision: Supervision) -> None:
        self._order, self._supervision = order, supervision
        self._supervisor: EngineSupervisor | None = None
        facts = self._started().start()
        super().__init__(
            inputs=specs_of(facts['inputs']),
            outputs=specs_of(facts['outputs']),
            device=facts['device'],
            precision=facts['precision'],
        )
        self._times: deque[float] = deque(maxlen=WINDOW)
        self._frames = self._errors = 0
        self._hang_s = 0.0
        self._reported: Mapping[str, Any] = {}

    @property
    def condition(self) -> str:
        """What is wrong with the process now, in words; empty when nothing is."""
        supervisor = self._supervisor
        return '' if supervisor is None else supervisor.condition

    @property
    def process_id(self) -> int:
        """
        The number of the process that is ready.

        :raises RestartingError: there is none now.
        """
        return self._ready().worker().pid

    def _started(self) -> EngineSupervisor:
        """Return a new supervisor, which ends with this engine even if nobody deactivates it."""
        supervisor = EngineSupervisor(self._order, self._supervision)
        self._supervisor = supervisor
        self._forgotten = weakref.finalize(self, supervisor.close, wait=False)
        return supervisor

    def _activate(self) -> None:
        if self._supervisor is None:
            facts = self._started().start()
            found = specs_of(facts['inputs']), specs_of(facts['outputs'])
            if found != (self.inputs, self.outputs):
                raise EngineUnavailableError(
                    self._order.engine_type.name,
                    reason=f'{self._order.artifact} has other tensors than when it was created',
                )
        assert self._supervisor is not None
        self._supervisor.activate()
        self._frames = self._errors = 0

    def _deactivate(self) -> None:
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            self._forgotten.detach()
            supervisor.close(wait=True)

    def _input_buffers(self) -> Mapping[str, Tensor]:
        return self._ready().worker().inputs

    def _infer(self, tensors: Tensors) -> Tensors:
        supervisor = self._ready()
        worker = supervisor.worker()
        for name, buffer in worker.inputs.items():
            if tensors[name] is not buffer:
                np.copyto(buffer, tensors[name])
        try:
            outputs = self._asked(worker, self._limit_s(supervisor))
        except WorkerLostError as error:
            raise supervisor.lose(worker, error) from error
        except InferenceError as error:
            self._errors += 1
            if self._errors < MOST_ERRORS:
                raise
            self._errors = 0
            lost = WorkerLostError('failing', f'failed {MOST_ERRORS} times in a row: {error}')
            raise supervisor.lose(worker, lost) from error
        self._errors = 0
        return outputs

    def _health(self) -> Mapping[str, float]:
        if problem := self._reported.get('health_problem'):
            raise InferenceError(problem)
        return {**(self._reported.get('health') or {}), **self._ready().numbers()}

    def _ready(self) -> EngineSupervisor:
        assert self._supervisor is not None
        return self._supervisor

    def _asked(self, worker: WorkerProcess, limit_s: float) -> Tensors:
        """Return the outputs of a frame, and remember how long they took."""
        started = time.monotonic()
        outputs, reported = worker.infer(limit_s)
        if reported:
            self._reported = {name: reported.get(name) for name in ('health', 'health_problem')}
        self._times.append(time.monotonic() - started)
        self._frames += 1
        return outputs

    def _limit_s(self, supervisor: EngineSupervisor) -> float:
        """Return how long a frame may take."""
        limit = self._supervision.hang_s
        if not limit:
            if self._frames % AGAIN == WARM_UP_FRAMES:
                longest = float(np.percentile(self._times, 99))
                self._hang_s = max(LEAST_HANG_S, HANG_FACTOR * longest)
            limit = self._hang_s
        if self._frames < WARM_UP_FRAMES:
            return max(limit, supervisor.start_s)
        return limit
