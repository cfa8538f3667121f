# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What surrounds the node: graph, environment, files of the package, versions of rclpy."""

from __future__ import annotations
