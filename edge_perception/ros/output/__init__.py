# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Results and state: from perceptions to topics and services."""

from __future__ import annotations
