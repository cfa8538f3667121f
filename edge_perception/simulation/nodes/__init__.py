# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""ROS nodes that simulate cameras and faults, and that compare results with the truth."""

from __future__ import annotations

import sys

from edge_perception.ros.system.end_signals import EndSignals

# Python is looking for a module of this package to run it (``python -m``): a signal ends the
# process from here on, before the imports of that module, which take a second.
if sys.argv[0] == '-m':
    EndSignals()
