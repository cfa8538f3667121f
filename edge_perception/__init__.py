# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Detections and 6-DoF pose from camera topics, within a latency budget."""

from __future__ import annotations

__version__ = '0.1.0'
