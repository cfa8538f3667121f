# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The package as users build it: colcon in a workspace, plain and with --symlink-install."""

from __future__ import annotations

from collections.abc import Iterator
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys
from xml.etree import ElementTree

from lifecycle_msgs.srv import GetState
import pytest

import edge_perception
from test.support.graph import Spinner
from test.support.graph import Tester

pytestmark = pytest.mark.slow

COLCON = Path(sys.executable).with_name('colcon')
NODE_DEADLINE_S = 120.0


class Workspace:
    """A colcon workspace with a copy of this checkout, built."""

    def __init__(self, folder: Path, repository: Path, *, symlink_install: bool) -> None:
        self.folder = folder
        self.source = folder / 'src' / 'edge_perception'
        self.symlink_install = symlink_install
        for name in _files_of(repository):
            target = self.source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repository / name, target)
        self.colcon('build', *(['--symlink-install'] if symlink_install else []))

    @property
    def install(self) -> Path:
        return self.folder / 'install' / 'edge_perception'

    def colcon(self, *arguments: str) -> str:
        command = [COLCON, '--log-base', self.folder / 'log', *arguments]
        return _output(command, cwd=self.folder)

    def sourced(self, command: str) -> list[str]:
        """Return the arguments that run a shell command in the sourced workspace."""
        return ['bash', '-c', f'source install/setup.bash && {command}']

    def run(self, command: str) -> str:
        return _output(self.sourced(command), cwd=self.folder)


def _files_of(repository: Path) -> list[str]:
    """List what a clone would hold if all were committed now."""
    if not (repository / '.git').exists():
        pytest.skip('the package is not in a git checkout, whose files are to be built')
    listed = _output(
        ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], cwd=repository
    )
    return [name for name in listed.split('\0') if name and (repository / name).is_file()]


def _output(command: list[str | Path], *, cwd: Path) -> str:
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert result.returncode == 0, f'{command}:\n{result.stdout}\n{result.stderr}'
    return result.stdout


@pytest.fixture(scope='module', params=[False, True], ids=['install', 'symlink-install'])
def workspace(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, repository: Path
) -> Workspace:
    if not COLCON.exists():
        pytest.skip('colcon is not installed beside this Python')
    folder = tmp_path_factory.mktemp('workspace')
    return Workspace(folder, repository, symlink_install=request.param)


def test_colcon_sees_one_package(workspace: Workspace) -> None:
    assert workspace.colcon('list', '--names-only').split() == ['edge_perception']


def test_the_copy_in_the_workspace_is_imported(workspace: Workspace) -> None:
    code = 'import edge_perception, os; print(os.path.realpath(edge_perception.__file__))'
    imported = Path(workspace.run(f'{sys.executable} -c "{code}"').strip())
    home = workspace.source if workspace.symlink_install else workspace.install
    assert imported.is_relative_to(home.resolve())


def test_entry_points_are_those_of_the_workspace(workspace: Workspace) -> None:
    code = (
        'from importlib.metadata import distribution; '
        "print(distribution('edge_perception').locate_file(''))"
    )
    found = Path(workspace.run(f'{sys.executable} -c "{code}"').strip())
    assert found.resolve().is_relative_to(workspace.folder.resolve())


def test_command_is_on_the_path(workspace: Workspace) -> None:
    found = workspace.run('command -v edge-perception').strip()
    assert Path(found) == workspace.install / 'bin' / 'edge-perception'
    assert 'Usage: edge-perception' in workspace.run('edge-perception --help')


@pytest.mark.parametrize('name', ['edge-perception', 'perception_node'])
def test_ros2_run_finds_the_executables(workspace: Workspace, name: str) -> None:
    """The command ros2 run looks into lib/<package>."""
    assert os.access(workspace.install / 'lib' / 'edge_perception' / name, os.X_OK)


def test_plugins_are_found(workspace: Workspace, repository: Path) -> None:
    plugins = json.loads(workspace.run('edge-perception plugins --json'))
    names = {plugin['name'] for plugin in plugins}
    folders = {
        path.parent.name.removeprefix('edge_perception_')
        for path in repository.glob('plugins/edge_perception_*/__init__.py')
    }
    assert names == {'decoders', 'depth', 'stages', 'target', 'tracking', *folders}
    assert 'onnxruntime' in {engine['name'] for plugin in plugins for engine in plugin['engines']}


def test_data_files_lie_beside_the_modules(workspace: Workspace) -> None:
    code = 'import edge_perception; print(edge_perception.__path__[0])'
    installed = Path(workspace.run(f'{sys.executable} -c "{code}"').strip())
    package = workspace.source / 'edge_perception'
    wanted = {
        path.relative_to(package)
        for path in package.rglob('*')
        if path.is_file() and path.suffix != '.py' and '__pycache__' not in path.parts
    }
    assert Path('py.typed') in wanted
    assert {path for path in wanted if not (installed / path).is_file()} == set()


@pytest.mark.parametrize('pattern', ['launch/*.launch.py', 'config/**/*', 'package.xml'])
def test_share_has_the_files(workspace: Workspace, pattern: str) -> None:
    code = (
        'from ament_index_python import get_package_share_directory; '
        "print(get_package_share_directory('edge_perception'))"
    )
    share = Path(workspace.run(f'{sys.executable} -c "{code}"').strip())
    wanted = {
        path.relative_to(workspace.source)
        for path in workspace.source.glob(pattern)
        if path.is_file()
    }
    assert {path for path in wanted if not (share / path).is_file()} == set()


@pytest.fixture
def node_process(workspace: Workspace) -> Iterator[subprocess.Popen[str]]:
    node = workspace.install / 'lib' / 'edge_perception' / 'perception_node'
    process = subprocess.Popen(
        workspace.sourced(f'exec {node}'),
        cwd=workspace.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    process.terminate()
    process.communicate()


def test_node_starts(node_process: subprocess.Popen[str]) -> None:
    spinner = Spinner()
    tester = Tester(spinner)
    client = tester.node.create_client(GetState, '/perception/get_state')
    try:
        for _ in range(int(NODE_DEADLINE_S)):
            if client.wait_for_service(timeout_sec=1.0):
                break
            assert node_process.poll() is None, node_process.communicate()[0]
        assert tester.state() == 'unconfigured'
    finally:
        spinner.close()


def test_versions_agree(repository: Path) -> None:
    manifest = ElementTree.parse(repository / 'package.xml')
    assert manifest.findtext('version') == edge_perception.__version__
