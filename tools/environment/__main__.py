# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Prepare .venv; starts under any Python 3, to say that it is too old."""

import sys

if sys.version_info < (3, 10):
    sys.exit(
        'error: Python 3.10 or newer is needed and %s is Python %d.%d.%d; install a newer one '
        '(Debian 12 and Ubuntu 22.04: apt install python3 python3-venv python3-dev) and name it, '
        'as in make test PYTHON=/usr/bin/python3' % ((sys.executable,) + sys.version_info[:3])
    )

from tools.environment.build import main

sys.exit(main(sys.argv[1:]))
