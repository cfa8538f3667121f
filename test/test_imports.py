# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Who may import whom, and that nothing outside of ``ros/`` needs ROS or a vendor's library."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
import os
from pathlib import Path
import subprocess
import sys
from textwrap import dedent

import pytest

from test.support.source_tree import Import
from test.support.source_tree import imports_of
from test.support.source_tree import module_name
from test.support.source_tree import NODES
from test.support.source_tree import OURS
from test.support.source_tree import plugin_packages
from test.support.source_tree import source_files

SHARED = ('contract', 'runtime', 'models', 'pose', 'signing', 'supervision')
NUMERIC = ('numpy', 'cv2')
# Only these import rclpy.
WITH_ROS = ('ros', 'bridges', NODES)
MESSAGES = ('*_msgs', '*_interfaces', 'std_srvs')


@dataclass(frozen=True)
class Rule:
    """
    What the modules of one folder may import besides the standard library and their own folder.

    :param ours: other folders of ours, wherever in the module the import stands.
    :param libraries: at the top of a module or inside of functions; ``*`` stands for any letters.
    :param inside_functions: only there, because a machine that runs the node may lack them.
    """

    ours: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    inside_functions: tuple[str, ...] = ()


# '' is the module edge_perception itself, 'plugins' are the packages below plugins/.
TABLE = {
    '': Rule(),
    'contract': Rule(libraries=('numpy', 'yaml', 'pluggy')),
    'runtime': Rule(ours=('contract',), libraries=NUMERIC),
    'signing': Rule(ours=('contract',)),
    'models': Rule(
        ours=('contract', 'runtime', 'signing', 'supervision'),
        libraries=(*NUMERIC, 'yaml', 'pluggy'),
    ),
    'supervision': Rule(ours=('contract',), libraries=('numpy',)),
    'decoders': Rule(ours=('contract',), libraries=NUMERIC),
    'pose': Rule(ours=('contract',), libraries=NUMERIC),
    'depth': Rule(ours=('contract', 'pose'), libraries=NUMERIC),
    'tracking': Rule(ours=('contract',), libraries=('numpy',)),
    'target': Rule(ours=('contract', 'pose'), libraries=NUMERIC),
    'simulation': Rule(ours=('contract',), libraries=NUMERIC),
    'tooling': Rule(
        ours=(*SHARED, 'simulation'),
        libraries=(*NUMERIC, 'yaml', 'rich'),
        inside_functions=(
            *('onnx', 'onnxslim', 'onnxscript', 'onnxruntime', 'nncf', 'ai_edge_quantizer'),
            *('openvino', 'pycocotools', 'matplotlib', 'rosbags', 'mcap', 'ai_edge_litert', 'PIL'),
            'onnxconverter_common',
        ),
    ),
    'testing': Rule(
        ours=(*SHARED, 'simulation', 'tracking'),
        libraries=(*NUMERIC, 'yaml', 'pytest'),
        inside_functions=('onnx',),
    ),
    'ros': Rule(
        ours=SHARED,
        libraries=(*NUMERIC, 'yaml', 'rclpy', 'ament_index_python', *MESSAGES),
        inside_functions=('bondpy',),
    ),
    'bridges': Rule(
        ours=('contract', 'pose', 'ros'),
        libraries=(*NUMERIC, 'rclpy', *MESSAGES),
        inside_functions=('mavros_msgs',),
    ),
    NODES: Rule(
        ours=(*SHARED, 'simulation', 'ros'),
        libraries=(*NUMERIC, 'rclpy', 'launch', 'launch_ros', *MESSAGES),
    ),
    'cli': Rule(
        ours=(
            *('', 'decoders', 'tooling', 'testing', 'ros', 'simulation', NODES),
            *SHARED,
        ),
        libraries=(*NUMERIC, 'yaml', 'click', 'rich'),
        inside_functions=('rclpy', 'matplotlib', 'onnx'),
    ),
    'plugins': Rule(ours=('contract',), libraries=('numpy',), inside_functions=('*',)),
}
# The only module that asks where the package lies.
MAY_IMPORT_THE_TOP = ('edge_perception/models/finding.py',)

BLOCKED = (
    *('rclpy', '*_msgs', 'launch', 'launch_ros', 'ament_index_python'),
    *('onnxruntime', 'openvino', 'tensorrt', 'pycuda', 'cuda', 'ai_edge_litert', 'tflite_runtime'),
    *('tensorflow', 'onnx', 'torch'),
)


