# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The template becomes a plugin by the commands of the guide, with pip and with colcon.

The commands are those of ``plugins/README.md`` that say so in the comment above them.
"""

from __future__ import annotations

from importlib import import_module
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import sysconfig

import onnx
import pytest

from test.docs.markdown import Block
from test.docs.markdown import fenced
from test.support.networks import save_identity
from test.support.process import PROFILE_VARIABLES

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
# What pip makes of the entry point of the command.
COMMAND = """#!{python}
from edge_perception.cli.main import main
main()
"""


def guide(repository: Path, reason: str) -> str:
    """Return the commands of the guide below this comment."""
    wanted = f'test/plugins/test_template.py {reason}'
    blocks = fenced(repository / 'plugins' / 'README.md')
    (found,) = [each.text for each in blocks if each.markers.get('not run') == wanted]
    return found


def shown_after(repository: Path, text: str) -> Block:
    """Return what the guide shows, by its first word."""
    blocks = fenced(repository / 'plugins' / 'README.md')
    (found,) = [each for each in blocks if each.language == 'text' and text in each.text]
    return found


@pytest.fixture
def folder(tmp_path: Path, repository: Path) -> Path:
    """Return a folder with a checkout, as far as the guide needs it."""
    template = tmp_path / 'edge_perception' / 'plugins' / 'template'
    ignored = shutil.ignore_patterns('__pycache__', '.pytest_cache')
    shutil.copytree(repository / 'plugins' / 'template', template, ignore=ignored)
    return tmp_path


def fresh_environment(folder: Path, repository: Path) -> Path:
    """
    Make a virtual environment and return its ``bin``.

    It sees the packages of ours, so that nothing has to be downloaded, and gets its own.
    """
    environment = folder / 'environment'
    options = ['--without-pip', '--system-site-packages']
    subprocess.run([sys.executable, '-m', 'venv', *options, environment], check=True)
    site = Path(sysconfig.get_path('purelib', vars={'base': str(environment)}))
    seen = [sysconfig.get_path('purelib'), str(repository), str(repository / 'plugins')]
    (site / 'ours.pth').write_text('\n'.join(seen) + '\n')
    command = environment / 'bin' / 'edge-perception'
    command.write_text(COMMAND.format(python=environment / 'bin' / 'python3'))
    command.chmod(0o755)
    return environment / 'bin'


def run(folder: Path, commands: str, *, path: Path) -> str:
    """Run commands of the guide as a reader does, and return what they print."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {*PROFILE_VARIABLES, 'PYTHONPATH'}
    }
    environment.update(
        PATH=os.pathsep.join([str(path), os.environ['PATH']]),
        COLUMNS='120',
        PIP_NO_INDEX='1',
        PIP_DISABLE_PIP_VERSION_CHECK='1',
    )
    done = subprocess.run(
        ['bash', '-eo', 'pipefail', '-c', commands],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def check_shown(repository: Path, printed: str, text: str) -> None:
    """Demand that what the guide shows was printed; numbers with a point may differ."""

    def words(line: str) -> str:
        return ' '.join(re.sub(r'\d+\.\d+(\.\d+)?', '#', line).split())

    lines = list(map(words, printed.splitlines()))
    for line in shown_after(repository, text).text.splitlines():
        assert any(words(line) in each for each in lines), f'{line}\n{printed}'


def test_with_pip(folder: Path, repository: Path) -> None:
    path = fresh_environment(folder, repository)
    checkout = folder / 'edge_perception'
    run(checkout, guide(repository, 'does, where nothing else is installed'), path=path)
    plugin = folder / 'edge_perception_acme'
    assert 'myengine' not in ''.join(
        each.read_text().lower() + str(each.relative_to(plugin)).lower()
        for each in plugin.rglob('*')
        if each.is_file()
    )
    printed = run(plugin, guide(repository, 'does; with pip'), path=path)
    check_shown(repository, printed, 'engine acme\n')
    # Away from its sources, so that the installed one is tested.
    for source in ('edge_perception_acme', 'build'):
        shutil.rmtree(plugin / source)
    printed = run(plugin, guide(repository, 'does; the kit'), path=path)
    check_shown(repository, printed, 'of 36 clauses')


def test_with_colcon(folder: Path, repository: Path) -> None:
    if not (BIN / 'colcon').exists():
        pytest.skip('colcon is not installed beside this Python')
    checkout = folder / 'edge_perception'
    run(checkout, guide(repository, 'does, where nothing else is installed'), path=BIN)
    built = guide(repository, 'does; with colcon')
    away = 'cd src/edge_perception_acme\nrm -r edge_perception_acme\n'
    kit = guide(repository, 'does; the kit')
    # In one shell, because it has sourced the workspace.
    printed = run(folder / 'edge_perception_acme', built + away + kit, path=BIN)
    check_shown(repository, printed, 'engine acme\n')
    check_shown(repository, printed, 'of 36 clauses')
    share = folder / 'workspace' / 'install' / 'edge_perception_acme' / 'share'
    assert (share / 'edge_perception_acme' / 'package.xml').is_file()


def test_what_the_training_tool_left_in_a_file_is_described(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(repository / 'plugins' / 'template'))
    path = save_identity(tmp_path / 'half.onnx', kind=onnx.TensorProto.FLOAT16)
    network = onnx.load(path)
    onnx.helper.set_model_props(network, {'task': 'detect'})
    onnx.save(network, path)
    template = import_module('edge_perception_myengine.engine')
    described = template.MyEngineType().describe(path)
    assert described.metadata == {'task': 'detect'}
    assert {each.dtype.name for each in described.inputs} == {'float16'}
