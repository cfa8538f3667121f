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
from edge_perception.supervision.wire import FRAME
from edge_perception.supervision.wire import FRAME_MARK
from edge_perception.supervision.wire import make_memory
from edge_perception.supervision.wire import MOST_BYTES
from edge_perception.supervision.wire import Place
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
        frame = packet[0] == FRAME_MARK
        request = {'sequence': FRAME.unpack(packet)[1]} if frame else json.loads(packet)
        try:
            server = server or EngineServer(load_order(order))
            answer, made = server.infer() if frame else server.answer(request, descriptors)
        except (Exception, SystemExit) as error:  # a plugin may even call sys.exit
            answer, made = error_as_words(error), []
        # Whoever asked may be gone already.
        with suppress(BrokenPipeError, ConnectionResetError):
            if answer:
                reply = json.dumps({**answer, 'sequence': request['sequence']}).encode()
                socket.send_fds(link, [reply], made)
            else:
                link.send(packet)
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
        self._kinds: list[Any] = []
        self._places: list[Place] = []
        self._outputs: dict[str, Any] = {}
        self._health_due_s = 0.0

    def answer(self, request: Answer, descriptors: list[int]) -> tuple[Answer, list[int]]:
        """
        Return the answer to a request, and descriptors that go with it.

        :raises Exception: whatever the engine raises.
        """
        if request['call'] == 'activate':
            assert self._engine is not None
            self._engine.activate()
            self._inputs = views(take_memory(descriptors[0]), request['places'])
            if request['warm_up']:
                self._engine.warm_up(WARM_UP_RUNS)
            return {'active': True}, []
        calls: dict[str, Callable[[], Answer]] = {
            'create': self._create,
            'probe': lambda: asdict(self._order.engine_type.probe()),
            'precision': lambda: {'value': self._order.engine_type.precision(self._options)},
            'device_key': lambda: {'value': self._order.engine_type.device_key(self._options)},
        }
        return calls[request['call']](), []

    def infer(self) -> tuple[Answer, list[int]]:
        """Compute a frame; the answer is empty where nothing but the numbers is new."""
        assert self._engine is not None
        outputs = self._engine.infer(self._inputs)
        kinds = [(name, each.shape, each.dtype) for name, each in outputs.items()]
        answer, made = self._sampled_health(), []
        if kinds != self._kinds:
            self._places, size = places(kinds)
            if self._memory is None or size > len(self._memory):
                made = [make_memory(size)]
                self._memory = take_memory(os.dup(made[0]))
            self._kinds, self._outputs = kinds, views(self._memory, self._places)
            answer = answer or {'new': True}
        for name, array in self._outputs.items():
            np.copyto(array, outputs[name])
        return ({'outputs': self._places, **answer} if answer else {}), made

    def release(self) -> None:
        """Free the engine."""
        if self._engine is not None:
            self._engine.deactivate()

    @property
    def _options(self) -> Any:
        return self._order.options

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

    def _sampled_health(self) -> Answer:
        """Return what the engine says of its health, if that is due."""
        assert self._engine is not None
        now_s = time.monotonic()
        if now_s < self._health_due_s:
            return {}
        self._health_due_s = now_s + HEALTH_PERIOD_S
        try:
            return {'health': dict(self._engine.health())}
        except Exception as error:
            return {'health_problem': in_words(error)}
