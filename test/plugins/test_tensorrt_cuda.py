# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The tests of the engine again, with real bindings of CUDA over the fake driver."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from test.support.fake_cuda import compiled
from test.support.fake_cuda import fill_up
from test.support.fake_cuda import LIBRARY_VARIABLE
from test.support.tensorrt_stubs import BINDING_VARIABLE
from test.support.tensorrt_stubs.wheels import run_child
from test.support.tensorrt_stubs.wheels import unpacked

# The binding of JetPack 6, whose module is called cuda.cuda, and the last of CUDA 12 and 13.
BINDINGS = {
    'cuda-python==12.6.2.post1': [],
    'cuda-bindings==12.9.10': ['cuda-pathfinder==1.9.0'],
    'cuda-bindings==13.4.4': ['cuda-pathfinder==1.9.0'],
}


@pytest.mark.parametrize('binding', BINDINGS)
def test_the_engine_keeps_the_rules_of_cuda_with_cuda_python(binding):
    wheels = [unpacked(requirement) for requirement in (binding, *BINDINGS[binding])]
    run_engine_tests(wheels, **{BINDING_VARIABLE: 'cuda-python'})


def test_the_engine_keeps_the_rules_of_cuda_with_pycuda(tmp_path):
    if find_spec('pycuda') is None:
        pytest.skip('pycuda is not installed; pip compiles it, with the headers of CUDA')
    package = Path(find_spec('pycuda').submodule_search_locations[0])
    rest = fill_up(next(package.glob('_driver*.so')), tmp_path / 'rest.so')
    preload = f'{compiled()}:{rest}'
    run_engine_tests([package.parent], **{BINDING_VARIABLE: 'pycuda', 'LD_PRELOAD': preload})


def run_engine_tests(folders: list[Path], **variables: str) -> None:
    run = run_child(
        ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', 'test/plugins/test_tensorrt.py'],
        folders=folders,
        libraries=compiled().parent,
        **{LIBRARY_VARIABLE: str(compiled()), **variables},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert ' passed' in run.stdout
    assert 'skipped' not in run.stdout