def violations(root: Path) -> list[str]:
    """Return a sentence for each import that the table does not allow."""
    plugins = {package.name for package in plugin_packages(root)}
    return [
        f'{path.relative_to(root)}:{each.line}: imports {each.module}; {sentence}'
        for folder, path in source_files(root)
        for each in imports_of(root, path)
        if (sentence := _complaint(root, folder, path, each, plugins))
    ]


def _complaint(root: Path, folder: str, path: Path, each: Import, plugins: set[str]) -> str:
    rule = TABLE.get(folder)
    if rule is None:
        return f'the import table has no row for {OURS}/{folder}'
    first, *rest = each.module.split('.')
    label = f'{OURS}/{folder}' if folder != 'plugins' else 'a plugin'
    if first in plugins:
        inside = folder == 'plugins' and first in module_name(root, path).split('.')
        return '' if inside else 'nobody imports plugins, they are found by entry point'
    if first == OURS:
        allowed = rule.ours if folder == 'plugins' else (folder, *rule.ours)
        target = _target(root, rest)
        if target in allowed or (not target and str(path.relative_to(root)) in MAY_IMPORT_THE_TOP):
            return ''
        return f'of ours, {label} may import: {_listed(allowed)}'
    if first in sys.stdlib_module_names or _matches(first, rule.libraries):
        return ''
    if not _matches(first, rule.inside_functions):
        return f'of libraries, {label} may import: {_listed(rule.libraries)}'
    return '' if each.lazy else f'{label} may import it only inside of functions'


def _target(root: Path, parts: list[str]) -> str:
    """Return the folder of ours whose row holds for an imported name; '' for the top."""
    if '/'.join(parts[:2]) == NODES:
        return NODES
    name = parts[0] if parts else ''
    there = (root / OURS / name).is_dir() or (root / OURS / f'{name}.py').is_file()
    return name if name in TABLE or there else ''


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _listed(names: tuple[str, ...]) -> str:
    return ', '.join(name or f'{OURS} itself' for name in names) or 'nothing'


IMPORTER = """
import importlib, sys
from fnmatch import fnmatch

blocked, modules = sys.argv[1].split(','), sys.argv[2:]

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if any(fnmatch(name.partition('.')[0], pattern) for pattern in blocked):
            raise ModuleNotFoundError(f'No module named {name!r} (blocked)', name=name)

sys.meta_path.insert(0, Blocker())
for module in modules:
    try:
        importlib.import_module(module)
    except Exception as error:
        print(f'{module}: {type(error).__name__}: {error}')
"""


def failing_imports(root: Path) -> list[str]:
    """Import every module outside of ``ros/`` in a new process; return what fails and why."""
    modules = [
        module_name(root, path)
        for folder, path in source_files(root)
        if folder not in WITH_ROS and path.name != '__main__.py'
    ]
    assert modules
    folders = [root, *{package.parent for package in plugin_packages(root)}]
    done = subprocess.run(
        [sys.executable, '-c', IMPORTER, ','.join(BLOCKED), *modules],
        cwd=root,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(map(str, folders))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_nobody_imports_what_the_table_does_not_allow(repository):
    assert violations(repository) == []


def test_the_table_has_no_row_for_a_folder_that_is_gone(repository):
    folders = {folder for folder, _ in source_files(repository)}
    assert {
        '',
        'contract',
        'runtime',
        'models',
        'decoders',
        'ros',
        'cli',
        'testing',
        'plugins',
    } <= folders
    assert folders <= set(TABLE)


def test_tools_import_nothing_of_the_tests(repository):
    for path in (repository / 'tools').rglob('*.py'):
        found = [each.module for each in imports_of(repository, path)]
        assert not [name for name in found if name.split('.')[0] == 'test'], path


def test_every_module_outside_of_ros_imports_without_ros_and_without_vendors(repository):
    assert failing_imports(repository) == []


def write(root: Path, **files: str) -> Path:
    """Write a tree; two underscores stand for a slash, and every folder is a package."""
    for name, text in files.items():
        path = root / f'{name.replace("__", "/")}.py'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding='utf-8')
        for folder in path.parents:
            if folder in (root, root / 'plugins'):
                break
            (folder / '__init__.py').touch()
    return root


