# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The unit for systemd: what it starts, and that it is confined."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess

import pytest

from test.support.launch_stubs import LaunchFile


@pytest.fixture
def unit(repository):
    return repository / 'config' / 'systemd' / 'edge_perception.service'


@pytest.mark.parametrize(
    ('optional', 'passed'),
    [
        ({}, []),
        (
            {'PRESET': 'jetson', 'PARAMS_FILE': '/a b.yaml'},
            ['preset:=jetson', 'params_file:=/a b.yaml'],
        ),
    ],
)
def test_the_unit_passes_on_what_is_set(unit, optional, passed, repository, tmp_path):
    text = unit.read_text().replace('\\\n', ' ').replace('$$', '$')
    (line,) = re.findall('^ExecStart=(.*)$', text, re.MULTILINE)
    fake = tmp_path / 'ros2'
    fake.write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    setup = tmp_path / 'setup.bash'
    setup.write_text(f'PATH={tmp_path}:$PATH\n')
    needed = {'SETUP': str(setup), 'MODEL': '/my models/net', 'IMAGE_TOPIC': '/c/image_raw'}
    environment = {'PATH': os.environ['PATH'], **needed, **optional}
    done = subprocess.run(
        shlex.split(line), env=environment, capture_output=True, text=True, check=True
    )
    arguments = done.stdout.splitlines()
    assert arguments[:3] == ['launch', 'edge_perception', 'perception.launch.py']
    assert arguments[3:] == ['model:=/my models/net', 'image_topic:=/c/image_raw', *passed]
    perception = LaunchFile(repository / 'launch' / 'perception.launch.py')
    assert {each.partition(':=')[0] for each in arguments[3:]} <= set(perception.arguments)


def test_the_unit_is_confined(unit):
    """Exposure below 3 on the scale of systemd-analyze, where 10 is unconfined."""
    if not shutil.which('systemd-analyze'):
        pytest.skip('systemd-analyze is not installed')
    command = ['systemd-analyze', 'security', '--offline=true', '--threshold=29', str(unit)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_systemd_understands_the_unit(unit):
    if not shutil.which('systemd-analyze'):
        pytest.skip('systemd-analyze is not installed')
    done = subprocess.run(['systemd-analyze', 'verify', unit], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, '')
