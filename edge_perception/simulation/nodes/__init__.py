# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""ROS nodes that stand in for cameras, faults and observers."""

from __future__ import annotations
