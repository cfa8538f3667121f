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

import pytest

from test.support.fake_cuda import compiled
from test.support.fake_cuda import LIBRARY_VARIABLE
from test.support.tensorrt_stubs import fake
from test.support.tensorrt_stubs.libraries import BINDINGS
from test.support.tensorrt_stubs.libraries import bindings
from test.support.tensorrt_stubs.libraries import stub_libraries
from test.support.tensorrt_stubs.wheels import ROOT
from test.support.tensorrt_stubs.wheels import run_child

PLUGIN = ROOT / 'plugins' / 'edge_perception_tensorrt'
FAKES = ROOT / 'test' / 'support' / 'tensorrt_stubs'
STRONGLY_TYPED = [name for name in BINDINGS if '8.6' not in name and '10.3' not in name]


def child(requirement: str, module: str, *arguments: str) -> str:
    """Run a module of the stubs with these bindings and return what it printed."""
    run = run_child(
        ['-m', f'test.support.tensorrt_stubs.{module}', *arguments],
        folders=[bindings(requirement)],
        libraries=stub_libraries(),
        **{LIBRARY_VARIABLE: str(compiled())},
    )
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


@pytest.mark.parametrize('requirement', BINDINGS)
def test_a_driver_that_is_too_old_is_explained(requirement):
    said = child(requirement, 'no_gpu_scenario')
    assert said.count('there is no NVIDIA driver, or it is older than the CUDA of this') == 2


@pytest.mark.parametrize('requirement', BINDINGS)
def test_the_engine_runs(requirement):
    result = json.loads(child(requirement, 'run_scenario'))
    assert result['probe'].startswith(f'TensorRT {requirement.split("==")[1]} with')
    assert result['outputs'] == ['1x3x4x6 float32', '4x? int32']
    assert result['executed'] == 4
    assert (result['violations'], result['live']) == ('', {})


@functools.cache
def built(requirement: str) -> dict[str, dict]:
    """Return the results of all builds with these bindings, by name."""
    builds = {
        'fp32': {},
        'fp16': {'precision': 'fp16'},
        'int8': {'precision': 'int8', 'quantized': True},
        'not quantized': {'precision': 'int8'},
        'options': {
            'options': {
                'tf32': True,
                'workspace_mib': 64,
                'optimization_level': 5,
                'timing_cache': 'cache',
            }
        },
        'dla': {'precision': 'fp16', 'options': {'device': 'dla1'}, 'dla_cores': 2},
        'no dla': {'precision': 'fp16', 'options': {'device': 'dla1'}},
        'open': {'input': [-1, 3, -1, -1]},
        'unreadable': {'parser_error': 'No importer registered for op: Foo'},
    }
    result = json.loads(child(requirement, 'build_scenario', json.dumps(list(builds.values()))))
    assert (result['violations'], result['live']) == ('', {})
    return dict(zip(builds, result['builds']))


@pytest.mark.parametrize('requirement', BINDINGS)
def test_a_network_is_made_as_its_version_wants_it(requirement):
    typed = requirement in STRONGLY_TYPED
    batch = ['EXPLICIT_BATCH'] if '8.6' in requirement else []
    for precision in ('fp32', 'fp16', 'int8'):
        build = built(requirement)[precision]
        assert build['error'] == ''
        assert build['artifact'] == 'the plan'
        assert build['left'] == [f'net_{precision}.engine']
        assert build['network'] == (['STRONGLY_TYPED'] if typed else batch)
        flags = {'fp16': ['FP16'], 'int8': ['INT8']}.get(precision, [])
        assert build['set'] == ([] if typed else flags)
        assert build['cleared'] == ['TF32']
        assert (build['profiles'], build['limits'], build['cache']) == (0, [], '')


@pytest.mark.parametrize('requirement', BINDINGS)
def test_options_reach_the_builder(requirement):
    build = built(requirement)['options']
    assert build['cleared'] == []
    assert build['limits'] == [64 << 20]
    assert build['levels'] == [5]
    assert build['cache'] == 'the timing cache'


@pytest.mark.parametrize('requirement', BINDINGS)
def test_an_open_input_becomes_a_profile(requirement):
    build = built(requirement)['open']
    assert build['shapes'] == [[which, 1, 3, 4, 6] for which in (0, 1, 2)]
    assert build['profiles'] == 1
    assert build['notes'] == ['the plan takes 1x3x4x6 float32 only']


@pytest.mark.parametrize('requirement', BINDINGS)
def test_a_dla_gets_what_it_can_and_the_gpu_the_rest(requirement):
    build = built(requirement)['dla']
    assert (build['devices'], build['cores']) == ([1], [1])
    assert 'GPU_FALLBACK' in build['set']
    assert build['notes'] == ['2 of 2 layers run on the GPU, not on the DLA']
    assert 'has 0 DLA cores' in built(requirement)['no dla']['error']


@pytest.mark.parametrize('requirement', BINDINGS)
def test_what_cannot_be_built_is_said_and_leaves_nothing(requirement):
    unreadable = built(requirement)['unreadable']
    assert 'cannot read it: node 7: No importer registered for op: Foo; ' in unreadable['error']
    not_quantized = built(requirement)['not quantized']
    assert 'got an ONNX without QuantizeLinear' in not_quantized['error']
    assert unreadable['left'] == not_quantized['left'] == []
