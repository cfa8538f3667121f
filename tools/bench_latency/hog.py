# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Other work on the machine, as a process: computes for so many seconds without a pause."""

from __future__ import annotations

import sys
import time


def main() -> int:
    end = time.monotonic() + float(sys.argv[1])
    while time.monotonic() < end:
        pass
    return 0


if __name__ == '__main__':
    sys.exit(main())
