# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""INT8: which layers, and what it costs."""

from __future__ import annotations
