# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
import subprocess
import sys

import pytest

import edge_perception
from edge_perception.cli.main import COMMANDS
from edge_perception.cli.main import main

HEAVY = ('cv2', 'numpy', 'onnx', 'onnxruntime', 'rclpy', 'rich', 'yaml')


def python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)


def test_help_lists_the_commands_with_an_example_of_each(invoke):
    result = invoke('--help')
    assert result.exit_code == 0
    for name, (_, summary) in COMMANDS.items():
        assert summary in result.stdout
        assert f'edge-perception {name} ' in result.stdout + ' '.join(result.stdout.split()) + ' '


@pytest.mark.parametrize('name', COMMANDS)
def test_every_command_explains_itself(invoke, name):
    result = invoke(name, '--help')
    assert result.exit_code == 0
    assert f'edge-perception {name}' in result.stdout.partition('Examples:')[2]


@pytest.mark.parametrize('arguments', [['--help'], ['--version']])
def test_help_imports_nothing_heavy(arguments):
    done = python(
        'import sys\n'
        'from edge_perception.cli.main import main\n'
        'try:\n'
        f'    main({arguments})\n'
        'finally:\n'
        f'    print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)\n'
    )
    assert done.returncode == 0
    assert done.stderr.strip() == '[]'


def test_version(invoke):
    assert edge_perception.__version__ in invoke('--version').stdout


def test_help_says_where_names_of_models_come_from(invoke):
    words = ' '.join(invoke('--help').stdout.split())
    assert 'EDGE_PERCEPTION_MODEL_PATH, or of one that comes with the package' in words


def test_a_misspelled_command(invoke):
    result = invoke('inspct', 'model.onnx')
    assert result.exit_code == 2
    assert "no command 'inspct', did you mean 'inspect'?" in result.stderr


@pytest.mark.parametrize('package', ['cv2', 'rich'])
def test_a_missing_package_is_one_sentence(package):
    done = python(
        'import sys\n'
        f'sys.modules[{package!r}] = None\n'
        'from edge_perception.cli.main import main\n'
        "main(['run', 'model', 'picture.jpg'])\n"
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f'error [missing_package]: the package {package} is missing')


def test_our_own_mistakes_are_not_hidden(monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError('ours')

    monkeypatch.setattr('edge_perception.cli.perception.plugins.survey', fail)
    with pytest.raises(ZeroDivisionError):
        main(['plugins'], standalone_mode=False)


def test_the_command_is_installed(repository):
    command = Path(sys.executable).with_name('edge-perception')
    if not command.exists():
        pytest.skip('the package is not installed in this environment')
    done = subprocess.run([command, '--version'], capture_output=True, text=True)
    assert edge_perception.__version__ in done.stdout
