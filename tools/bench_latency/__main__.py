# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys

from tools.bench_latency.command import main

sys.exit(main(sys.argv[1:]))
