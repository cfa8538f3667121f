# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Tell whether ``make test-gazebo`` can run here: ``python -m tools.gazebo``, for CI."""

from __future__ import annotations

from pathlib import Path
import shutil
import sys

from tools.gazebo.folder import why_no_packages
from tools.gazebo.folder import why_not

BUILD = Path(__file__).resolve().parents[2] / 'build' / 'gazebo'


def main() -> int:
    """
    Print what is there, or why nothing is.

    :return: exit status: 0 when the tests can run.
    """
    if shutil.which('gzserver'):
        print('Gazebo is installed')
        return 0
    problem = why_not() or why_no_packages(BUILD)
    print(f'Not run: {problem}' if problem else 'a folder with Gazebo 11 is used, or made')
    return 1 if problem else 0


if __name__ == '__main__':
    sys.exit(main())
