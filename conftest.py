# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What tests import besides what is installed; pytest of any version reads this file first."""

from __future__ import annotations

from pathlib import Path
import sys

ROOT = Path(__file__).resolve().parent
# First, because Python has a package named test as well.
sys.path[:0] = [str(ROOT), str(ROOT / 'plugins' / 'examples' / 'edge_perception_opencv_dnn')]
