# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Results, progress and errors as people and programs read them."""

from __future__ import annotations
