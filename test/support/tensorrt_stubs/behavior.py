# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a test wants of the fake TensorRT, what it saw, and its plans."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
import enum
import json

import onnx
from onnx import TensorProto

from test.support.fake_cuda import FakeCuda

HEADER_SIZE = 32
KINDS = {
    TensorProto.FLOAT: 'FLOAT',
    TensorProto.FLOAT16: 'HALF',
    TensorProto.INT8: 'INT8',
    TensorProto.INT32: 'INT32',
    TensorProto.INT64: 'INT64',
    TensorProto.BOOL: 'BOOL',
    TensorProto.UINT8: 'UINT8',
    TensorProto.BFLOAT16: 'BF16',
    TensorProto.FLOAT8E4M3FN: 'FP8',
}


class Severity(enum.IntEnum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2
    INFO = 3
    VERBOSE = 4


@dataclass
class Behavior:
    """What a test wants of the fake, and what it saw."""

    cuda: FakeCuda
    version: str = '10.3.0'
    dla_cores: int = 0
    # What TensorRT logs, by what then fails: runtime, deserialize, context, execute, parse, build.
    failures: dict[str, str] = field(default_factory=dict)
    format: str = 'LINEAR'
    location: str = 'DEVICE'
    dla_core: int | None = None
    log: object = None
    config: object = None
    network: object = None
    contexts: int = 0

    @property
    def numbers(self) -> tuple[int, int]:
        major, minor = self.version.split('.')[:2]
        return int(major), int(minor)

    def fails(self, what: str) -> bool:
        if what in self.failures:
            self.log.log(self.log.Severity.ERROR, self.failures[what])
        return what in self.failures


def plan_of(network: onnx.ModelProto | bytes, version: str = '10.3.0.26', **profile) -> bytes:
    """
    Return a plan.

    :param profile: smallest and largest shape of the input, where it is open.
    """
    content = network if isinstance(network, bytes) else network.SerializeToString()
    numbers = [int(number) for number in (version.split('.') + ['0'] * 4)[:4]]
    header = b'ftrt' + bytes(20) + bytes(numbers) + bytes(4)
    extra = json.dumps(profile).encode()
    return header + len(extra).to_bytes(4, 'little') + extra + content
