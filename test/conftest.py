# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What holds for all tests: a ROS domain of their own, the shared data, the closing summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
import os
from pathlib import Path
import random

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Before anything imports rclpy; child processes inherit it. Above 101 the ports of DDS reach
# those that Linux hands out to outgoing connections.
os.environ['ROS_DOMAIN_ID'] = str(random.SystemRandom().randint(1, 101))
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ.pop('ROS_LOCALHOST_ONLY', None)
if os.environ.get('ROS_DISTRO') == 'humble':
    # The older name; later distributions warn about it.
    os.environ['ROS_LOCALHOST_ONLY'] = '1'
os.environ['ROS_LOG_DIR'] = str(ROOT / 'build' / 'ros-log')


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
    """List what was not run and why, right above the last line."""
    yield
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