@pytest.mark.parametrize(
    ('files', 'complaint'),
    [
        (
            {'edge_perception__contract__a': 'import edge_perception.runtime.b'},
            'edge_perception/contract/a.py:1: imports edge_perception.runtime.b; '
            'of ours, edge_perception/contract may import: contract',
        ),
        (
            {'edge_perception__runtime__a': '\n\ndef f():\n    from edge_perception import pose'},
            'edge_perception/runtime/a.py:4: imports edge_perception.pose; '
            'of ours, edge_perception/runtime may import: runtime, contract',
        ),
        (
            {'edge_perception__pose__deep__a': 'from ...runtime import worker'},
            'edge_perception/pose/deep/a.py:1: imports edge_perception.runtime.worker; '
            'of ours, edge_perception/pose may import: pose, contract',
        ),
        (
            {'edge_perception__tooling__a': "import importlib\nimportlib.import_module('rclpy')"},
            'edge_perception/tooling/a.py:2: imports rclpy; '
            'of libraries, edge_perception/tooling may import: numpy, cv2, yaml, rich',
        ),
        (
            {'edge_perception__contract__a': 'import cv2'},
            'edge_perception/contract/a.py:1: imports cv2; '
            'of libraries, edge_perception/contract may import: numpy, yaml, pluggy',
        ),
        (
            {'edge_perception__runtime__a': 'def f():\n    import onnx'},
            'edge_perception/runtime/a.py:2: imports onnx; '
            'of libraries, edge_perception/runtime may import: numpy, cv2',
        ),
        (
            {'edge_perception__tooling__a': 'try:\n    import onnx\nexcept ImportError: ...'},
            'edge_perception/tooling/a.py:2: imports onnx; '
            'edge_perception/tooling may import it only inside of functions',
        ),
        (
            {'edge_perception__runtime__a': 'from edge_perception import __version__'},
            'edge_perception/runtime/a.py:1: imports edge_perception.__version__; '
            'of ours, edge_perception/runtime may import: runtime, contract',
        ),
        (
            {'edge_perception__nowhere__a': 'import os'},
            'edge_perception/nowhere/a.py:1: imports os; '
            'the import table has no row for edge_perception/nowhere',
        ),
        (
            {'plugins__my_engine__a': 'import my_runtime'},
            'plugins/my_engine/a.py:1: imports my_runtime; '
            'a plugin may import it only inside of functions',
        ),
        (
            {'plugins__template__my_engine__a': 'from edge_perception.runtime.budget import X'},
            'plugins/template/my_engine/a.py:1: imports edge_perception.runtime.budget.X; '
            'of ours, a plugin may import: contract',
        ),
        (
            {'plugins__one__a': '', 'plugins__two__b': 'def f():\n    import one.a'},
            'plugins/two/b.py:2: imports one.a; '
            'nobody imports plugins, they are found by entry point',
        ),
        (
            {'plugins__one__a': '', 'edge_perception__cli__b': 'from one import a'},
            'edge_perception/cli/b.py:1: imports one.a; '
            'nobody imports plugins, they are found by entry point',
        ),
    ],
)
def test_an_import_against_the_table_is_named_with_file_line_and_rule(tmp_path, files, complaint):
    for folder in ('runtime', 'pose', 'contract'):
        write(tmp_path, **{f'edge_perception__{folder}__other': ''})
    assert violations(write(tmp_path, **files)) == [complaint]


def test_what_the_table_allows_is_no_violation(tmp_path):
    write(
        tmp_path,
        edge_perception__models__finding='import edge_perception',
        edge_perception__runtime__a="""
            import json
            import cv2
            from edge_perception.contract import errors
            from . import b
            """,
        edge_perception__contract__errors='import numpy as np',
        edge_perception__tooling__a="""
            from typing import TYPE_CHECKING
            if TYPE_CHECKING:
                import onnx
            def f():
                import onnx.helper
            """,
        edge_perception__ros__a='from vision_msgs.msg import Detection2D\nimport rclpy',
        edge_perception__cli__a='from edge_perception import __version__\nimport rich.table',
        plugins__my_engine__a="""
            from edge_perception.contract import errors
            import my_engine.b
            def load():
                import my_runtime
            """,
        plugins__my_engine__b='import numpy',
        plugins__my_engine__test__c='import pytest\nfrom edge_perception.runtime import a',
    )
    assert violations(tmp_path) == []


def test_a_module_that_needs_a_vendor_or_ros_is_named(tmp_path):
    write(
        tmp_path,
        edge_perception__contract__good='import json',
        edge_perception__runtime__greedy='import onnxruntime.capi',
        edge_perception__runtime__indirect='from edge_perception.runtime import greedy',
        edge_perception__cli__topics='from vision_msgs.msg import Detection2D',
        edge_perception__ros__node='import rclpy',
        plugins__my_engine__engine='import tensorrt',
    )
    failing = {line.split(': ')[0]: line for line in failing_imports(tmp_path)}
    assert sorted(failing) == [
        'edge_perception.cli.topics',
        'edge_perception.runtime.greedy',
        'edge_perception.runtime.indirect',
        'my_engine.engine',
    ]
    assert (
        "ModuleNotFoundError: No module named 'onnxruntime"
        in failing['edge_perception.runtime.greedy']
    )
