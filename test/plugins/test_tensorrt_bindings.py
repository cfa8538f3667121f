# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The plugin against the real Python bindings of TensorRT, over libraries that compute nothing.

The bindings are on PyPI, the libraries behind them are not, and want a GPU. So what is proven here
is that each name, argument and type that the plugin uses is right in every version; what it does
with them, the tests over the fake TensorRT prove, which has no other names.
"""

from __future__ import annotations

import json
from pathlib import Path
import re
import subprocess

from edge_perception_tensorrt.builder import TensorRtBuilder
from edge_perception_tensorrt.engine import TensorRtEngineType
from edge_perception_tensorrt.options import TensorRtBuilderOptions
from edge_perception_tensorrt.options import TensorRtOptions
import numpy as np
import onnx
from onnx import helper
from onnx import TensorProto
import pytest

from edge_perception.contract import BuildError
from edge_perception.contract import BuildPlan
from test.support.fake_cuda import compiled
from test.support.fake_cuda import LIBRARY_VARIABLE
from test.support.networks import manifest_for
from test.support.networks import save
from test.support.networks import tensor
from test.support.tensorrt_stubs import nvidia_machine
from test.support.tensorrt_stubs.recording import recorded
from test.support.tensorrt_stubs.recording import surface
from test.support.tensorrt_stubs.wheels import BINDINGS
from test.support.tensorrt_stubs.wheels import bindings
from test.support.tensorrt_stubs.wheels import run_child
from test.support.tensorrt_stubs.wheels import stub_libraries


def run_program(
    requirement: str, module: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a module of the stubs with these bindings."""
    return run_child(
        ['-m', f'test.support.tensorrt_stubs.{module}', *arguments],
        folders=[bindings(requirement)],
        libraries=stub_libraries(),
        **{LIBRARY_VARIABLE: str(compiled())},
    )


def child(requirement: str, module: str, *arguments: str) -> str:
    """Return what a module of the stubs printed."""
    run = run_program(requirement, module, *arguments)
    assert run.returncode == 0, run.stderr
    return run.stdout


def calls_of(version: str, folder: Path) -> str:
    """Return in JSON what the plugin calls when it builds with all options, and runs."""
    with pytest.MonkeyPatch.context() as patch:
        made = recorded(patch)
        with nvidia_machine(patch, version=version, integrated=True, dla_cores=2) as machine:
            build_and_run(folder)
            machine.failures['parse'] = 'No importer for A'
            with pytest.raises(BuildError):
                build_and_run(folder)
    unique = dict.fromkeys(json.dumps(each) for each in made)
    assert len(unique) > 20
    return f'[{",".join(unique)}]'


def build_and_run(folder: Path) -> None:
    nodes = [
        helper.make_node('QuantizeLinear', ['image', 'scale', 'zero'], ['stored']),
        helper.make_node('DequantizeLinear', ['stored', 'scale', 'zero'], ['result']),
        helper.make_node('NonZero', ['result'], ['where']),
    ]
    constants = [
        onnx.numpy_helper.from_array(np.float32(0.5), 'scale'),
        onnx.numpy_helper.from_array(np.int8(0), 'zero'),
    ]
    shape = ('batch', 3, 'height', 'width')
    outputs = [tensor('result', shape), tensor('where', (4, 'found'), TensorProto.INT64)]
    source = save(
        folder / 'net.onnx', nodes, [tensor('image', shape)], outputs, constants=constants
    )
    options = TensorRtBuilderOptions(
        device='dla1',
        workspace_mib=64,
        optimization_level=5,
        timing_cache=str(folder / 'cache'),
    )
    plan = BuildPlan(manifest_for(), source, 'int8', options=options)
    artifact = TensorRtBuilder().build(plan, folder).artifact
    with TensorRtEngineType().create(manifest_for(), artifact, TensorRtOptions()) as engine:
        engine.warm_up()


@pytest.mark.parametrize('requirement', BINDINGS)
def test_the_real_bindings_take_every_argument_that_the_plugin_gives(requirement, tmp_path):
    version = requirement.partition('==')[2]
    calls = calls_of(version, tmp_path)
    numbers = re.findall(r'\d+', version)
    members = surface((int(numbers[0]), int(numbers[1])))
    answer = json.loads(child(requirement, 'calls', calls, json.dumps(members)))
    assert answer['lacking'] == []
    assert (answer['asked'], answer['shape']) == ([64, 512], [4, 2])
    said = [each for each in answer['said'] if 'there is no NVIDIA driver, or it is older' in each]
    assert len(said) == 2


def test_an_argument_that_the_bindings_do_not_take_would_be_found():
    wrong = json.dumps([['Runtime', 'deserialize_cuda_engine', [1], {}]])
    run = run_program('tensorrt-cu12-bindings==10.3.0', 'calls', wrong, '{}')
    assert 'incompatible function arguments' in run.stderr
