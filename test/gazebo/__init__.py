# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flights in real Gazebo; ``make test-gazebo`` runs them."""

from __future__ import annotations
