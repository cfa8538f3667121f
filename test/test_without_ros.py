# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Most tests need no ROS, and start where there is none."""

from __future__ import annotations

import subprocess
import sys

WITHOUT_ROS = """
import importlib.metadata as metadata

def version(name, real=metadata.version):
    if name == 'rclpy':
        raise metadata.PackageNotFoundError(name)
    return real(name)

metadata.version = version
import test.conftest
"""


def test_the_settings_of_all_tests_need_no_rclpy(repository):
    done = subprocess.run(
        [sys.executable, '-c', WITHOUT_ROS], cwd=repository, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
