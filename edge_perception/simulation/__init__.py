# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Render, score and break images of the landing pad, without ROS."""

from __future__ import annotations
