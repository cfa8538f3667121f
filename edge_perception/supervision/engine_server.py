# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The side of the engine's process: one request after the other, answered by an engine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
import json
import mmap
import os
import pickle
import socket
import sys
import time
from typing import Any

import numpy as np

from edge_perception.contract import Engine
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract.errors import in_words
from edge_perception.supervision.wire import error_as_words
from edge_perception.supervision.wire import make_memory
from edge_perception.supervision.wire import MOST_BYTES
from edge_perception.supervision.wire import places
from edge_perception.supervision.wire import specs_as_words
from edge_perception.supervision.wire import take_memory
from edge_perception.supervision.wire import views
from edge_perception.supervision.wire import WorkOrder

HEALTH_PERIOD_S = 1.0
WARM_UP_RUNS = 3
Answer = dict[str, Any]


def serve(link: socket.socket, order: int) -> None:
    """
    Answer requests until the other side closes the socket; then free the engine.

    :param order: descriptor of a pickled ``WorkOrder``, or of what cannot be loaded here.
    """
    server: EngineServer | None = None
    while True:
        packet, descriptors, _, _ = socket.recv_fds(link, MOST_BYTES, 1)
        if not packet:
            break
        request = json.loads(packet)
        try:
            server = server or EngineServer(load_order(order))
            answer, made = server.answer(request, descriptors)
        except (Exception, SystemExit) as error:  # a plugin may even call sys.exit
            answer, made = error_as_words(error), []
        # Whoever asked may be gone already.
        with suppress(BrokenPipeError, ConnectionResetError):
            reply = json.dumps({**answer, 'sequence': request['sequence']}).encode()
            socket.send_fds(link, [reply], made)
        for each in made:
            os.close(each)
    if server is not None:
        server.release()


def load_order(descriptor: int) -> WorkOrder:
    """
    Return what this process was started for.

    :raises EngineUnavailableError: the plugin cannot be imported here.
    """
    try:
        with os.fdopen(descriptor, 'rb') as file:
            order: WorkOrder = pickle.load(file)
    except ImportError as error:
        raise EngineUnavailableError(
            'here',
            reason=f'{sys.executable} cannot import its plugin: {in_words(error)}',
            remedy='install what it needs in the virtual environment of that interpreter',
        ) from error
    return order


class EngineServer:
    """One engine type, and the engine that it makes."""

    def __init__(self, order: WorkOrder) -> None:
        self._order = order
        self._engine: Engine | None = None
        self._inputs: dict[str, Any] = {}
        self._memory: mmap.mmap | None = None
        self._health: Answer = {}
        self._health_due_s = 0.0

    def answer(self, request: Answer, descriptors: list[int]) -> tuple[Answer, list[int]]:
        """
        Return the answer to a request, and descriptors that go with it.

        :raises Exception: whatever the engine raises.
        """
        if request['call'] == 'infer':
            return self._infer()
        if request['call'] == 'activate':
            assert self._engine is not None
            self._engine.activate()
            self._inputs = views(take_memory(descriptors[0]), request['places'])
            if request['warm_up']:
                self._engine.warm_up(WARM_UP_RUNS)
            return {}, []
        calls: dict[str, Callable[[], Answer]] = {
            'create': self._create,
            'probe': lambda: asdict(self._order.engine_type.probe()),
            'precision': lambda: {'value': self._order.engine_type.precision(self._options)},
            'device_key': lambda: {'value': self._order.engine_type.device_key(self._options)},
            'describe': self._describe,
        }
        return calls[request['call']](), []

    def release(self) -> None:
        """Free the engine."""
        if self._engine is not None:
            self._engine.deactivate()

    @property
    def _options(self) -> Any:
        return self._order.options

    def _describe(self) -> Answer:
        assert self._order.artifact is not None
        found = self._order.engine_type.describe(self._order.artifact)
        return {
            'inputs': specs_as_words(found.inputs),
            'outputs': specs_as_words(found.outputs),
            'metadata': dict(found.metadata),
        }

    def _create(self) -> Answer:
        manifest, artifact = self._order.manifest, self._order.artifact
        assert manifest is not None and artifact is not None
        engine = self._order.engine_type.create(manifest, artifact, self._options)
        if not isinstance(engine, Engine):
            raise TypeError(f'create() gave {engine!r}, expected an Engine')
        self._engine = engine
        return {
            'inputs': specs_as_words(engine.inputs),
            'outputs': specs_as_words(engine.outputs),
            'device': engine.device,
            'precision': engine.precision,
        }

    def _infer(self) -> tuple[Answer, list[int]]:
        assert self._engine is not None
        outputs = self._engine.infer(self._inputs)
        # In the byte order of the machine, which the other side has as well.
        found, size = places((name, each.shape, each.dtype) for name, each in outputs.items())
        made: list[int] = []
        if self._memory is None or size > len(self._memory):
            made = [make_memory(size)]
            self._memory = take_memory(os.dup(made[0]))
        for name, array in views(self._memory, found).items():
            np.copyto(array, outputs[name])
        self._ask_health()
        return {'outputs': found, **self._health}, made

    def _ask_health(self) -> None:
        """Sample the engine's health if that is due, for the answer to this frame."""
        assert self._engine is not None
        now_s = time.monotonic()
        if now_s < self._health_due_s:
            return
        self._health_due_s = now_s + HEALTH_PERIOD_S
        try:
            self._health = {'health': dict(self._engine.health())}
        except Exception as error:
            self._health = {'health_problem': in_words(error)}
