# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""ROS nodes that simulate cameras and faults, and that compare results with the truth."""

from __future__ import annotations
