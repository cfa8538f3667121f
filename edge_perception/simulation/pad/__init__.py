# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The landing pad and its print."""

from __future__ import annotations
