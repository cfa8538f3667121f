# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A tool that a builder calls leaves nothing behind, whatever becomes of it."""

from __future__ import annotations

from pathlib import Path
import signal
import subprocess
import sys
import threading

import pytest

from edge_perception.contract import BuildError
from edge_perception.contract import run_converter
from test.support.raising import raises

# Starts a process of its own, and writes down both.
TWO_PROCESSES = 'sleep 600 & echo $! $$ > started.part; mv started.part started; wait'


def shell(workspace: Path, script: str, **extra) -> str:
    return run_converter(['sh', '-c', script], workspace, subject='net', **extra)


def all_end(workspace: Path) -> bool:
    """Tell whether both processes end; the one that is not ours is reaped by others."""
    started = (workspace / 'started').read_text().split()
    pause = threading.Event()
    while any(runs(each) for each in started):
        pause.wait(0.01)
    return len(started) == 2


def runs(process: str) -> bool:
    try:
        return ') Z' not in Path('/proc', process, 'stat').read_text()
    except OSError:
        return False


def test_it_works_in_the_workspace_with_a_home_that_is_removed(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'elsewhere'))
    said = shell(tmp_path, 'touch made "$HOME/.toolrc" "$TMPDIR/left"; pwd; echo $XDG_CACHE_HOME')
    assert said.split() == [str(tmp_path)]
    assert [each.name for each in tmp_path.iterdir()] == ['made']


@pytest.mark.parametrize(
    ('command', 'said'),
    [
        (
            'for i in 1 2 3; do echo "\033[31mline  $i"; done; echo "bad model." >&2; exit 3',
            'sh failed on net (status 3): line 2 / line 3 / bad model',
        ),
        ('exit 1', 'sh failed on net (status 1): it printed nothing'),
        ('kill -9 $$', 'sh failed on net (SIGKILL): it printed nothing'),
    ],
)
def test_a_failure_has_the_last_lines(tmp_path, command, said):
    with pytest.raises(BuildError) as raised:
        shell(tmp_path, command)
    assert str(raised.value) == said
    assert list(tmp_path.iterdir()) == []


def test_a_tool_that_is_missing_is_named(tmp_path):
    with raises(BuildError, 'no_such_tool', 'No such file'):
        run_converter(['no_such_tool'], tmp_path, subject='net')


def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path):
    with raises(BuildError, 'sh ', '1 s', 'net'):
        shell(tmp_path, TWO_PROCESSES, timeout_s=1)
    assert all_end(tmp_path)


def test_an_interrupted_build_ends_it_with_all_that_it_started(tmp_path):
    # In a process of its own: one that runs tests may have handlers of signals from before.
    code = f"""
from pathlib import Path
from edge_perception.contract import run_converter
run_converter(['sh', '-c', {TWO_PROCESSES!r}], Path({str(tmp_path)!r}), subject='net')
"""
    build = subprocess.Popen([sys.executable, '-c', code], stderr=subprocess.PIPE, text=True)
    pause = threading.Event()
    while not (tmp_path / 'started').exists() and build.poll() is None:
        pause.wait(0.01)
    build.send_signal(signal.SIGINT)
    _, errors = build.communicate(timeout=60)
    assert 'KeyboardInterrupt' in errors
    assert all_end(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ['started']
