# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The tests are collected beside the pytest plugins of launch_testing, which every ROS brings.

They are not on PyPI: stand-ins have their entry points, hooks and way to import.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# Imports each module in the way of "prepend", whatever the configuration says.
LAUNCH_TESTING = """
import inspect
import pathlib
import pytest
from _pytest.pathlib import import_path

def pytest_addhooks(pluginmanager):
    class Hooks:
        @pytest.hookspec(firstresult=True)
        def pytest_launch_collect_makemodule(path, parent, entrypoint):
            pass
    pluginmanager.add_hookspecs(Hooks)

def pytest_pycollect_makemodule(module_path, parent):
    known = inspect.signature(import_path).parameters
    named = {'root': pathlib.Path('.'), 'consider_namespace_packages': False}
    module = import_path(module_path, **{k: v for k, v in named.items() if k in known})
    entrypoint = getattr(module, 'generate_test_description', None)
    if entrypoint is not None:
        parent.ihook.pytest_launch_collect_makemodule(
            path=module_path, parent=parent, entrypoint=entrypoint
        )
    return pytest.Module.from_parent(parent, path=module_path)
"""
# Its hook is unknown where the first plugin is switched off.
LAUNCH_TESTING_ROS = """
def pytest_launch_collect_makemodule(path, parent, entrypoint):
    return None
"""
SAME_NAMES = ('test/models/artifacts/test_artifacts.py', 'test/plugins/test_artifacts.py')


@pytest.fixture
def site(tmp_path):
    """Return a folder with both plugins, as they would be installed."""
    for name, entry, source in (
        ('launch_testing', 'launch_testing', LAUNCH_TESTING),
        ('launch_testing_ros', 'launch_ros', LAUNCH_TESTING_ROS),
    ):
        information = tmp_path / f'{name}-1.0.dist-info'
        information.mkdir()
        (tmp_path / f'{name}_hooks.py').write_text(source)
        (information / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: 1\n')
        (information / 'entry_points.txt').write_text(f'[pytest11]\n{entry} = {name}_hooks\n')
    return tmp_path


def collected(repository, *arguments, site=None):
    """Return the tests that pytest finds as colcon calls it, and its exit status."""
    path = os.pathsep.join(filter(None, (site and str(site), os.environ.get('PYTHONPATH'))))
    command = [sys.executable, '-m', 'pytest', '--collect-only', '-q', '-p', 'no:cacheprovider']
    done = subprocess.run(
        [*command, *arguments, *SAME_NAMES],
        **{'cwd': repository, 'env': {**os.environ, 'PYTHONPATH': path}},
        **{'capture_output': True, 'text': True},
    )
    return [line for line in done.stdout.splitlines() if '::' in line], done


def test_modules_of_the_same_name_are_collected_beside_them(repository, site):
    tests, done = collected(repository, site=site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {each.partition('::')[0] for each in tests} == set(SAME_NAMES)
    assert tests == collected(repository)[0]


def test_also_where_they_are_at_work(repository, site):
    """A workspace may set its own options, which replace ours."""
    tests, done = collected(repository, '-o', 'addopts=', site=site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tests == collected(repository)[0]
