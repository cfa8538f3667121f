# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""An engine that copies its input, or goes wrong as the first pixel says."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
import sys
import time

import numpy as np

from edge_perception.contract import Availability
from edge_perception.contract import Engine
from edge_perception.contract import EngineType
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import TensorSpec
from edge_perception.supervision.wire import FRAME
from edge_perception.supervision.wire import FRAME_MARK

MANIFEST = ModelManifest(
    name='faulty', source='net.faulty', decoder='none', input=InputRecipe(width=4, height=4)
)
LONG_S = 600
MIB = 1 << 20
leaked = []


def say(packet: bytes) -> None:
    """Write to the socket that the requests come from."""
    os.write(int(sys.argv[1]), packet)


def leave_a_child() -> None:
    if os.fork() == 0:
        time.sleep(LONG_S)
    os._exit(3)


def fail() -> None:
    raise RuntimeError('the device says no')


FAULTS = {
    'exit': lambda: os._exit(3),
    'segv': lambda: ctypes.string_at(0),
    'abort': os.abort,
    'hang': lambda: time.sleep(LONG_S),
    'hang_with_gil': lambda: ctypes.PyDLL(None).sleep(LONG_S),
    'garbage': lambda: say(b'\xffnonsense'),
    'json_garbage': lambda: say(b'{"sequence": "7", "outputs": [[]]}'),
    'future': lambda: say(FRAME.pack(FRAME_MARK, 1 << 40)),
    'leave_a_child': leave_a_child,
    'late': lambda: say(FRAME.pack(FRAME_MARK, 1)),
    'flood': lambda: os.write(2, b'warning\n' * 40_000) and None,
    'leak': lambda: leaked.append(np.ones(200 * MIB, np.uint8)) or None,
    'nan': lambda: np.full((1, 3, 4, 4), np.nan, np.float32),
    'shape': lambda: np.zeros((1, 3, 4, 5), np.float32),
    'raise': fail,
}
FIRST = 200
CODES = {name: FIRST + number for number, name in enumerate(FAULTS)}


class FaultyEngine(Engine):
    def _activate(self):
        pass

    def _infer(self, tensors):
        pixels = tensors['image']
        number = int(pixels.flat[0]) - FIRST
        given = list(FAULTS.values())[number]() if number >= 0 else None
        return {'pixels': pixels.copy() if given is None else given}


class FaultyEngineType(EngineType):
    name = 'faulty'
    artifact_suffixes = ('.faulty', '.onnx')

    def probe(self):
        return Availability(available=True, runtime=sys.executable)

    def describe(self, artifact: Path):
        return ModelDescription(inputs=(), outputs=())

    def create(self, manifest: ModelManifest, artifact: Path, options: Options):
        FAULTS.get(artifact.read_text(encoding='utf-8', errors='replace'), lambda: None)()
        shape, kind = manifest.input.shape, np.dtype(np.float32)
        specs = ((TensorSpec('image', shape, kind),), (TensorSpec('pixels', shape, kind),))
        return FaultyEngine(inputs=specs[0], outputs=specs[1], device='none')
