# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Real Gazebo on a plain machine, for the tests: ``make test-gazebo``."""

from __future__ import annotations
