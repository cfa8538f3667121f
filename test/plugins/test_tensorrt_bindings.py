# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The plugin against the real Python bindings of TensorRT, over libraries that compute nothing.

The bindings are on PyPI, the libraries behind them are not, and want a GPU. So what is proven here
is that each name, argument and type that the plugin uses is right in every version.
"""

from __future__ import annotations

import ast
import functools
import json
import os
from pathlib import Path
import re
import subprocess
import sys

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
from test.support.tensorrt_stubs import fake
from test.support.tensorrt_stubs import nvidia_machine
from test.support.tensorrt_stubs.libraries import BINDINGS
from test.support.tensorrt_stubs.libraries import bindings
from test.support.tensorrt_stubs.libraries import stub_libraries
from test.support.tensorrt_stubs.recording import recorded
from test.support.tensorrt_stubs.wheels import ROOT
from test.support.tensorrt_stubs.wheels import run_child

PLUGIN = ROOT / 'plugins' / 'edge_perception_tensorrt'
FAKES = ROOT / 'test' / 'support' / 'tensorrt_stubs'


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


@functools.cache
def surface(requirement: str) -> str:
    return child(requirement, 'surface')


def check_types(
    tmp_path: Path, requirement: str, *files: Path
) -> subprocess.CompletedProcess[str]:
    """Let mypy compare files with the classes of these bindings."""
    pytest.importorskip('mypy', reason='mypy compares the plugin with the bindings')
    (tmp_path / 'tensorrt.pyi').write_text(surface(requirement))
    path = os.pathsep.join(map(str, [tmp_path, ROOT, ROOT / 'plugins']))
    # Types of NumPy are not what is compared, and would take most of the time.
    flags = ['--config-file=', '--no-site-packages', '--ignore-missing-imports']
    flags += ['--check-untyped-defs', '--explicit-package-bases', '--follow-imports=silent']
    flags += ['--cache-dir', str(ROOT / 'build' / 'mypy_tensorrt')]
    return subprocess.run(
        [sys.executable, '-m', 'mypy', *flags, *files],
        env={**os.environ, 'MYPYPATH': path},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize('requirement', BINDINGS)
def test_every_attribute_that_we_use_exists(tmp_path, requirement):
    run = check_types(tmp_path, requirement, PLUGIN)
    assert run.returncode == 0, run.stdout


def test_an_attribute_that_does_not_exist_would_be_found(tmp_path):
    wrong = tmp_path / 'wrong.py'
    wrong.write_text(
        'import tensorrt as trt\n\n\n'
        'def use(engine: trt.ICudaEngine, context: trt.IExecutionContext) -> None:\n'
        '    engine.num_bindings\n'
        '    context.execute_async_v3(1, 2)\n'
        '    trt.BuilderFlag.FP16\n'
    )
    run = check_types(tmp_path, 'tensorrt-cu12-bindings==11.4.0.106', wrong)
    assert re.findall(r'wrong.py:(\d+): error', run.stdout) == ['5', '6', '7'], run.stdout


def test_no_object_of_tensorrt_is_hidden_behind_any():
    seen = 0
    for path in sorted(PLUGIN.glob('*.py')):
        source = path.read_text()
        if 'import tensorrt' not in source:
            continue
        seen += 1
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and node.name != 'vendor_logger':
                arguments = [*node.args.args, *node.args.kwonlyargs]
                hints = [node.returns, *(argument.annotation for argument in arguments)]
                texts = [ast.unparse(hint) for hint in hints if hint is not None]
                assert 'Any' not in texts, f'{path.name}: {node.name}'
    assert seen >= 5


@pytest.mark.parametrize('requirement', BINDINGS)
def test_the_fake_tensorrt_has_nothing_that_the_real_one_lacks(requirement):
    real = {node.name: node for node in ast.parse(surface(requirement)).body if class_of(node)}
    version = re.search(r'==(\d+)\.(\d+)', requirement)
    numbers = (int(version[1]), int(version[2]))
    for name, members in fake.FLAGS.items():
        for member, first, last in members:
            if first <= numbers <= last:
                assert member in names_in(real[name]), f'{name}.{member}'
    checked = 0
    for path in FAKES.glob('fake_*.py'):
        for node in filter(class_of, ast.parse(path.read_text()).body):
            if node.name in real:
                bases = [real[base.id] for base in real[node.name].bases]
                have = set().union(*(names_in(each) for each in [real[node.name], *bases]))
                methods = {each for each in names_in(node) if not each.startswith('_')}
                assert methods <= have, f'{node.name}: {methods - have}'
                checked += len(methods)
    assert checked > 20


def class_of(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef)


def names_in(node: ast.ClassDef) -> set[str]:
    functions = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    fields = {each.target.id for each in node.body if isinstance(each, ast.AnnAssign)}
    return functions | fields


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
    calls = calls_of(requirement.partition('==')[2], tmp_path)
    answer = json.loads(child(requirement, 'calls', calls))
    assert (answer['asked'], answer['shape']) == ([64, 512], [4, 2])
    said = [each for each in answer['said'] if 'there is no NVIDIA driver, or it is older' in each]
    assert len(said) == 2


def test_an_argument_that_the_bindings_do_not_take_would_be_found():
    wrong = json.dumps([['Runtime', 'deserialize_cuda_engine', [1], {}]])
    run = run_program('tensorrt-cu12-bindings==10.3.0', 'calls', wrong)
    assert 'incompatible function arguments' in run.stderr
