# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What holds for all tests: a ROS domain of their own, the shared data, the closing summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
import fcntl
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from itertools import chain
import os
from pathlib import Path
import random
import signal
import tempfile
from typing import TextIO

import pytest

ROOT = Path(__file__).resolve().parents[1]
# The closing lines of the conformance tests.
pytest_plugins = ('edge_perception.testing.pytest_plugin',)


def _claim_domain() -> tuple[str, TextIO]:
    """
    Return a random ROS domain that no other run of these tests on this machine uses.

    Above 101 the ports of DDS reach those that Linux hands out to outgoing connections. The lock
    is held as long as the file is open.
    """
    for domain in random.SystemRandom().sample(range(1, 102), 101):
        path = Path(tempfile.gettempdir(), f'edge_perception_test_domain_{domain}')
        try:
            file = path.open('w', encoding='utf-8')
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # locked, or made by another user
        return str(domain), file
    raise RuntimeError('all ROS domains from 1 to 101 are used by other runs of these tests')


# Whoever starts us in the background may have switched Ctrl-C off, and child processes would
# inherit that; tests interrupt them.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Before anything imports rclpy; child processes inherit it.
os.environ['ROS_DOMAIN_ID'], _domain_lock = _claim_domain()
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ.pop('ROS_LOCALHOST_ONLY', None)
if os.environ.get('ROS_DISTRO') == 'humble':
    # The older name; later distributions warn about it.
    os.environ['ROS_LOCALHOST_ONLY'] = '1'
# Read by the first participant of a process. The name changed with Kilted, which warns of the old.
with suppress(PackageNotFoundError):  # most tests need no ROS
    FAST_DDS = 'FASTRTPS' if int(version('rclpy').split('.')[0]) < 8 else 'FASTDDS'
    profiles = ROOT / 'test' / 'support' / 'fastdds.xml'
    os.environ[f'{FAST_DDS}_DEFAULT_PROFILES_FILE'] = str(profiles)
os.environ['ROS_LOG_DIR'] = str(ROOT / 'build' / 'ros-log')
# The node looks for artifacts in the user's cache; what lies there is no part of a test.
_cache = tempfile.TemporaryDirectory(prefix='edge_perception_test_cache_')
os.environ['XDG_CACHE_HOME'] = _cache.name


@pytest.fixture(scope='session')
def repository() -> Path:
    """Return the root of the checkout."""
    return ROOT


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """Return the folder of models, images and golden results, which is not in the repository."""
    name = 'EDGE_PERCEPTION_SHARED_DATA'
    folder = Path(os.environ.get(name, ROOT.parent / 'shared' / 'data'))
    if not folder.is_dir():
        pytest.skip(f'no shared data beside the checkout (set {name} to their folder)')
    return folder


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Iterator[None]:
    """Tell the time per folder, what was not run, and why, right above the last line."""
    yield
    seconds: Counter[str] = Counter()
    for report in chain(*terminalreporter.stats.values()):
        # Of workers too; setup and teardown of a test have reports of their own.
        # pytest 6 does not give the class of these reports; others have no such times.
        if getattr(report, 'when', '') in ('setup', 'call', 'teardown'):
            folder, _, name = report.nodeid.partition('::')[0].rpartition('/')
            seconds['/'.join(folder.split('/')[:2]) or name] += report.duration
    if seconds:
        times = ', '.join(f'{name} {spent:.0f} s' for name, spent in seconds.most_common())
        terminalreporter.write_line(f'time: {times}')
    counts = Counter(
        _reason(report)
        for report in terminalreporter.stats.get('skipped', [])
        if isinstance(report.longrepr, tuple)
    )
    deselected = len(terminalreporter.stats.get('deselected', []))
    if deselected:
        counts['left out by the command line'] = deselected
    if counts:
        terminalreporter.section('not run')
    for reason, count in counts.most_common():
        tests = 'test' if count == 1 else 'tests'
        terminalreporter.write_line(f'Not run: {reason} ({count} {tests})')


def _reason(report: pytest.TestReport) -> str:
    _, _, reason = report.longrepr
    return reason.removeprefix('Skipped: ')
