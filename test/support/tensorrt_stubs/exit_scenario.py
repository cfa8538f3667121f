# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""End a process while an engine is active that another thread made; a program."""

from __future__ import annotations

from pathlib import Path
import sys
import tempfile
import threading

from edge_perception_tensorrt.cuda import load_driver
from edge_perception_tensorrt.engine import TensorRtEngineType
from edge_perception_tensorrt.options import TensorRtOptions
import onnx
import pytest

from test.support.networks import manifest_for
from test.support.networks import save_identity
from test.support.tensorrt_stubs import nvidia_machine
from test.support.tensorrt_stubs.behavior import plan_of

engines = []
machine = nvidia_machine(pytest.MonkeyPatch())


def create() -> None:
    """Make an engine that nobody will deactivate."""
    with tempfile.TemporaryDirectory() as folder:
        network = save_identity(Path(folder, 'net.onnx'))
        plan = Path(folder, 'net.engine')
        plan.write_bytes(plan_of(onnx.load(network)))
        engines.append(TensorRtEngineType().create(manifest_for(), plan, TensorRtOptions()))


if __name__ == '__main__':
    machine.__enter__()
    thread = threading.Thread(target=create)
    thread.start()
    thread.join()
    engines[0].activate()
    engines[0].warm_up()
    sys.stdout.write(load_driver().name)
