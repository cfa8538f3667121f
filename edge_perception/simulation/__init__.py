# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A rendered camera that looks at the landing pad; knows no ROS."""

from __future__ import annotations
